"""One job on a small Ray cluster, with our step and with Ray Data's own HTTP request stage.

    python -m benchmarks.ray_data [--rows N] [--seconds SECONDS]

Needs the extra ``ray`` with ``ray[llm]``'s HTTP stage, a cluster of this machine with two CPUs, and
the emulator, whose answers take `seconds`. Both get two actors. Told is how long it takes, how many
requests were paid for where an actor is killed in the middle, and what becomes of the rows where
one request is refused.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, Pause, chat, completion, http_error

KEY = "sk-or-v1-benchmark"
MODEL = "openai/gpt-4o-mini"
AT_ONCE = 64  # the batch of Ray's stage, which is its default; ours has as many under way


def ours(rows: Any, url: str, desk: Any) -> list[dict[str, Any]]:
    """Send with the step of this package."""
    from openrouter_async.integrations.ray import map_chats

    client = OpenRouter(KEY, base_url=url, model=MODEL)
    answers: list[dict[str, Any]] = map_chats(
        rows, client, desk=desk, template="{text}", at_once=AT_ONCE, actors=2
    ).take_all()
    return answers


def theirs(rows: Any, url: str, desk: Any) -> list[dict[str, Any]]:
    """Send with Ray Data's stage, for an answer in one piece, which is what it knows."""
    llm: Any = importlib.import_module("ray.data.llm")
    config = llm.HttpRequestProcessorConfig(
        url=f"{url}/chat/completions",
        headers={"Authorization": f"Bearer {KEY}"},
        qps=None,
        concurrency=2,
        batch_size=AT_ONCE,
    )

    def asked(row: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": "user", "content": row["text"]}]
        return {"payload": {"model": MODEL, "messages": messages}, "id": row["id"]}

    def answered(row: dict[str, Any]) -> dict[str, Any]:
        choices: Any = row["http_response"].get("choices")
        return {"id": row["id"], "answer": choices[0]["message"]["content"] if choices else None}

    processor = llm.build_processor(config, preprocess=asked, postprocess=answered)
    answers: list[dict[str, Any]] = processor(rows).take_all()
    return answers


def kill_one(emulator: Emulator, after: int) -> threading.Thread:
    """Kill one of the actors that send, when so many requests have come."""
    psutil: Any = importlib.import_module("psutil")

    def wait_and_kill() -> None:
        emulator.block_until(lambda: emulator.accepted >= after, timeout=300)
        for process in psutil.Process().children(recursive=True):
            name = " ".join(process.cmdline())
            # Of those that are at work; one of an earlier dataset may be there, idle.
            if "MapWorker(" in name and name.strip().endswith(".submit"):
                process.send_signal(signal.SIGKILL)
                return

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread


def run(name: str, send: Callable[..., list[dict[str, Any]]], count: int, seconds: float) -> None:
    """Measure one of them undisturbed, with a death, and with a refusal of two kinds."""
    from openrouter_async.integrations.ray import Desk

    data: Any = importlib.import_module("ray.data")
    items = [{"id": f"n{number}", "text": f"text {number}"} for number in range(count)]
    for trouble in ("none", "an actor dies", "a 400", "a 429"):
        rows = data.from_items(items, override_num_blocks=4)
        with Emulator.in_thread() as emulator:
            streamed = send is ours
            answer = chat("an", "swer") if streamed else completion("answer")
            emulator.always(answer.before_head(Pause(seconds)))
            if trouble in ("a 400", "a 429"):
                emulator.play(http_error(int(trouble[2:]), "not like that"))
            desk = Desk(f"{name} {trouble}") if streamed else None
            killer = kill_one(emulator, count // 2) if trouble == "an actor dies" else None
            began = time.perf_counter()
            said = ""
            answers: list[dict[str, Any]] = []
            try:
                answers = send(rows, emulator.base_url, desk)
            except Exception as error:  # noqa: BLE001  it is what is told
                said = f"the job failed: {type(error).__name__}"
            lasted = time.perf_counter() - began
            moments = [request.at for request in emulator.requests if request.method == "POST"]
            busy = moments[-1] - moments[0] + seconds
            if killer is not None:
                killer.join()
            if desk is not None:
                desk.close()
            texts = sum(row["answer"] == "answer" for row in answers)
            distinct = len({row["id"] for row in answers})
            print(
                f"{name:<8}{trouble:<16}{lasted:>7.1f} s in all, {busy:.1f} s from the first "
                f"request to the last answer, {len(moments) / busy:.1f} requests a second; "
                f"{distinct} rows, {texts} answers, {emulator.accepted} requests. {said}",
                flush=True,
            )


def main(count: int, seconds: float, only: str | None) -> None:
    """Run both, or one of them."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "OPENROUTER_API_KEY": KEY,
    }
    ray: Any = importlib.import_module("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        importlib.import_module("ray.data").DataContext.get_current().enable_progress_bars = False
        for name, send in (("ours", ours), ("theirs", theirs)):
            if only in (None, name):
                run(name, send, count, seconds)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=0.2, help="what an answer takes")
    parser.add_argument("--only", choices=("ours", "theirs"))
    given = parser.parse_args()
    main(given.rows, given.seconds, given.only)
