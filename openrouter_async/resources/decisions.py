"""``/decisions`` and ``/systemone``: questions that are answered with a choice or a number.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.decisions import DecisionParams, Decisions
from ._call import Group, Operation

__all__ = ["DecisionCalls"]

_CREATE: Final = Operation(
    "POST /api/alpha/decisions", Decisions, inside=None, body=DecisionParams, key="normal"
)
_SYSTEMONE: Final = Operation(
    "POST /systemone", Decisions, inside=None, body=DecisionParams, key="normal"
)


class DecisionCalls(Group):
    """Questions about what a program looks at; reached as `OpenRouter.decisions`.

    The interface is an alpha of OpenRouter's and may change. Both calls send and give the same.
    """

    __slots__ = ()

    @_CREATE
    def create(self, **params: Unpack[DecisionParams]) -> Coroutine[Any, Any, Decisions]:
        """Have questions about a state answered. Normal key.

        Args:
            **params: Any keyword of `DecisionParams`; ``model``, ``state`` and ``questions`` are
                needed.

        >>> async def example(client: OpenRouter, mail: str) -> bool:
        ...     question = {"type": "noul", "instructions": "Is this mail an invoice?"}
        ...     asked = {"invoice": question}
        ...     found = await client.decisions.create(model="a/b", state=mail, questions=asked)
        ...     return (found.answers or {})["invoice"].noul == 1
        """
        return _CREATE.send(self._sender, fields=params)

    @_SYSTEMONE
    def systemone(self, **params: Unpack[DecisionParams]) -> Coroutine[Any, Any, Decisions]:
        """Ask the same of the fast endpoint that keeps the name ``systemone``. Normal key.

        Args:
            **params: Any keyword of `DecisionParams`, as for `create`.
        """
        return _SYSTEMONE.send(self._sender, fields=params)
