"""``/presets``: settings of requests that are kept under a name, version by version."""

from __future__ import annotations

from typing import Any

from ._struct import WireStruct


class PresetVersion(WireStruct):
    """A preset as once saved, numbered from 1; `config` holds where a request does not say."""

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

    `status` is ``active``, ``disabled`` or ``archived``; requests get the designated version, which
    a list does not tell.
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
