"""Ordinary user code, which type checkers must accept as it is: no cast, no ignore, no `Any`.

`test_user_code` runs every function whose name starts with `ask_`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from openrouter_async import ChatCompletion, Message, OpenRouter
from openrouter_async.types import (
    AssistantMessage,
    ChatParams,
    FunctionTool,
    ImagePart,
    ImageURL,
    MaxPrice,
    MessageParam,
    Plugin,
    ProviderRouting,
    Reasoning,
    RequestTool,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
    WebPlugin,
    WebSearchTool,
)


async def ask_in_a_loop(client: OpenRouter) -> ChatCompletion:
    """Messages grow in a list of plain dicts."""
    messages: list[dict[str, str]] = []
    for question in ("one", "two"):
        messages.append({"role": "user", "content": question})
        completion = await client.complete(messages)
        messages.append({"role": "assistant", "content": completion.text})
    return await client.complete(messages)


async def ask_in_an_inferred_list(client: OpenRouter) -> ChatCompletion:
    """A list whose type nobody wrote."""
    messages = [{"role": "system", "content": "Be brief."}]
    messages += [{"role": "user", "content": text} for text in ("a", "b")]
    return await client.complete(messages, temperature=0, max_tokens=20)


async def ask_with_parts(client: OpenRouter) -> ChatCompletion:
    """Text and an image in plain dicts, written in place."""
    return await client.complete(
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:,x", "detail": "low"}},
                ],
            }
        ]
    )


async def ask_from_json(client: OpenRouter) -> ChatCompletion:
    """Messages and options from a file."""
    saved = json.loads('{"messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5}')
    return await client.complete(saved["messages"], temperature=saved["temperature"])


async def ask_from_a_database(client: OpenRouter) -> ChatCompletion:
    """Rows become messages."""
    with sqlite3.connect(":memory:") as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("select 'user' as role, 'Hi' as content").fetchall()
    database.close()
    history = [{"role": str(row["role"]), "content": str(row["content"])} for row in rows]
    return await client.complete([{"role": "system", "content": "s"}, *history])


@dataclass
class Turn:
    """A turn as an application keeps it."""

    speaker: str
    text: str


async def ask_from_records(client: OpenRouter) -> ChatCompletion:
    """An application's own records become message structs or dicts, whichever is at hand."""

    def written(turns: Iterable[Turn]) -> list[MessageParam]:
        messages: list[MessageParam] = [SystemMessage(content="s")]
        for turn in turns:
            if turn.speaker == "me":
                messages.append(UserMessage(content=turn.text))
            else:
                messages.append({"role": "assistant", "content": turn.text})
        return messages

    return await client.complete(written([Turn("me", "Hi"), Turn("it", "Hello")]))


class Said(TypedDict):
    """A message as a TypedDict of the user's."""

    role: str
    content: str


async def ask_with_typed_dicts(client: OpenRouter) -> ChatCompletion:
    """TypedDicts are mappings too."""
    said: list[Said] = [{"role": "user", "content": "Hi"}]
    return await client.complete(said)


async def ask_with_structs(client: OpenRouter) -> ChatCompletion:
    """Structs in structs, and a list of one kind of struct."""
    questions = [UserMessage(content="a"), UserMessage(content="b")]
    await client.complete(questions)
    picture = ImagePart(image_url=ImageURL(url="data:,x"))
    return await client.complete(
        [
            UserMessage(
                content=[TextPart(text="What is this?"), picture, {"type": "text", "text": "?"}]
            )
        ]
    )


async def ask_with_tools(client: OpenRouter) -> ChatCompletion:
    """Tool schemas as dicts, a list that is extended, and the second turn."""
    tools = [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "The weather in a city.",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            },
        }
    ]
    messages: list[MessageParam] = [{"role": "user", "content": "Weather?"}]
    first = await client.complete(messages, tools=tools, tool_choice="auto")
    messages.append(first.message)
    for call in first.tool_calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})
        messages.append(ToolMessage(tool_call_id=call.id, content="sunny"))
    messages.append(AssistantMessage(content=None, tool_calls=first.tool_calls))
    mixed: list[RequestTool] = [WebSearchTool(), FunctionTool(function={"name": "f"})]
    await client.complete("Hi", tools=mixed)
    return await client.complete(messages, tools=[*mixed, *tools], parallel_tool_calls=False)


async def ask_with_routing(client: OpenRouter) -> ChatCompletion:
    """Structured options as dicts, as structs, and from a function."""
    await client.complete("Hi", provider={"order": ["a"]}, reasoning={"effort": "low"})
    await client.complete("Hi", provider={"sort": {"by": "price", "partition": "none"}})
    await client.complete(
        "Hi", models=["openai/gpt-4o-mini", "openrouter/auto"], plugins=[{"id": "web"}]
    )
    plugins: list[Plugin] = [WebPlugin(max_results=3)]
    routing = ProviderRouting(order=["a"], sort="price", max_price=MaxPrice(prompt=1))
    routing.zdr = True
    return await client.complete(
        "Hi",
        plugins=plugins,
        provider=routing,
        reasoning=Reasoning(effort="minimal", exclude=True),
        response_format={"type": "json_object"},
        modalities=["text"],
        stop=["a", "b"],
        response_cache=True,
    )


async def ask_with_shared_parameters(client: OpenRouter) -> ChatCompletion:
    """Parameters that several calls share, in one variable."""
    params: ChatParams = {"temperature": 0.5, "provider": {"order": ["a"]}, "stop": "x"}
    if client:
        params["max_tokens"] = 10
    return await client.complete("Hi", model="openai/gpt-4o-mini", **params)


async def ask_through_a_function_of_ones_own(client: OpenRouter) -> ChatCompletion:
    """A wrapper with a default passes everything else on."""

    async def ask(question: str, tier: str | None = None, effort: str = "low") -> ChatCompletion:
        options: Mapping[str, str] = {"effort": effort}
        return await client.complete(question, service_tier=tier, reasoning=options)

    return await ask("Hi")


async def ask_and_go_on(client: OpenRouter) -> ChatCompletion:
    """An answer's message is the next request's history."""
    history: list[Message] = [(await client.complete("Hi")).message]
    return await client.complete([*history, {"role": "user", "content": "And?"}])
