"""``/guardrails``: what keys and members may call, spend and say.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types._forms import Uuid
from ..types.guardrails import (
    AssignedCount,
    Guardrail,
    GuardrailChanges,
    GuardrailQuery,
    KeyAssignment,
    KeysToAssign,
    MemberAssignment,
    MembersToAssign,
    NewGuardrail,
    UnassignedCount,
)
from ..types.pages import Deletion, PageQuery
from ._call import Group, Operation, uuid_at
from ._list import Listing, ListOperation

__all__ = ["Guardrails"]

_ONE: Final = "/guardrails/{id}"
_KEYS: Final = f"{_ONE}/assignments/keys"
_MEMBERS: Final = f"{_ONE}/assignments/members"
_LIST: Final = ListOperation("GET /guardrails", Guardrail, query=GuardrailQuery, key="management")
_CREATE: Final = Operation("POST /guardrails", Guardrail, body=NewGuardrail, key="management")
_GET: Final = Operation(f"GET {_ONE}", Guardrail, key="management")
_UPDATE: Final = Operation(f"PATCH {_ONE}", Guardrail, body=GuardrailChanges, key="management")
_DELETE: Final = Operation(f"DELETE {_ONE}", Deletion, inside=None, key="management")
_ALL_KEYS: Final = ListOperation(
    "GET /guardrails/assignments/keys", KeyAssignment, query=PageQuery, key="management"
)
_ALL_MEMBERS: Final = ListOperation(
    "GET /guardrails/assignments/members", MemberAssignment, query=PageQuery, key="management"
)
_LIST_KEYS: Final = ListOperation(f"GET {_KEYS}", KeyAssignment, query=PageQuery, key="management")
_LIST_MEMBERS: Final = ListOperation(
    f"GET {_MEMBERS}", MemberAssignment, query=PageQuery, key="management"
)
_ASSIGN_KEYS: Final = Operation(
    f"POST {_KEYS}", AssignedCount, inside=None, body=KeysToAssign, key="management"
)
_UNASSIGN_KEYS: Final = Operation(
    f"POST {_KEYS}/remove", UnassignedCount, inside=None, body=KeysToAssign, key="management"
)
_ASSIGN_MEMBERS: Final = Operation(
    f"POST {_MEMBERS}", AssignedCount, inside=None, body=MembersToAssign, key="management"
)
_UNASSIGN_MEMBERS: Final = Operation(
    f"POST {_MEMBERS}/remove",
    UnassignedCount,
    inside=None,
    body=MembersToAssign,
    key="management",
)


class Guardrails(Group):
    """Guardrails, and who is under them; reached as `OpenRouter.guardrails`.

    An `id` is a UUID, and a wrong form raises ValueError at the call; `NotFoundError` says that
    there is none of it.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[GuardrailQuery]) -> Listing[Guardrail]:
        """List the guardrails. Management key.

        Args:
            **query: Any keyword of `GuardrailQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewGuardrail]) -> Coroutine[Any, Any, Guardrail]:
        """Make a guardrail, which holds for nobody until it is assigned. Management key.

        Args:
            **fields: Any keyword of `NewGuardrail`; ``name`` is needed.

        >>> async def example(client: OpenRouter, key_hash: str) -> None:
        ...     made = await client.guardrails.create(
        ...         name="interns", limit_usd=5, reset_interval="daily", enforce_zdr=True
        ...     )
        ...     await client.guardrails.assign_keys(made.id, key_hashes=[key_hash])
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, id: Uuid) -> Coroutine[Any, Any, Guardrail]:
        """Get a guardrail. Management key."""
        return _GET.send(self._sender, uuid_at("id", id))

    @_UPDATE
    def update(
        self, id: Uuid, **fields: Unpack[GuardrailChanges]
    ) -> Coroutine[Any, Any, Guardrail]:
        """Change a guardrail; None takes a rule away, and lists are replaced. Management key.

        Args:
            id: The guardrail.
            **fields: Any keyword of `GuardrailChanges`.
        """
        return _UPDATE.send(self._sender, uuid_at("id", id), fields=fields)

    @_DELETE
    def delete(self, id: Uuid) -> Coroutine[Any, Any, Deletion]:
        """Delete a guardrail. Management key."""
        return _DELETE.send(self._sender, uuid_at("id", id))

    @_ALL_KEYS
    def all_keys(self, **query: Unpack[PageQuery]) -> Listing[KeyAssignment]:
        """List the keys that are under any guardrail. Management key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _ALL_KEYS.walk(self._sender, fields=query)

    @_ALL_MEMBERS
    def all_members(self, **query: Unpack[PageQuery]) -> Listing[MemberAssignment]:
        """List the members who are under any guardrail. Management key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _ALL_MEMBERS.walk(self._sender, fields=query)

    @_LIST_KEYS
    def keys(self, id: Uuid, **query: Unpack[PageQuery]) -> Listing[KeyAssignment]:
        """List the keys that are under a guardrail. Management key.

        Args:
            id: The guardrail.
            **query: Any keyword of `PageQuery`.
        """
        return _LIST_KEYS.walk(self._sender, uuid_at("id", id), fields=query)

    @_LIST_MEMBERS
    def members(self, id: Uuid, **query: Unpack[PageQuery]) -> Listing[MemberAssignment]:
        """List the members who are under a guardrail. Management key.

        Args:
            id: The guardrail.
            **query: Any keyword of `PageQuery`.
        """
        return _LIST_MEMBERS.walk(self._sender, uuid_at("id", id), fields=query)

    @_ASSIGN_KEYS
    def assign_keys(
        self, id: Uuid, **fields: Unpack[KeysToAssign]
    ) -> Coroutine[Any, Any, AssignedCount]:
        """Put keys under a guardrail, in place of the one that each was under. Management key.

        Args:
            id: The guardrail.
            **fields: ``key_hashes``, of which at least one is needed.
        """
        return _ASSIGN_KEYS.send(self._sender, uuid_at("id", id), fields=fields)

    @_UNASSIGN_KEYS
    def unassign_keys(
        self, id: Uuid, **fields: Unpack[KeysToAssign]
    ) -> Coroutine[Any, Any, UnassignedCount]:
        """Take keys from under a guardrail. Management key.

        Args:
            id: The guardrail.
            **fields: ``key_hashes``, of which at least one is needed.
        """
        return _UNASSIGN_KEYS.send(self._sender, uuid_at("id", id), fields=fields)

    @_ASSIGN_MEMBERS
    def assign_members(
        self, id: Uuid, **fields: Unpack[MembersToAssign]
    ) -> Coroutine[Any, Any, AssignedCount]:
        """Put members under a guardrail. Management key.

        Args:
            id: The guardrail.
            **fields: ``member_user_ids``, of which at least one is needed.
        """
        return _ASSIGN_MEMBERS.send(self._sender, uuid_at("id", id), fields=fields)

    @_UNASSIGN_MEMBERS
    def unassign_members(
        self, id: Uuid, **fields: Unpack[MembersToAssign]
    ) -> Coroutine[Any, Any, UnassignedCount]:
        """Take members from under a guardrail. Management key.

        Args:
            id: The guardrail.
            **fields: ``member_user_ids``, of which at least one is needed.
        """
        return _UNASSIGN_MEMBERS.send(self._sender, uuid_at("id", id), fields=fields)
