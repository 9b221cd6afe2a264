"""Presets: settings of requests that are kept under a name, version by version.

What may live here: the wire structs of ``/presets``.
"""

from __future__ import annotations

from typing import Any

from ._struct import WireStruct


class PresetVersion(WireStruct):
    """The settings of a preset as they were saved at one time.

    Attributes:
        version: Its number, from 1.
        config: The fields that a request with the preset has, unless it says otherwise.
    """

    id: str = ""
    preset_id: str | None = None
    version: int | None = None
    system_prompt: str | None = None
    config: dict[str, Any] | None = None
    creator_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class Preset(WireStruct):
    """A preset: `OpenRouter.stream` takes it as ``model="@preset/slug"`` or ``preset="slug"``.

    Attributes:
        status: ``active``, ``disabled`` or ``archived``.
        designated_version_id: The version that requests get.
        designated_version: That version; a list does not tell it.
    """

    id: str = ""
    slug: str | None = None
    name: str | None = None
    description: str | None = None
    status: str | None = None
    status_updated_at: str | None = None
    designated_version_id: str | None = None
    designated_version: PresetVersion | None = None
    workspace_id: str | None = None
    creator_user_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
