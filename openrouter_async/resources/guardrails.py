"""``/guardrails``: what keys and members may call, spend and say. Declarations alone."""

from __future__ import annotations

from typing import Final, Unpack

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
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Guardrails"]

_ONE: Final = "/guardrails/{id}"
_KEYS: Final = f"{_ONE}/assignments/keys"
_MEMBERS: Final = f"{_ONE}/assignments/members"


class Guardrails(Group, key="management"):
    """Guardrails, and who is under them; reached as `OpenRouter.guardrails`.

    `NotFoundError` says that there is none of an `id`.
    """

    @listing("GET /guardrails")
    def list(self, **query: Unpack[GuardrailQuery]) -> Listing[Guardrail]:
        """List the guardrails. Management key."""

    @operation("POST /guardrails")
    def create(self, **fields: Unpack[NewGuardrail]) -> Call[Guardrail]:
        """Make a guardrail, which holds for nobody until it is assigned. Management key.

        >>> async def example(client: OpenRouter, key_hash: str) -> None:
        ...     made = await client.guardrails.create(
        ...         name="interns", limit_usd=5, reset_interval="daily", enforce_zdr=True
        ...     )
        ...     await client.guardrails.assign_keys(made.id, key_hashes=[key_hash])
        """

    @operation(f"GET {_ONE}")
    def get(self, id: Uuid) -> Call[Guardrail]:
        """Get a guardrail. Management key."""

    @operation(f"PATCH {_ONE}")
    def update(self, id: Uuid, **fields: Unpack[GuardrailChanges]) -> Call[Guardrail]:
        """Change a guardrail; None takes a rule away, and lists are replaced. Management key."""

    @operation(f"DELETE {_ONE}", inside=None)
    def delete(self, id: Uuid) -> Call[Deletion]:
        """Delete a guardrail. Management key."""

    @listing("GET /guardrails/assignments/keys")
    def all_keys(self, **query: Unpack[PageQuery]) -> Listing[KeyAssignment]:
        """List the keys that are under any guardrail. Management key."""

    @listing("GET /guardrails/assignments/members")
    def all_members(self, **query: Unpack[PageQuery]) -> Listing[MemberAssignment]:
        """List the members who are under any guardrail. Management key."""

    @listing(f"GET {_KEYS}")
    def keys(self, id: Uuid, **query: Unpack[PageQuery]) -> Listing[KeyAssignment]:
        """List the keys that are under a guardrail. Management key."""

    @listing(f"GET {_MEMBERS}")
    def members(self, id: Uuid, **query: Unpack[PageQuery]) -> Listing[MemberAssignment]:
        """List the members who are under a guardrail. Management key."""

    @operation(f"POST {_KEYS}", inside=None)
    def assign_keys(self, id: Uuid, **fields: Unpack[KeysToAssign]) -> Call[AssignedCount]:
        """Put keys under a guardrail, in place of the one that each was under. Management key."""

    @operation(f"POST {_KEYS}/remove", inside=None)
    def unassign_keys(self, id: Uuid, **fields: Unpack[KeysToAssign]) -> Call[UnassignedCount]:
        """Take keys from under a guardrail. Management key."""

    @operation(f"POST {_MEMBERS}", inside=None)
    def assign_members(self, id: Uuid, **fields: Unpack[MembersToAssign]) -> Call[AssignedCount]:
        """Put members under a guardrail. Management key."""

    @operation(f"POST {_MEMBERS}/remove", inside=None)
    def unassign_members(
        self, id: Uuid, **fields: Unpack[MembersToAssign]
    ) -> Call[UnassignedCount]:
        """Take members from under a guardrail. Management key."""
