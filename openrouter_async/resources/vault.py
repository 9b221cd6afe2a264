"""``/vault``: secrets that agents use and never see. Declarations alone."""

from __future__ import annotations

import builtins
from typing import Final, Unpack

from ..types.pages import Deletion, PageQuery
from ..types.vault import CopiedSecrets, EffectiveSecret, InternConnection, SecretValue, VaultSecret
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Vault"]

_NAMED: Final = "/vault/secrets/{name}"
_INTERN: Final = "/vault/interns/{intern_id}"
_NAMED_FOR: Final = f"{_INTERN}/secrets/{{name}}"


class Vault(Group, key="management"):
    """Secrets of the workspace and of its interns; reached as `OpenRouter.vault`.

    A secret is named by the name that it was stored under; its value cannot be had again.
    `NotFoundError` says that there is none of a name.
    """

    @listing("GET /vault/secrets")
    def list(self, **query: Unpack[PageQuery]) -> Listing[VaultSecret]:
        """List the workspace's secrets. Management key."""

    @operation(f"PUT {_NAMED}")
    def store(self, name: str, **fields: Unpack[SecretValue]) -> Call[VaultSecret]:
        """Store a secret of the workspace, in place of one of the same name. Management key.

        It is sent to its ``hosts`` alone.

        >>> async def example(client: OpenRouter, token: str) -> None:
        ...     await client.vault.store("CI_TOKEN", value=token, hosts=["api.example.com"])
        """

    @operation(f"DELETE {_NAMED}", inside=None)
    def delete(self, name: str) -> Call[Deletion]:
        """Delete a secret of the workspace. Management key."""

    @listing(f"GET {_INTERN}/secrets")
    def list_for(self, intern_id: str, **query: Unpack[PageQuery]) -> Listing[VaultSecret]:
        """List the secrets of one intern. Management key."""

    @operation(f"PUT {_NAMED_FOR}")
    def store_for(
        self, intern_id: str, name: str, **fields: Unpack[SecretValue]
    ) -> Call[VaultSecret]:
        """Store a secret of one intern, in place of one of the same name. Management key."""

    @operation(f"DELETE {_NAMED_FOR}", inside=None)
    def delete_for(self, intern_id: str, name: str) -> Call[Deletion]:
        """Delete a secret of one intern. Management key."""

    @operation(f"POST {_INTERN}/secrets/copy")
    def copy_to(
        self, intern_id: str, **fields: Unpack[CopiedSecrets]
    ) -> Call[builtins.list[VaultSecret]]:
        """Give secrets of the workspace to one intern as well. Management key."""

    @listing(f"GET {_INTERN}/effective-secrets")
    def effective(self, intern_id: str, **query: Unpack[PageQuery]) -> Listing[EffectiveSecret]:
        """List all that an intern can use, with whose it is. Management key."""

    @listing(f"GET {_INTERN}/connections")
    def connections(self, intern_id: str) -> Listing[InternConnection]:
        """List the services that an intern is connected to. Management key."""
