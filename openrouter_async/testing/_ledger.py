"""What keys and workspaces of the pretend account have spent, and whether they may spend more.

The rule of this file: what an answer cost is noted here once, with the key that asked for it. A
limit lets through the answer that reaches it and refuses the next one, as nobody knows before what
an answer will cost.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Final

from openrouter_async.testing._build import http_error
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Row, Rows

__all__ = ["WORKSPACE", "Ledger", "hash_of"]

WORKSPACE: Final = "0df9e665-d932-5740-b2c7-b52af166bc11"
"""The workspace that keys belong to unless they were made for another."""

_USES: Final = ("usage", "usage_daily", "usage_weekly", "usage_monthly")


def hash_of(key: str) -> str:
    """Give what a key is named by."""
    return hashlib.sha256(key.encode()).hexdigest()


class Ledger:
    """The account's money.

    Attributes:
        keys: The keys that were made.
        budgets: The budgets of workspaces.
    """

    def __init__(self) -> None:
        self.keys: Final = Rows("hash")
        self.budgets: Final = Rows()
        self._spent: defaultdict[str, float] = defaultdict(float)

    @property
    def spent(self) -> float:
        """USD that all answers cost so far."""
        return sum(self._spent.values())

    def charge(self, key: str, usd: float) -> None:
        """Note what an answer cost the key that asked for it."""
        row = self._row_of(key)
        self._spent[WORKSPACE if row is None else row["workspace_id"]] += usd
        if row is None:
            return
        for use in _USES:
            row[use] += usd
        if row["limit"] is not None:
            row["limit_remaining"] = max(0.0, row["limit"] - row["usage"])

    def refusal(self, key: str) -> Reply | None:
        """Give the answer to a key that may spend no more; None where it may."""
        row = self._row_of(key)
        if row is not None and row["disabled"]:
            return http_error(401, "The key is disabled")
        if row is not None and row["limit"] is not None and row["usage"] >= row["limit"]:
            return http_error(403, "Key limit exceeded")
        workspace = WORKSPACE if row is None else row["workspace_id"]
        for budget in self.budgets.all():
            is_spent = self._spent[workspace] >= budget["limit_usd"]
            if budget["workspace_id"] == workspace and is_spent:
                return http_error(403, "Workspace budget exceeded")
        return None

    def _row_of(self, key: str) -> Row | None:
        made = self.keys.all()
        hash = hash_of(key) if made else ""
        return next((row for row in made if row["hash"] == hash), None)
