"""What others read the same streams with: each peer's packages, kept in an environment of its own.

What may live here: which peers there are, how their environments are made, and nothing of what is
measured. The environments are made anew with `--upgrade`, and otherwise kept in `.peers`, which git
does not see; one that was not finished is removed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".peers"
_STAMP = "made.json"


class NotMadeError(Exception):
    """An environment could not be made; says of which packages, and why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Packages that are installed together, and apart from all others."""

    name: str
    packages: tuple[str, ...]
    shown: str  # the distribution whose version is told

    @property
    def python(self) -> Path:
        """Its interpreter."""
        folder, file = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        return CACHE / self.name / folder / file

    def versions(self) -> dict[str, str]:
        """What is installed in it, name by name."""
        found: dict[str, str] = json.loads((CACHE / self.name / _STAMP).read_text("utf-8"))
        return found


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to read a stream that is not ours.

    Attributes:
        label: How tables and charts name it.
        script: Its file in `peers/`, without `.py`.
        environment: Where its packages are.
        cold: What a program does before its first request: import, and make a client.
        dialect: The wire form that it reads.
    """

    label: str
    script: str
    environment: Environment
    cold: str
    dialect: str = "chat"


_OPENAI = Environment("openai", ("openai[aiohttp]>=3",), "openai")
PEERS = {
    "openai": Peer(
        "openai, httpx", "openai_httpx", _OPENAI, "import openai; openai.AsyncOpenAI(api_key='k')"
    ),
    "openai-aiohttp": Peer(
        "openai, aiohttp",
        "openai_aiohttp",
        _OPENAI,
        "import openai; openai.AsyncOpenAI(api_key='k', http_client=openai.DefaultAioHttpClient())",
    ),
    "openrouter": Peer(
        "openrouter (official)",
        "openrouter_official",
        Environment("openrouter", ("openrouter",), "openrouter"),
        "import openrouter; openrouter.OpenRouter(api_key='k')",
    ),
    "litellm": Peer(
        "litellm",
        "litellm_completion",
        Environment("litellm", ("litellm",), "litellm"),
        "import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; import litellm",
    ),
    "pydantic-ai": Peer(
        "pydantic-ai",
        "pydantic_ai_direct",
        Environment("pydantic-ai", ("pydantic-ai-slim[openai]",), "pydantic-ai-slim"),
        "import pydantic_ai.direct; from pydantic_ai.models.openai import OpenAIChatModel; "
        "from pydantic_ai.providers.openai import OpenAIProvider; "
        "OpenAIChatModel('m', provider=OpenAIProvider(api_key='k'))",
    ),
    "anthropic": Peer(
        "anthropic",
        "anthropic_messages",
        Environment("anthropic", ("anthropic",), "anthropic"),
        "import anthropic; anthropic.AsyncAnthropic(api_key='k')",
        "messages",
    ),
}
CHARTS = Environment("charts", ("matplotlib",), "matplotlib")


def make(environment: Environment, *, upgrade: bool = False) -> None:
    """Make an environment that is not there yet, and say so.

    Args:
        environment: Which.
        upgrade: Make it anew, with the newest versions, also where it is there.

    Raises:
        NotMadeError: It could not be made.
    """
    folder = CACHE / environment.name
    if (folder / _STAMP).exists() and not upgrade:
        return
    shutil.rmtree(folder, ignore_errors=True)
    print(f"an environment with {', '.join(environment.packages)} ... ", end="", flush=True)
    began = time.monotonic()
    whole = False
    try:
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(environment.python), "-m", "pip", "--disable-pip-version-check"]
        _run([*pip, "install", "--quiet", *environment.packages])
        listed = json.loads(_run([*pip, "list", "--format", "json"]))
        versions = {one["name"]: one["version"] for one in listed}
        (folder / _STAMP).write_text(json.dumps(versions), "utf-8")
        whole = True
    finally:  # also where the terminal interrupts it
        if not whole:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{versions.get(environment.shown)} in {time.monotonic() - began:.0f} s", flush=True)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise NotMadeError("\n".join(told))
    return done.stdout
