"""``/private-endpoints``: models that only this account can call. Declarations alone."""

from __future__ import annotations

from typing import Final, Unpack

from ..types.pages import Deletion
from ..types.private_endpoints import (
    EndpointValidation,
    NewPrivateEndpoint,
    PrivateEndpoint,
    PrivateEndpointChanges,
    PrivateEndpointQuery,
    PrivatePricingChange,
    ValidatedIn,
)
from ._call import Call, Group, Operation, operation
from ._list import Listing, listing

__all__ = ["PrivateEndpoints"]

_ALL: Final = "/private-endpoints"
_ONE: Final = f"{_ALL}/{{id}}"
_CREATE: Final = Operation(f"POST {_ALL}", PrivateEndpoint, body=NewPrivateEndpoint)


class PrivateEndpoints(Group, key="management"):
    """Endpoints of the account's own; reached as `OpenRouter.private_endpoints`.

    An endpoint begins as a draft, is validated, and then activated. It is named by its id.
    """

    @listing(f"GET {_ALL}")
    def list(self) -> Listing[PrivateEndpoint]:
        """List them. Management key."""

    @_CREATE
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewPrivateEndpoint]
    ) -> Call[PrivateEndpoint]:
        """Make one, as a draft unless ``activate`` says otherwise. Management key.

        Args:
            idempotency_key: Names this request, so that saying it again makes no second one.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return _CREATE.send(self._sender, fields=fields, headers=headers)

    @operation(f"GET {_ONE}")
    def get(self, id: str) -> Call[PrivateEndpoint]:
        """Get all that is known of one. Management key."""

    @operation(f"PATCH {_ONE}")
    def update(self, id: str, **fields: Unpack[PrivateEndpointChanges]) -> Call[PrivateEndpoint]:
        """Change where one leads. Management key."""

    @operation(f"DELETE {_ONE}")
    def delete(self, id: str, **query: Unpack[PrivateEndpointQuery]) -> Call[Deletion]:
        """Delete one; ``draft_only=True`` spares what is more than a draft. Management key."""

    @operation(f"POST {_ONE}/activate")
    def activate(self, id: str) -> Call[PrivateEndpoint]:
        """Make a validated draft serve requests. Management key."""

    @operation(f"POST {_ONE}/disable")
    def disable(self, id: str) -> Call[PrivateEndpoint]:
        """Have an active one serve no more requests. Management key."""

    @operation(f"POST {_ONE}/enable")
    def enable(self, id: str) -> Call[PrivateEndpoint]:
        """Have a disabled one serve requests again. Management key."""

    @operation(f"PUT {_ONE}/pricing")
    def set_pricing(self, id: str, **fields: Unpack[PrivatePricingChange]) -> Call[PrivateEndpoint]:
        """Say what one costs, in USD a token. Management key."""

    @operation(f"POST {_ONE}/validate")
    def validate(self, id: str, **fields: Unpack[ValidatedIn]) -> Call[EndpointValidation]:
        """Try whether one works, with the workspace's own provider key. Management key."""
