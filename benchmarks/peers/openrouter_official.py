"""OpenRouter's official SDK."""

from _reading import run
from openrouter import OpenRouter

MESSAGES = [{"role": "user", "content": "x"}]


def client_for(url):
    """A client."""
    return OpenRouter(api_key="k", server_url=url)


async def one(client):
    """Read a stream."""
    count = 0
    stream = await client.chat.send_async(model="m", messages=MESSAGES, stream=True)
    async with stream as events:
        async for chunk in events:
            delta = chunk.choices[0].delta
            count += bool(delta.content or delta.tool_calls or getattr(delta, "images", None))
    return count


if __name__ == "__main__":
    run(client_for, one)
