"""openai-python over its other transport, aiohttp."""

import openai
from _reading import run
from openai_httpx import close, one


def client_for(url):
    """A client over aiohttp."""
    http = openai.DefaultAioHttpClient()
    return openai.AsyncOpenAI(api_key="k", base_url=url, http_client=http)


if __name__ == "__main__":
    run(client_for, one, close)
