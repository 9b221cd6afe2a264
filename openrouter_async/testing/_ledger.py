"""What keys and workspaces of the pretend account have spent, and whether they may spend more.

The rule of this file: what an answer cost is noted here once, with the key that asked for it. A
limit lets through the answer that reaches it and refuses the next one, as nobody knows before what
an answer will cost. All that was spent is of the interval that it is now: no emulator lives longer.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final

from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._store import Row, Rows

__all__ = ["INTERVALS", "WORKSPACE", "Ledger", "hash_of"]

WORKSPACE: Final = "0df9e665-d932-5740-b2c7-b52af166bc11"
"""The workspace that keys belong to unless they were made for another."""

INTERVALS: Final = ("lifetime", "monthly", "weekly", "daily")
"""What a budget may be for, the broadest first."""

_USES: Final = ("usage", "usage_daily", "usage_weekly", "usage_monthly")


def hash_of(key: str) -> str:
    """Give what a key is named by."""
    return hashlib.sha256(key.encode()).hexdigest()


class Ledger:
    """The account's money, and what limits it.

    Attributes:
        keys: The keys that were made.
        workspaces: The workspaces.
        budgets: The budgets of workspaces.
        guardrails: The guardrails.
        key_assignments: Which key is under which guardrail; one at most.
        member_assignments: Which member is under which guardrails.
    """

    def __init__(self) -> None:
        self.keys: Final = Rows("hash")
        self.workspaces: Final = Rows()
        self.budgets: Final = Rows()
        self.guardrails: Final = Rows()
        self.key_assignments: Final = Rows("key_hash")
        self.member_assignments: Final = Rows()
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)

    @property
    def spent(self) -> float:
        """USD that all answers cost so far."""
        return sum(self._spent.values())

    def charge(self, key: str, usd: float) -> None:
        """Note what an answer cost the key that asked for it."""
        hash = hash_of(key)
        row = self.keys.find(hash=hash)
        self._spent[_workspace_of(row), hash] += usd
        if row is None:
            return
        for use in _USES:
            row[use] += usd
        if row["limit"] is not None:
            row["limit_remaining"] = max(0.0, row["limit"] - row["usage"])

    def refuse_if_spent(self, key: str) -> None:
        """Refuse a key that may spend no more.

        Raises:
            RefusedError: It is disabled, or it or its workspace has used up a limit.
        """
        row = self.keys.find(hash=hash_of(key))
        if row is not None and row["disabled"]:
            raise RefusedError(401, "The key is disabled")
        if row is not None and row["limit"] is not None and row["usage"] >= row["limit"]:
            raise RefusedError(403, "Key limit exceeded")
        for budget in self.budgets_of(key):
            if not budget["remaining_usd"]:
                whose = "Workspace" if budget["scope"] == "workspace" else "Guardrail"
                interval, limit = budget["reset_interval"] or "lifetime", budget["limit_usd"]
                raise RefusedError(403, f"{whose} {interval} budget of ${limit:.2f} exceeded.")

    def budgets_of(self, key: str) -> list[Row]:
        """Give the budgets that a key is under, as ``GET /key`` tells them.

        Those of its workspace come first, the broadest before the others.
        """
        hash = hash_of(key)
        workspace = _workspace_of(self.keys.find(hash=hash))
        return [*self._of_workspace(workspace), *self._of_guardrails(workspace, hash)]

    def remove_guardrail(self, id: str) -> None:
        """Forget a guardrail, and who was under it."""
        self.guardrails.remove(id)
        self.key_assignments.drop(guardrail_id=id)
        self.member_assignments.drop(guardrail_id=id)

    def _of_workspace(self, workspace: str) -> Iterator[Row]:
        rows = self.budgets.all(workspace_id=workspace)
        for row in sorted(
            rows, key=lambda row: INTERVALS.index(row["reset_interval"] or "lifetime")
        ):
            spent = sum(usd for (place, _), usd in self._spent.items() if place == workspace)
            include_byok = self.workspaces.get(workspace)["include_byok_in_budgets"]
            yield _told(row, spent, "workspace", include_byok, budget_id=row["id"])

    def _of_guardrails(self, workspace: str, hash: str) -> Iterator[Row]:
        home = self.workspaces.find(id=workspace)
        assigned = self.key_assignments.find(key_hash=hash)
        for scope, id in (
            ("workspace_default_key", home and home["default_guardrail_id"]),
            ("api_key", assigned and assigned["guardrail_id"]),
        ):
            row = self.guardrails.find(id=id)
            if row is not None and row.get("limit_usd") is not None:
                include_byok = row["include_byok_in_budgets"]
                spent = sum(usd for (_, one), usd in self._spent.items() if one == hash)
                yield _told(row, spent, scope, include_byok, guardrail_id=row["id"])


def _workspace_of(key: Row | None) -> str:
    return WORKSPACE if key is None else str(key["workspace_id"])


def _told(
    row: Row,
    spent: float,
    scope: str,
    include_byok: bool,
    *,
    budget_id: str | None = None,
    guardrail_id: str | None = None,
) -> Row:
    return {
        "scope": scope,
        "budget_id": budget_id,
        "guardrail_id": guardrail_id,
        "limit_usd": row["limit_usd"],
        "spend_usd": spent,
        "remaining_usd": max(0.0, row["limit_usd"] - spent),
        "include_byok": include_byok,
        "reset_interval": row.get("reset_interval"),
        "resets_at": _end_of(row.get("reset_interval")),
    }


def _end_of(interval: str | None) -> str | None:
    """Give when an interval is over: at midnight UTC, a week's on a Monday."""
    today = datetime.now(UTC).date()
    match interval:
        case "daily":
            end = today + timedelta(days=1)
        case "weekly":
            end = today + timedelta(days=7 - today.weekday())
        case "monthly":
            end = (today.replace(day=1) + timedelta(days=31)).replace(day=1)
        case _:
            return None
    return datetime.combine(end, time(), UTC).isoformat().replace("+00:00", "Z")
