"""``/scim``: groups of an organization's directory, and the workspaces that they lead into."""

from __future__ import annotations

from typing import Literal, Required, TypeAlias

from ._forms import Text, Uuid
from ._request import BodyKeywords, Open, QueryKeywords
from ._struct import WireStruct
from .pages import PageQuery

_Role: TypeAlias = Open[Literal["admin", "member"]]


class ScimGroup(WireStruct):
    """A group of the directory."""

    id: str = ""
    display_name: str | None = None
    external_id: str | None = None
    organization_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class GroupMapping(WireStruct):
    """Makes everybody of a group an admin or a member of a workspace."""

    id: str = ""
    scim_group_id: str | None = None
    workspace_id: str | None = None
    role: str | None = None
    organization_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class SyncJob(WireStruct):
    """One comparison with the directory: queued, running, succeeded or failed."""

    id: str = ""
    status: str | None = None
    synced_groups: int | None = None
    deleted_groups: int | None = None
    error_message: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("succeeded", "failed")


class NewGroupMapping(BodyKeywords, total=False):
    """Keywords of `Scim.create`; all three are needed."""

    scim_group_id: Required[Uuid]
    workspace_id: Required[Uuid]
    role: Required[_Role]


class GroupMappingChanges(BodyKeywords, total=False):
    """Keywords of `Scim.update`."""

    role: Required[_Role]


class GroupMappingDeletion(QueryKeywords, total=False):
    """Keywords of `Scim.delete`."""

    keep_members: Required[bool]


class GroupQuery(PageQuery, total=False):
    """Keywords of `Scim.groups`."""

    display_name: Text
    external_id: Text
