"""External users: the people behind a service, whom its requests name in ``user``.

What may live here: the wire struct of ``/external-users``, and the keywords of its calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict

from ._forms import Text
from ._struct import WireStruct
from .pages import PageQuery


class ExternalUser(WireStruct):
    """Somebody who uses the account through a service of its own.

    Attributes:
        user: What the service calls them.
        is_active: Whether their requests are answered.
    """

    user: str = ""
    is_active: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None


class NewExternalUser(TypedDict, total=False):
    """Keywords of `ExternalUsers.create`."""

    user: Required[Text]
    extra_body: Mapping[str, Any]


class ExternalUserChanges(TypedDict, total=False):
    """Keywords of `ExternalUsers.update`."""

    is_active: Required[bool]
    extra_body: Mapping[str, Any]


class ExternalUserQuery(PageQuery, total=False):
    """Keywords of `ExternalUsers.list`."""

    user: Text
    include_inactive: bool
