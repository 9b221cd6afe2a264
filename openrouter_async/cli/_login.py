"""``openrouter-async login``: a key by signing in at OpenRouter, in place of copying one.

The rule of this file: the key is kept in a file, or written to stdout where that is asked for, and
shown nowhere else.
"""

from __future__ import annotations

import sys

import click

from openrouter_async import OpenRouter
from openrouter_async.cli._kept_key import forget_key, keep_key
from openrouter_async.cli._setup import base_url, checked, has_key_in_environment, open_client
from openrouter_async.cli._terminal import json_option, note, print_json
from openrouter_async.types.oauth import ExchangedKey, SignInFields

__all__ = ["command"]


@click.command("login")
@click.option("--label", default="openrouter-async", show_default=True, help="The key's name.")
@click.option("--limit", type=click.FloatRange(min=0), help="USD that the key may spend.")
@click.option("--no-browser", is_flag=True, help="Sign in on another machine, and type the code.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds to wait for you.",
)
@click.option("--print", "is_printed", is_flag=True, help="Write the key to stdout, keep nothing.")
@click.option("--forget", is_flag=True, help="Forget the key that is kept.")
@json_option("Tell what came of it as one JSON object.")
def command(
    label: str,
    limit: float | None,
    no_browser: bool,
    timeout: float,
    is_printed: bool,
    forget: bool,
    as_json: bool,
) -> None:
    """Sign in at OpenRouter with a browser, and keep the key for these commands.

    The key is made for this: it has a name of its own, can have a limit, and is ended at
    https://openrouter.ai/settings/keys. OPENROUTER_API_KEY, where it is set, outweighs it.
    """
    import asyncio

    if forget:
        had_one = forget_key()
        if as_json:
            print_json({"forgotten": had_one})
        else:
            note("The key is forgotten." if had_one else "No key was kept.")
        return
    fields = SignInFields(key_label=label)
    if limit is not None:
        fields["limit"] = limit
    client = open_client(needs_key=False)

    async def sign_in() -> ExchangedKey:
        async with client:
            with checked():
                if no_browser:
                    return await _by_hand(client, fields)
                return await client.auth.login(show=_show, timeout=timeout, **fields)

    given = asyncio.run(sign_in())
    if is_printed:
        if as_json:
            print_json({"key": given.key, "user_id": given.user_id})
        else:
            sys.stdout.write(f"{given.key}\n")
        return
    path = keep_key(given.key, base_url())
    if as_json:
        print_json({"kept_in": str(path), "user_id": given.user_id})
    else:
        note(f"Signed in. The key is kept in {path}, for you alone to read.")
    if has_key_in_environment():
        note("OPENROUTER_API_KEY is set and outweighs it.")


def _show(url: str) -> None:
    """Open a browser, and give the URL in case there is none."""
    import webbrowser

    note(f"Sign in with your browser. Should none open, go to:\n{url}")
    webbrowser.open(url)


async def _by_hand(client: OpenRouter, fields: SignInFields) -> ExchangedKey:
    import asyncio

    begun = client.auth.begin(None, **fields)
    note(f"Go to this page on any machine, and type the code that it shows:\n{begun.url}")
    code = (await asyncio.to_thread(click.prompt, "Code", err=True, type=str)).strip()
    return await client.auth.exchange(code, verifier=begun.verifier)
