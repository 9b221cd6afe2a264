"""``/scim``: who of the directory belongs to which workspace.

The rule of this file: declarations, and waiting, which looks at the job as anybody could.
"""

from __future__ import annotations

from typing import Final, Unpack

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
from ._call import Call, Group, operation
from ._list import Listing, listing
from ._waiting import wait_for_end

__all__ = ["Scim"]

_ALL: Final = "/scim/group-mappings"
_ONE: Final = f"{_ALL}/{{id}}"


class Scim(Group, key="management"):
    """The directory's groups and where they lead; reached as `OpenRouter.scim`.

    `NotFoundError` says that there is no mapping of an `id`.
    """

    @listing(f"GET {_ALL}")
    def list(self, **query: Unpack[PageQuery]) -> Listing[GroupMapping]:
        """List which group leads into which workspace. Management key."""

    @operation(f"POST {_ALL}")
    def create(self, **fields: Unpack[NewGroupMapping]) -> Call[GroupMapping]:
        """Let a group into a workspace. Management key.

        Raises:
            ConflictError: The group leads there already.
        """

    @operation(f"GET {_ONE}")
    def get(self, id: Uuid) -> Call[GroupMapping]:
        """Get one mapping. Management key."""

    @operation(f"PATCH {_ONE}")
    def update(self, id: Uuid, **fields: Unpack[GroupMappingChanges]) -> Call[GroupMapping]:
        """Make a group's people admins or members. Management key."""

    @operation(f"DELETE {_ONE}", inside=None)
    def delete(self, id: Uuid, **query: Unpack[GroupMappingDeletion]) -> Call[Deletion]:
        """Have a group lead nowhere any more, with or without its people. Management key."""

    @listing("GET /scim/groups")
    def groups(self, **query: Unpack[GroupQuery]) -> Listing[ScimGroup]:
        """List the directory's groups. Management key."""

    @operation("POST /scim/sync-jobs")
    def sync(self) -> Call[SyncJob]:
        """Have the groups compared with the directory now. Management key."""

    @operation("GET /scim/sync-jobs/{id}")
    def sync_job(self, id: str) -> Call[SyncJob]:
        """Get how far a comparison is. Management key."""

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
        return await wait_for_end(
            lambda: self.sync_job(id),
            lambda found: found.is_over,
            what=f"the sync job {id}",
            poll=poll,
            timeout=timeout,
        )
