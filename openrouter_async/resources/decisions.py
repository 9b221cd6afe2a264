"""``/decisions`` and ``/systemone``: questions with short answers. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.decisions import DecisionParams, Decisions
from ._call import Call, Group, operation

__all__ = ["DecisionCalls"]


class DecisionCalls(Group, key="normal"):
    """Questions about what a program looks at; reached as `OpenRouter.decisions`.

    The interface is an alpha of OpenRouter's and may change. Both calls send and give the same.
    """

    @operation("POST /api/alpha/decisions", inside=None)
    def create(self, **params: Unpack[DecisionParams]) -> Call[Decisions]:
        """Have questions about a state answered. Normal key.

        >>> async def example(client: OpenRouter, mail: str) -> bool:
        ...     question = {"type": "noul", "instructions": "Is this mail an invoice?"}
        ...     asked = {"invoice": question}
        ...     found = await client.decisions.create(model="a/b", state=mail, questions=asked)
        ...     return (found.answers or {})["invoice"].noul == 1
        """

    @operation("POST /systemone", inside=None)
    def systemone(self, **params: Unpack[DecisionParams]) -> Call[Decisions]:
        """Ask the same of the fast endpoint that keeps the name ``systemone``. Normal key."""
