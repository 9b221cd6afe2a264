"""``/scim``: who of the directory belongs to which workspace.

The rule of this file: operations are declared, and each method is one of them; waiting looks at
the job as anybody could.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types._forms import Uuid
from ..types.pages import Deletion, PageQuery
from ..types.scim import (
    GroupMapping,
    GroupMappingChanges,
    GroupMappingDeletion,
    GroupQuery,
    NewGroupMapping,
    ScimGroup,
    SyncJob,
)
from ._call import Group, Operation, uuid_at
from ._list import Listing, ListOperation
from ._waiting import wait_for_end

__all__ = ["Scim"]

_ALL: Final = "/scim/group-mappings"
_ONE: Final = f"{_ALL}/{{id}}"
_LIST: Final = ListOperation(f"GET {_ALL}", GroupMapping, query=PageQuery, key="management")
_CREATE: Final = Operation(f"POST {_ALL}", GroupMapping, body=NewGroupMapping, key="management")
_GET: Final = Operation(f"GET {_ONE}", GroupMapping, key="management")
_UPDATE: Final = Operation(
    f"PATCH {_ONE}", GroupMapping, body=GroupMappingChanges, key="management"
)
_DELETE: Final = Operation(
    f"DELETE {_ONE}", Deletion, inside=None, query=GroupMappingDeletion, key="management"
)
_GROUPS: Final = ListOperation("GET /scim/groups", ScimGroup, query=GroupQuery, key="management")
_SYNC: Final = Operation("POST /scim/sync-jobs", SyncJob, key="management")
_SYNC_JOB: Final = Operation("GET /scim/sync-jobs/{id}", SyncJob, key="management")


class Scim(Group):
    """The directory's groups and where they lead; reached as `OpenRouter.scim`.

    The `id` of a mapping is a UUID, and a wrong form raises ValueError at the call;
    `NotFoundError` says that there is none of it.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[PageQuery]) -> Listing[GroupMapping]:
        """List which group leads into which workspace. Management key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewGroupMapping]) -> Coroutine[Any, Any, GroupMapping]:
        """Let a group into a workspace. Management key.

        Args:
            **fields: ``scim_group_id``, ``workspace_id`` and ``role``, which are all needed.

        Raises:
            ConflictError: The group leads there already.
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, id: Uuid) -> Coroutine[Any, Any, GroupMapping]:
        """Get one mapping. Management key."""
        return _GET.send(self._sender, uuid_at("id", id))

    @_UPDATE
    def update(
        self, id: Uuid, **fields: Unpack[GroupMappingChanges]
    ) -> Coroutine[Any, Any, GroupMapping]:
        """Make a group's people admins or members. Management key.

        Args:
            id: The mapping.
            **fields: ``role``, which is needed.
        """
        return _UPDATE.send(self._sender, uuid_at("id", id), fields=fields)

    @_DELETE
    def delete(
        self, id: Uuid, **query: Unpack[GroupMappingDeletion]
    ) -> Coroutine[Any, Any, Deletion]:
        """Have a group lead nowhere any more. Management key.

        Args:
            id: The mapping.
            **query: ``keep_members``, which is needed: whether its people stay where they are.
        """
        return _DELETE.send(self._sender, uuid_at("id", id), fields=query)

    @_GROUPS
    def groups(self, **query: Unpack[GroupQuery]) -> Listing[ScimGroup]:
        """List the directory's groups. Management key.

        Args:
            **query: Any keyword of `GroupQuery`.
        """
        return _GROUPS.walk(self._sender, fields=query)

    @_SYNC
    def sync(self) -> Coroutine[Any, Any, SyncJob]:
        """Have the groups compared with the directory now. Management key."""
        return _SYNC.send(self._sender)

    @_SYNC_JOB
    def sync_job(self, id: str) -> Coroutine[Any, Any, SyncJob]:
        """Get how far a comparison is. Management key."""
        return _SYNC_JOB.send(self._sender, id)

    async def wait(
        self, job: SyncJob | str, *, poll: float = 10.0, timeout: float | None = None
    ) -> SyncJob:
        """Wait until a comparison is over, however it ended. Management key.

        Args:
            job: The job, or its id.
            poll: The most seconds between two looks.
            timeout: Seconds to wait in all; None waits as long as it takes.

        Raises:
            TotalTimeout: It was not over within `timeout`.
        """
        id = job.id if isinstance(job, SyncJob) else job
        _SYNC_JOB.ask(id)  # refuses a wrong id
        return await wait_for_end(
            lambda: self.sync_job(id),
            lambda found: found.is_over,
            what=f"the sync job {id}",
            poll=poll,
            timeout=timeout,
            on_progress=None,
        )
