"""``/workspaces``: parts of an account, with members and budgets. Declarations alone."""

from __future__ import annotations

from typing import Final, Unpack

from ..types.pages import Deletion, PageQuery
from ..types.workspaces import (
    AddedMembers,
    BudgetInterval,
    NewWorkspace,
    RemovedMembers,
    Workspace,
    WorkspaceBudgetAnswer,
    WorkspaceBudgetLimit,
    WorkspaceBudgets,
    WorkspaceChanges,
    WorkspaceDeletion,
    WorkspaceMember,
    WorkspacePeople,
)
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Workspaces"]

_ONE: Final = "/workspaces/{id}"
_BUDGET: Final = f"{_ONE}/budgets/{{interval}}"


class Workspaces(Group, key="management"):
    """Workspaces, their budgets and members; reached as `OpenRouter.workspaces`.

    A workspace is named by its id or its slug; `NotFoundError` says that there is none of it, or
    no such budget.
    """

    @listing("GET /workspaces")
    def list(self, **query: Unpack[PageQuery]) -> Listing[Workspace]:
        """List the workspaces. Management key."""

    @operation("POST /workspaces")
    def create(self, **fields: Unpack[NewWorkspace]) -> Call[Workspace]:
        """Make a workspace, whose ``slug`` is of ``a-z``, digits and hyphens. Management key."""

    @operation(f"GET {_ONE}")
    def get(self, id: str) -> Call[Workspace]:
        """Get a workspace. Management key."""

    @operation(f"PATCH {_ONE}")
    def update(self, id: str, **fields: Unpack[WorkspaceChanges]) -> Call[Workspace]:
        """Change a workspace. Management key."""

    @operation(f"DELETE {_ONE}", inside=None)
    def delete(self, id: str, **query: Unpack[WorkspaceDeletion]) -> Call[Deletion]:
        """Delete a workspace with its budgets and guardrails. Management key.

        The API refuses while it has active API keys, and refuses to delete the default one
        without ``confirm_default_workspace_deletion=True``.
        """

    @operation(f"GET {_ONE}/budgets", inside=None)
    def budgets(self, id: str) -> Call[WorkspaceBudgets]:
        """Get all that a workspace may spend. Management key."""

    @operation(f"GET {_BUDGET}", inside=None)
    def budget(self, id: str, interval: BudgetInterval) -> Call[WorkspaceBudgetAnswer]:
        """Get what a workspace may spend in an interval. Management key."""

    @operation(f"PUT {_BUDGET}", inside=None)
    def set_budget(
        self, id: str, interval: BudgetInterval, **fields: Unpack[WorkspaceBudgetLimit]
    ) -> Call[WorkspaceBudgetAnswer]:
        """Say what a workspace may spend in an interval, in USD. Management key.

        Raises:
            BadRequestError: It is not below the limit of every longer interval.

        >>> async def example(client: OpenRouter, id: str) -> None:
        ...     await client.workspaces.set_budget(id, "monthly", limit_usd=100)
        """

    @operation(f"DELETE {_BUDGET}", inside=None)
    def delete_budget(self, id: str, interval: BudgetInterval) -> Call[Deletion]:
        """Let a workspace spend without this limit. Management key."""

    @listing(f"GET {_ONE}/members")
    def members(self, id: str, **query: Unpack[PageQuery]) -> Listing[WorkspaceMember]:
        """List who is in a workspace. Management key."""

    @operation(f"POST {_ONE}/members/add", inside=None)
    def add_members(self, id: str, **fields: Unpack[WorkspacePeople]) -> Call[AddedMembers]:
        """Let people of the organization into a workspace. Management key."""

    @operation(f"POST {_ONE}/members/remove", inside=None)
    def remove_members(self, id: str, **fields: Unpack[WorkspacePeople]) -> Call[RemovedMembers]:
        """Have people leave a workspace, in which they must have no active key. Management key."""
