"""``/private-endpoints``: models that only this account can call.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

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
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["PrivateEndpoints"]

_ALL: Final = "/private-endpoints"
_ONE: Final = f"{_ALL}/{{id}}"
_LIST: Final = ListOperation(f"GET {_ALL}", PrivateEndpoint, key="management")
_CREATE: Final = Operation(
    f"POST {_ALL}", PrivateEndpoint, body=NewPrivateEndpoint, key="management"
)
_GET: Final = Operation(f"GET {_ONE}", PrivateEndpoint, key="management")
_UPDATE: Final = Operation(
    f"PATCH {_ONE}", PrivateEndpoint, body=PrivateEndpointChanges, key="management"
)
_DELETE: Final = Operation(f"DELETE {_ONE}", Deletion, query=PrivateEndpointQuery, key="management")
_ACTIVATE: Final = Operation(f"POST {_ONE}/activate", PrivateEndpoint, key="management")
_DISABLE: Final = Operation(f"POST {_ONE}/disable", PrivateEndpoint, key="management")
_ENABLE: Final = Operation(f"POST {_ONE}/enable", PrivateEndpoint, key="management")
_SET_PRICING: Final = Operation(
    f"PUT {_ONE}/pricing", PrivateEndpoint, body=PrivatePricingChange, key="management"
)
_VALIDATE: Final = Operation(
    f"POST {_ONE}/validate", EndpointValidation, body=ValidatedIn, key="management"
)


class PrivateEndpoints(Group):
    """Endpoints of the account's own; reached as `OpenRouter.private_endpoints`.

    An endpoint begins as a draft, is validated, and then activated. It is named by its id.
    """

    __slots__ = ()

    @_LIST
    def list(self) -> Listing[PrivateEndpoint]:
        """List them. Management key."""
        return _LIST.walk(self._sender)

    @_CREATE
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewPrivateEndpoint]
    ) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Make one, as a draft unless ``activate`` says otherwise. Management key.

        Args:
            idempotency_key: Names this request, so that saying it again makes no second one.
            **fields: Any keyword of `NewPrivateEndpoint`; ``model_permaslug``,
                ``provider_slug`` and ``upstream_model_id`` are needed.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return _CREATE.send(self._sender, fields=fields, headers=headers)

    @_GET
    def get(self, id: str) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Get all that is known of one. Management key."""
        return _GET.send(self._sender, id)

    @_UPDATE
    def update(
        self, id: str, **fields: Unpack[PrivateEndpointChanges]
    ) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Change where one leads. Management key.

        Args:
            id: The endpoint.
            **fields: Any keyword of `PrivateEndpointChanges`; ``upstream_model_id`` is needed.
        """
        return _UPDATE.send(self._sender, id, fields=fields)

    @_DELETE
    def delete(
        self, id: str, **query: Unpack[PrivateEndpointQuery]
    ) -> Coroutine[Any, Any, Deletion]:
        """Delete one. Management key.

        Args:
            id: The endpoint.
            **query: ``draft_only=True`` refuses to delete one that is more than a draft.
        """
        return _DELETE.send(self._sender, id, fields=query)

    @_ACTIVATE
    def activate(self, id: str) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Make a validated draft serve requests. Management key."""
        return _ACTIVATE.send(self._sender, id)

    @_DISABLE
    def disable(self, id: str) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Have an active one serve no more requests. Management key."""
        return _DISABLE.send(self._sender, id)

    @_ENABLE
    def enable(self, id: str) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Have a disabled one serve requests again. Management key."""
        return _ENABLE.send(self._sender, id)

    @_SET_PRICING
    def set_pricing(
        self, id: str, **fields: Unpack[PrivatePricingChange]
    ) -> Coroutine[Any, Any, PrivateEndpoint]:
        """Say what one costs, in USD a token. Management key.

        Args:
            id: The endpoint.
            **fields: ``pricing``, which is needed.
        """
        return _SET_PRICING.send(self._sender, id, fields=fields)

    @_VALIDATE
    def validate(
        self, id: str, **fields: Unpack[ValidatedIn]
    ) -> Coroutine[Any, Any, EndpointValidation]:
        """Try whether one works, with the workspace's own provider key. Management key.

        Args:
            id: The endpoint.
            **fields: ``workspace_id``, which is needed.
        """
        return _VALIDATE.send(self._sender, id, fields=fields)
