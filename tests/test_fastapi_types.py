"""The wire structs in a real FastAPI application: body, answer, field of a model, description."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import pytest
import uvicorn
from fastapi import Body, FastAPI

from openrouter_async import ChatCompletion, Message, OpenRouter, Usage
from openrouter_async.errors import UnprocessableEntityError
from openrouter_async.types import Choice, ContentPart, GenerationRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "a_kind_to_come", "a_kind_to_come": {"x": [1]}}],
    "reasoning_details": [{"type": "reasoning.to_come", "beads": [1, None]}],
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    "annotations": [{"type": "to_come", "y": 2}],
    "a_field_to_come": {"z": None},
}


class Envelope(pydantic.BaseModel):
    """A pydantic model with our structs in it."""

    message: Message
    earlier: list[Message] = []
    usage: Usage | None = None


def application() -> FastAPI:
    """An application that takes and gives our structs."""
    app = FastAPI()

    @app.post("/answer")
    async def answer(message: Annotated[Message, Body()]) -> ChatCompletion:
        return ChatCompletion(id="gen-1", choices=[Choice(message=message)])

    @app.post("/messages")
    async def messages(messages: list[Message]) -> list[Message]:
        return messages[::-1]

    @app.post("/envelope")
    async def envelope(envelope: Envelope) -> Envelope:
        return envelope

    return app


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The application under uvicorn on a loopback socket; its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(), log_level="critical", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


async def post(server: str, path: str, body: object) -> Any:
    """Send JSON with our own client and give what came back."""
    async with OpenRouter("", base_url=server) as client:
        return await client.request("POST", path, json=body, type=object)


async def test_a_struct_is_a_body_and_an_answer(server: str) -> None:
    """A message goes through an endpoint and loses nothing, unknown kinds and fields included."""
    answer = await post(server, "/answer", MESSAGE)
    assert answer == {"id": "gen-1", "choices": [{"index": 0, "message": MESSAGE}]}
    assert ChatCompletion.from_dict(answer).message.to_dict() == MESSAGE


async def test_lists_and_models_hold_structs(server: str) -> None:
    """A list of structs is a body, and a pydantic model holds structs in any field."""
    other = {"role": "assistant", "content": "b"}
    assert await post(server, "/messages", [MESSAGE, other]) == [other, MESSAGE]
    sent = {"message": other, "earlier": [MESSAGE], "usage": {"prompt_tokens": 1, "cost": 0.5}}
    got = await post(server, "/envelope", sent)
    assert got["message"] == other
    assert got["earlier"] == [MESSAGE]
    assert Usage.from_dict(got["usage"]) == Usage(prompt_tokens=1, cost=0.5)


async def test_what_is_no_object_is_a_validation_error(server: str) -> None:
    """FastAPI answers 422 to a body that is no object, and says which struct it is not."""
    with pytest.raises(UnprocessableEntityError, match="Message must be an object"):
        await post(server, "/answer", [1])


def test_the_description_has_no_loose_ends() -> None:
    """The OpenAPI document describes the fields of the wire, and none of ours."""
    document = json.dumps(application().openapi())
    assert '"reasoning_details"' in document
    assert '"(' not in document
    for name in ("open_tool_calls", "arrival"):
        assert f'"{name}"' not in document


@pytest.mark.parametrize("kind", [Message, ChatCompletion, ContentPart, Usage, GenerationRecord])
def test_pydantic_reads_writes_and_describes(kind: type[Any]) -> None:
    """A type adapter takes plain data, JSON and the struct itself, and gives plain data back."""
    adapter = pydantic.TypeAdapter[Any](kind)
    value = adapter.validate_python({})
    assert value == kind() == adapter.validate_json("{}")
    assert adapter.validate_python(value) is value
    assert adapter.dump_python(value) == value.to_dict()
    assert json.loads(adapter.dump_json(value)) == value.to_dict()
    schema = adapter.json_schema()
    assert schema["type"] == "object"
    assert "additionalProperties" not in schema
