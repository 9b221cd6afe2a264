"""openai-python over its default transport, httpx."""

import httpx2
import openai
from _reading import run

MESSAGES = [{"role": "user", "content": "x"}]


def client_for(url):
    """A client that may hold all streams at once."""
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    http = openai.DefaultAsyncHttpxClient(limits=limits)
    return openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http)


async def one(client):
    """Read a stream."""
    count = 0
    stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    async for chunk in stream:
        delta = chunk.choices[0].delta
        count += bool(delta.content or delta.tool_calls or getattr(delta, "images", None))
    return count


async def close(client):
    """Close it."""
    await client.close()


if __name__ == "__main__":
    run(client_for, one, close)
