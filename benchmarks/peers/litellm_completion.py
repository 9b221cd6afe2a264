"""LiteLLM's `acompletion`."""

import logging
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a price list meanwhile

import litellm
from _reading import run

MESSAGES = [{"role": "user", "content": "x"}]
litellm.suppress_debug_info = True
logging.disable(logging.CRITICAL)


def client_for(url):
    """LiteLLM has no client: the address goes with each call."""
    return url


async def one(url):
    """Read a stream."""
    count = 0
    stream = await litellm.acompletion(
        model="openrouter/m", messages=MESSAGES, stream=True, api_base=url, api_key="k"
    )
    async for chunk in stream:
        delta = chunk.choices[0].delta
        count += bool(delta.content or delta.tool_calls or getattr(delta, "images", None))
    return count


if __name__ == "__main__":
    run(client_for, one)
