"""``openrouter-async cost``: what was spent.

The rule of this file: it shows what the API has noted, and reckons nothing itself.
"""

from __future__ import annotations

from typing import Any

import click
from msgspec import Struct

from openrouter_async import GenerationRecord, OpenRouter
from openrouter_async.cli._setup import open_client
from openrouter_async.cli._terminal import json_option, print_json, print_rows
from openrouter_async.cli._words import money

__all__ = ["account_left", "command", "key_facts"]


@click.command("cost")
@click.argument("generation_id", required=False)
@click.option("--wait", default=5.0, show_default=True, help="Seconds to wait for a new record.")
@json_option("The whole record as JSON.")
def command(generation_id: str | None, wait: float, as_json: bool) -> None:
    """Show what a generation cost, or what the key has used and may use.

    GENERATION_ID is the gen-... id that `chat` tells; its record is written some moments after
    the end of the answer.
    """
    import asyncio

    if not wait >= 0:
        raise click.BadParameter("must be a number of seconds from 0 on", param_hint="--wait")
    client = open_client()

    async def look() -> None:
        async with client:
            if generation_id is None:
                key = await key_facts(client)
                left = await account_left(client, key)
                told = key if left is None else {**key, "account_remaining": left}
                print_json(told) if as_json else print_rows(_key_rows(told))
            else:
                record = await client.generations.get(generation_id, wait=wait)
                print_json(record.to_dict()) if as_json else print_rows(_record_rows(record))

    asyncio.run(look())


class _KeyAnswer(Struct):
    """The body of ``GET /key``."""

    data: dict[str, Any] = {}


async def key_facts(client: OpenRouter) -> dict[str, Any]:
    """Get what the API says of the key: its limits, and what was used."""
    return (await client.request("GET", "/key", type=_KeyAnswer)).data


async def account_left(client: OpenRouter, key: dict[str, Any]) -> float | None:
    """Get the USD that the account has left; only a management key is told, so None for others."""
    if not (key.get("is_management_key") or key.get("is_provisioning_key")):
        return None
    return (await client.credits.get()).remaining


def _key_rows(key: dict[str, Any]) -> list[tuple[str, str]]:
    limit, left = key.get("limit"), key.get("account_remaining")
    every = f" {key['limit_reset']}" if key.get("limit_reset") else ""
    return [
        ("key", str(key.get("label") or "unnamed")),
        ("today", money(key.get("usage_daily"))),
        ("this week", money(key.get("usage_weekly"))),
        ("this month", money(key.get("usage_monthly"))),
        ("in all", money(key.get("usage"))),
        ("limit", "none" if limit is None else f"{money(limit)}{every}"),
        ("left", "no limit" if limit is None else money(key.get("limit_remaining"))),
        *([("account", f"{money(left)} left")] if left is not None else []),
    ]


def _record_rows(record: GenerationRecord) -> list[tuple[str, str]]:
    usage = record.to_usage()
    rows = [
        ("cost", money(record.cost)),
        ("model", f"{record.model} by {record.provider_name}"),
        ("prompt", f"{usage.prompt_tokens} tokens"),
        ("answer", f"{usage.completion_tokens} tokens"),
        ("ended", record.finish_reason or ("stopped" if record.cancelled else "unknown")),
    ]
    if usage.cached_tokens:
        rows.append(("from cache", f"{usage.cached_tokens} tokens"))
    if record.latency is not None:
        rows.append(("first token", f"{record.latency / 1000:.1f} s"))
    if record.generation_time is not None:
        rows.append(("took", f"{record.generation_time / 1000:.1f} s"))
    return rows
