"""``openrouter-async doctor``: what stands between this machine and an answer.

The rule of this file: checks go from near to far; behind one that failed, those that could only
fail for the same reason are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from openrouter_async.cli import _checks
from openrouter_async.cli._checks import Finding
from openrouter_async.cli._terminal import json_option, print_json, stdout_console

__all__ = ["command"]

_MARKS: Final = {"ok": ("ok  ", "green"), "warning": ("look", "yellow"), "failed": ("FAIL", "red")}


@click.command("doctor")
@json_option("One JSON object in place of the lines.")
def command(as_json: bool) -> None:
    """Check key, network, proxy, TLS and credit, and say what to do next.

    Nothing is charged, and the key is never shown. The exit code is 1 if something fails.
    """
    import asyncio

    findings = asyncio.run(_examine())
    is_well = not any(finding.has_failed for finding in findings)
    if as_json:
        print_json({"ok": is_well, "checks": findings})
    else:
        _show(findings)
    if not is_well:
        raise click.exceptions.Exit(1)


async def _examine() -> list[Finding]:
    key, address = _checks.key(), _checks.address()
    findings = [_checks.versions(), key, address]
    if address.has_failed:
        return findings
    proxy, is_used = await _checks.proxy()
    findings.append(proxy)
    if not is_used:
        for check in (_checks.dns, _checks.connection):
            findings.append(await check())
            if findings[-1].has_failed:
                return findings
    if not key.has_failed and not proxy.has_failed:
        findings += await _checks.answer()
    return findings


def _show(findings: Sequence[Finding]) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    console = stdout_console()
    width = max(len(finding.name) for finding in findings)
    margin = len("FAIL") + 2 + width + 2
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        head = Text.assemble((mark, colour), f"  {finding.name:<{width}}  ")
        for text in filter(None, (finding.said, finding.next)):
            # Where programs read, a finding is one line.
            is_wrapped = console.is_terminal and console.width > 2 * margin
            room = console.width - margin if is_wrapped else cell_len(text) + 1
            for line in Text(text).wrap(console, room):
                console.print(head + line, soft_wrap=True)
                head = Text(" " * margin)
