"""``/external-users``: the people behind a service, whom its requests name in ``user``."""

from __future__ import annotations

from typing import Required

from ._forms import Text
from ._request import BodyKeywords
from ._struct import WireStruct
from .pages import PageQuery


class ExternalUser(WireStruct):
    """Whom a service calls `user`; requests of one who is not `is_active` are not answered."""

    user: str = ""
    is_active: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None


class NewExternalUser(BodyKeywords, total=False):
    """Keywords of `ExternalUsers.create`."""

    user: Required[Text]


class ExternalUserChanges(BodyKeywords, total=False):
    """Keywords of `ExternalUsers.update`."""

    is_active: Required[bool]


class ExternalUserQuery(PageQuery, total=False):
    """Keywords of `ExternalUsers.list`."""

    user: Text
    include_inactive: bool
