"""anthropic's SDK, on its own wire form."""

import anthropic
from _reading import run

MESSAGES = [{"role": "user", "content": "x"}]


def client_for(url):
    """A client."""
    return anthropic.AsyncAnthropic(api_key="k", base_url=url)


async def one(client):
    """Read a stream."""
    count = 0
    stream = await client.messages.create(model="m", messages=MESSAGES, max_tokens=100, stream=True)
    async for event in stream:
        count += event.type == "content_block_delta"
    return count


async def close(client):
    """Close it."""
    await client.close()


if __name__ == "__main__":
    run(client_for, one, close)
