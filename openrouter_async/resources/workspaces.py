"""``/workspaces``: parts of an account, with who is in them and what they may spend.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

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
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["Workspaces"]

_ONE: Final = "/workspaces/{id}"
_BUDGET: Final = f"{_ONE}/budgets/{{interval}}"
_LIST: Final = ListOperation("GET /workspaces", Workspace, query=PageQuery, key="management")
_CREATE: Final = Operation("POST /workspaces", Workspace, body=NewWorkspace, key="management")
_GET: Final = Operation(f"GET {_ONE}", Workspace, key="management")
_UPDATE: Final = Operation(f"PATCH {_ONE}", Workspace, body=WorkspaceChanges, key="management")
_DELETE: Final = Operation(
    f"DELETE {_ONE}", Deletion, inside=None, query=WorkspaceDeletion, key="management"
)
_BUDGETS: Final = Operation(f"GET {_ONE}/budgets", WorkspaceBudgets, inside=None, key="management")
_GET_BUDGET: Final = Operation(
    f"GET {_BUDGET}", WorkspaceBudgetAnswer, inside=None, key="management"
)
_SET_BUDGET: Final = Operation(
    f"PUT {_BUDGET}",
    WorkspaceBudgetAnswer,
    inside=None,
    body=WorkspaceBudgetLimit,
    key="management",
)
_DELETE_BUDGET: Final = Operation(f"DELETE {_BUDGET}", Deletion, inside=None, key="management")
_MEMBERS: Final = ListOperation(
    f"GET {_ONE}/members", WorkspaceMember, query=PageQuery, key="management"
)
_ADD: Final = Operation(
    f"POST {_ONE}/members/add", AddedMembers, inside=None, body=WorkspacePeople, key="management"
)
_REMOVE: Final = Operation(
    f"POST {_ONE}/members/remove",
    RemovedMembers,
    inside=None,
    body=WorkspacePeople,
    key="management",
)


class Workspaces(Group):
    """Workspaces, their budgets and members; reached as `OpenRouter.workspaces`.

    A workspace is named by its id or its slug; `NotFoundError` says that there is none of it.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[PageQuery]) -> Listing[Workspace]:
        """List the workspaces. Management key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewWorkspace]) -> Coroutine[Any, Any, Workspace]:
        """Make a workspace. Management key.

        Args:
            **fields: Any keyword of `NewWorkspace`; ``name`` and ``slug``, of lower-case letters
                and digits with single hyphens between them, are needed.
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, id: str) -> Coroutine[Any, Any, Workspace]:
        """Get a workspace. Management key."""
        return _GET.send(self._sender, id)

    @_UPDATE
    def update(self, id: str, **fields: Unpack[WorkspaceChanges]) -> Coroutine[Any, Any, Workspace]:
        """Change a workspace. Management key.

        Args:
            id: The workspace.
            **fields: Any keyword of `WorkspaceChanges`.
        """
        return _UPDATE.send(self._sender, id, fields=fields)

    @_DELETE
    def delete(self, id: str, **query: Unpack[WorkspaceDeletion]) -> Coroutine[Any, Any, Deletion]:
        """Delete a workspace with its budgets and guardrails. Management key.

        The API refuses while it has active API keys.

        Args:
            id: The workspace.
            **query: ``confirm_default_workspace_deletion=True`` deletes even the default one.
        """
        return _DELETE.send(self._sender, id, fields=query)

    @_BUDGETS
    def budgets(self, id: str) -> Coroutine[Any, Any, WorkspaceBudgets]:
        """Get all that a workspace may spend. Management key."""
        return _BUDGETS.send(self._sender, id)

    @_GET_BUDGET
    def budget(
        self, id: str, interval: BudgetInterval
    ) -> Coroutine[Any, Any, WorkspaceBudgetAnswer]:
        """Get what a workspace may spend in an interval. Management key.

        Args:
            id: The workspace.
            interval: ``daily``, ``weekly``, ``monthly`` or ``lifetime``.

        Raises:
            NotFoundError: There is no such workspace, or no such budget.
        """
        return _GET_BUDGET.send(self._sender, id, interval)

    @_SET_BUDGET
    def set_budget(
        self, id: str, interval: BudgetInterval, **fields: Unpack[WorkspaceBudgetLimit]
    ) -> Coroutine[Any, Any, WorkspaceBudgetAnswer]:
        """Say what a workspace may spend in an interval. Management key.

        Args:
            id: The workspace.
            interval: ``daily``, ``weekly``, ``monthly`` or ``lifetime``.
            **fields: Any keyword of `WorkspaceBudgetLimit`; ``limit_usd``, in USD, is needed.

        Raises:
            BadRequestError: It is not below the limit of every longer interval.

        >>> async def example(client: OpenRouter, id: str) -> None:
        ...     await client.workspaces.set_budget(id, "monthly", limit_usd=100)
        """
        return _SET_BUDGET.send(self._sender, id, interval, fields=fields)

    @_DELETE_BUDGET
    def delete_budget(self, id: str, interval: BudgetInterval) -> Coroutine[Any, Any, Deletion]:
        """Let a workspace spend without this limit. Management key.

        Args:
            id: The workspace.
            interval: ``daily``, ``weekly``, ``monthly`` or ``lifetime``.
        """
        return _DELETE_BUDGET.send(self._sender, id, interval)

    @_MEMBERS
    def members(self, id: str, **query: Unpack[PageQuery]) -> Listing[WorkspaceMember]:
        """List who is in a workspace. Management key.

        Args:
            id: The workspace.
            **query: Any keyword of `PageQuery`.
        """
        return _MEMBERS.walk(self._sender, id, fields=query)

    @_ADD
    def add_members(
        self, id: str, **fields: Unpack[WorkspacePeople]
    ) -> Coroutine[Any, Any, AddedMembers]:
        """Let people of the organization into a workspace. Management key.

        Args:
            id: The workspace.
            **fields: ``user_ids``, of which at least one is needed.
        """
        return _ADD.send(self._sender, id, fields=fields)

    @_REMOVE
    def remove_members(
        self, id: str, **fields: Unpack[WorkspacePeople]
    ) -> Coroutine[Any, Any, RemovedMembers]:
        """Have people leave a workspace, in which they must have no active key. Management key.

        Args:
            id: The workspace.
            **fields: ``user_ids``, of which at least one is needed.
        """
        return _REMOVE.send(self._sender, id, fields=fields)
