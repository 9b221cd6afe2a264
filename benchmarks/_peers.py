"""The other clients, each in an environment of its own, in their newest versions.

The rule of this file: what is installed is kept in one folder that git ignores, and installed anew
when it is a week old or when what is asked for has changed. Their pins conflict, so they are never
together.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

CACHE = Path(__file__).resolve().parent / ".cache"
WEEK = 7 * 24 * 3600

# What each client's environment has; those that are not named live in this one.
REQUIREMENTS = {
    "openai (httpx)": ("openai", "openai[aiohttp]"),
    "openai (aiohttp)": ("openai", "openai[aiohttp]"),
    "openrouter": ("openrouter", "openrouter"),
    "litellm": ("litellm", "litellm"),
    "pydantic-ai": ("pydantic-ai-slim", "pydantic-ai-slim[openrouter]"),
    "anthropic": ("anthropic", "anthropic"),
}
CHART = ("matplotlib", "matplotlib")


class InstallError(RuntimeError):
    """An environment could not be made, or does not work."""


def python_of(client: str) -> str:
    """Give the interpreter that has a client."""
    if client not in REQUIREMENTS:
        return sys.executable
    return str(environment(*REQUIREMENTS[client]))


def environment(name: str, requirement: str) -> Path:
    """Make the environment of a package, or find it; give its interpreter.

    Raises:
        InstallError: It could not be installed.
    """
    folder = CACHE / name
    python = folder / "bin" / "python"
    stamp = folder / "stamp.json"
    made = {"requirement": requirement, "python": sys.version}
    if stamp.exists():
        known = json.loads(stamp.read_text())
        if known.pop("at") > time.time() - WEEK and known == made:
            return python
    print(f"making the environment of {requirement} ...", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    venv.create(folder, with_pip=True, symlinks=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, requirement], capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise InstallError(f"{requirement} could not be installed: {done.stderr.strip()[-300:]}")
    stamp.write_text(json.dumps(made | {"at": time.time()}))
    return python


def versions(client: str) -> dict[str, str]:
    """Give the versions of what a client is made of."""
    names = ["aiohttp", "httpx", "httpx2", "msgspec", "pydantic", "uvloop"]
    own = REQUIREMENTS[client][0] if client in REQUIREMENTS else "openrouter-async"
    code = (
        "import importlib.metadata as m, json, sys\n"
        "found = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(
        [python_of(client), "-c", code, own, *names], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


IMPORTS = {
    "floor": "import aiohttp, msgspec",
    "typed": "import openrouter_async; openrouter_async.OpenRouter('k')",
    "openai (httpx)": "import openai; openai.AsyncOpenAI(api_key='k')",
    "openai (aiohttp)": (
        "import openai; openai.AsyncOpenAI(api_key='k', http_client=openai.DefaultAioHttpClient())"
    ),
    "openrouter": "import openrouter; openrouter.OpenRouter(api_key='k').chat",
    "litellm": "import litellm; litellm.acompletion",
    "pydantic-ai": (
        "from pydantic_ai import Agent\n"
        "from pydantic_ai.models.openrouter import OpenRouterModel\n"
        "from pydantic_ai.providers.openrouter import OpenRouterProvider\n"
        "Agent(OpenRouterModel('x-ai/grok-4', provider=OpenRouterProvider(api_key='k')))"
    ),
    "anthropic": "import anthropic; anthropic.AsyncAnthropic(api_key='k')",
}
NO_NETWORK_YET = "; import sys; assert 'aiohttp' not in sys.modules"


def importing(client: str | None) -> dict[str, float]:
    """Measure a process that imports a client and makes its first; None for a bare one."""
    code = "pass" if client is None else IMPORTS[client]
    if client == "typed":
        code += NO_NETWORK_YET
    python = sys.executable if client is None else python_of(client)
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    # Installed libraries have their bytecode; whoever has none yet writes it in the round that
    # is not counted.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    command = [python, "-c", code]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InstallError(f"importing {client} failed")
    return {
        "count": 1,
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - began,
    }
