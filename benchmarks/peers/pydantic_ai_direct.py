"""pydantic-ai's direct interface, which is its cheapest, over its model for OpenRouter."""

from _reading import run
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

MESSAGES = [ModelRequest.user_text_prompt("x")]


def client_for(url):
    """A model."""
    return OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))


async def one(model):
    """Read a stream."""
    count = 0
    async with model_request_stream(model, MESSAGES) as stream:
        async for event in stream:
            count += isinstance(event, (PartStartEvent, PartDeltaEvent))
    return count


if __name__ == "__main__":
    run(client_for, one)
