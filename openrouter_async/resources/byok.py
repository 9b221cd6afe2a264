"""``/byok``: provider keys of the user's own. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types._forms import Uuid
from ..types.byok import NewProviderKey, ProviderKey, ProviderKeyChanges, ProviderKeyQuery
from ..types.pages import Deletion
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Byok"]


class Byok(Group, key="management"):
    """Provider keys of the user's own; reached as `OpenRouter.byok`.

    `NotFoundError` says that there is no key of an `id`.
    """

    @listing("GET /byok")
    def list(self, **query: Unpack[ProviderKeyQuery]) -> Listing[ProviderKey]:
        """List the provider keys. Management key."""

    @operation("POST /byok")
    def create(self, **fields: Unpack[NewProviderKey]) -> Call[ProviderKey]:
        """Hand in a ``key`` of a ``provider``, such as ``openai``. Management key."""

    @operation("GET /byok/{id}")
    def get(self, id: Uuid) -> Call[ProviderKey]:
        """Get what is known of a provider key. Management key."""

    @operation("PATCH /byok/{id}")
    def update(self, id: Uuid, **fields: Unpack[ProviderKeyChanges]) -> Call[ProviderKey]:
        """Change a provider key, or what it may be used for. Management key."""

    @operation("DELETE /byok/{id}", inside=None)
    def delete(self, id: Uuid) -> Call[Deletion]:
        """Take a provider key back. Management key."""
