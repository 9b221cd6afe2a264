"""Lists of the API: walked, awaited and paged, whatever form their pages have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import NotFoundError, ProtocolError, StreamAPIError
from openrouter_async.resources._list import Listing, ListOperation
from openrouter_async.testing import Emulator, Reply, http_error, replay
from openrouter_async.types.keys import Key, KeyQuery
from openrouter_async.types.pages import ListMeta

BY_OFFSET = ListOperation("GET /things", Key, query=KeyQuery)
PLAIN = ListOperation("GET /things", Key)
FIRST: dict[str, str] = {}


def page(*hashes: str, **beside: Any) -> Reply:
    """A page of things with these hashes."""
    body = {"data": [{"hash": hash} for hash in hashes], **beside}
    return replay(json.dumps(body).encode(), content_type="application/json")


def apps(start: int, stop: int) -> Reply:
    """A page of apps."""
    rows = [{"rank": rank} for rank in range(start, stop)]
    return replay(json.dumps({"data": rows}).encode(), content_type="application/json")


def things(client: OpenRouter, operation: ListOperation[Key] = PLAIN) -> Listing[Key]:
    """The list that is walked."""
    return operation.walk(client._sender)


@pytest.mark.parametrize(
    ("operation", "pages", "queries"),
    [
        pytest.param(
            BY_OFFSET,
            [page("a", "b", total_count=3), page("c", total_count=3)],
            [FIRST, {"offset": "2"}],
            id="offset and count",
        ),
        pytest.param(BY_OFFSET, [page("a", "b", "c")], [FIRST], id="offset alone, and one page"),
        pytest.param(
            BY_OFFSET,
            [page("a", "b", has_more=True), page("c", has_more=False)],
            [FIRST, {"offset": "2"}],
            id="offset and whether there is more",
        ),
        pytest.param(
            PLAIN,
            [page("a", has_more=True, cursor="x"), page("b", "c", has_more=False, cursor=None)],
            [FIRST, {"cursor": "x"}],
            id="cursor",
        ),
        pytest.param(
            PLAIN,
            [page("a", "b", has_more=True, last_id="b"), page("c", has_more=False, last_id="c")],
            [FIRST, {"after": "b"}],
            id="last id",
        ),
        pytest.param(
            BY_OFFSET,
            [
                page("a", links={"next": "/api/v1/things?offset=1&limit=1"}),
                page("b", "c", links={"next": None}, total_count=9),
            ],
            [FIRST, {"offset": "1", "limit": "1"}],
            id="link",
        ),
        pytest.param(PLAIN, [page("a", "b", "c")], [FIRST], id="one page"),
    ],
)
async def test_every_form_of_pages_is_walked(
    emulator: Emulator,
    client: OpenRouter,
    operation: ListOperation[Key],
    pages: list[Reply],
    queries: list[dict[str, str]],
) -> None:
    """Looped over, awaited or taken by the page: the same things come, by the same requests."""
    for _ in range(3):
        emulator.play(*pages, path="/things")
    listing = things(client, operation)
    assert [thing.hash async for thing in listing] == ["a", "b", "c"]
    assert [thing.hash for thing in await listing] == ["a", "b", "c"]
    seen: list[str] = []
    following: Listing[Key] | None = listing
    while following is not None:
        taken = await following.page()
        seen += [thing.hash for thing in taken.items]
        following = taken.next
    assert seen == ["a", "b", "c"]
    assert [request.query for request in emulator.requests] == queries * 3


async def test_the_next_page_is_asked_for_when_it_is_needed(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Leaving the loop early costs no request, and nothing is left open."""
    emulator.always(page("a", "b", has_more=True, cursor="x"), path="/things")
    async for _ in things(client):
        break
    assert len(emulator.requests) == 1
    assert client.stats().leased == 0


async def test_the_question_goes_along(emulator: Emulator, client: OpenRouter) -> None:
    """Filters stand in the request for every page, whatever the link says."""
    emulator.play(page("a", links={"next": "?offset=1"}), page("b", links={}), path="/things")
    listing = BY_OFFSET.walk(client._sender, fields={"include_disabled": True})
    assert len(await listing) == 2
    assert emulator.requests[1].query == {"include_disabled": "true", "offset": "1"}


async def test_a_page_tells_what_stands_beside(emulator: Emulator, client: OpenRouter) -> None:
    """The count and the rest of the answer can be read, and the repr is short."""
    emulator.play(page("a", total_count=7, meta={"as_of": "today"}), path="/things")
    taken = await things(client).page()
    assert (taken.total_count, taken.body.meta) == (7, ListMeta(as_of="today"))
    assert repr(taken) == "Page(1 items, total_count=7)"
    assert repr(things(client)) == "<list GET /things>"


async def test_a_server_that_knows_no_pages_ends(emulator: Emulator, client: OpenRouter) -> None:
    """The same page again is the end, not a loop without one."""
    emulator.always(page(*"abcdefghij"), path="/things")
    assert len(await things(client, BY_OFFSET)) == 10
    assert len(emulator.requests) == 2


async def test_a_full_page_without_a_count_has_another_after_it(
    emulator: Emulator, client: OpenRouter
) -> None:
    """How many rows a page has is the API's to choose: only one shorter than any page is the last."""
    emulator.play(page(*"abcdefghij"), page(*"klmnopqrst"), page("u", "v"), path="/things")
    assert len(await things(client, BY_OFFSET)) == 22
    queries = [request.query for request in emulator.requests]
    assert queries == [FIRST, {"offset": "10"}, {"offset": "20"}]


async def test_a_limit_says_how_short_the_last_page_is(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Pages as small as they were asked for are walked to the end."""
    emulator.play(apps(0, 2), apps(2, 4), apps(4, 5), path="/datasets/app-rankings")
    assert len(await client.datasets.apps(limit=2)) == 5
    assert len(emulator.requests) == 3


async def test_a_list_ends_where_the_api_goes_no_further(
    emulator: Emulator, client: OpenRouter
) -> None:
    """No offset is asked for that the call itself would refuse."""
    pages = [apps(start, start + 50) for start in (0, 50, 100)]
    emulator.play(*pages, path="/datasets/app-rankings")
    assert len(await client.datasets.apps()) == 150
    offsets = [request.query.get("offset") for request in emulator.requests]
    assert offsets == [None, "50", "100"]


@pytest.mark.parametrize("link", ["https://evil.example/api/v1/things?offset=1", "//evil.example/"])
async def test_a_link_to_elsewhere_is_not_followed(
    emulator: Emulator, client: OpenRouter, link: str
) -> None:
    """The key goes to no host that an answer names."""
    emulator.play(page("a", links={"next": link}), path="/things")
    with pytest.raises(ProtocolError, match=r"said to be at evil\.example"):
        await things(client)


async def test_what_is_no_list_is_an_error(emulator: Emulator, client: OpenRouter) -> None:
    """An error inside a 200, a body without rows and an error status are told apart."""
    said = {"error": {"message": "Gone fishing", "code": 503}}
    emulator.play(
        replay(json.dumps(said).encode(), content_type="application/json"),
        replay(b'{"rows": []}', content_type="application/json"),
        replay(b'{"data": null}', content_type="application/json"),
        http_error(404, "No such list"),
        path="/things",
    )
    with pytest.raises(StreamAPIError, match="Gone fishing"):
        await things(client)
    with pytest.raises(ProtocolError, match="the answer has no data"):
        await things(client)
    assert await things(client) == []
    with pytest.raises(NotFoundError, match="No such list"):
        await things(client)


async def test_odd_rows_hide_no_others(emulator: Emulator, client: OpenRouter) -> None:
    """A row whose shape surprises comes through with what makes sense of it."""
    body = b'{"data": [{"hash": "a", "limit": "5"}, 7, {"hash": "b", "disabled": "x"}]}'
    emulator.play(replay(body, content_type="application/json"), path="/things")
    assert [(row.hash, row.limit, row.disabled) for row in await things(client)] == [
        ("a", 5.0, None),
        ("b", None, None),
    ]
