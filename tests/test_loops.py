"""One client over several event loops, threads and processes, tidied up or forgotten."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openrouter_async import Limits, OpenRouter
from openrouter_async.testing import Emulator, chat
from tests.quiet import KEY, assert_nothing_leased, open_sockets, silence

ROOT = Path(__file__).parent.parent
ANSWER = chat("Hel", "lo")
UNFINISHED = chat("a", "b").stall_after(1)


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator in a thread of its own."""
    with Emulator.in_thread() as emulator:
        emulator.always(ANSWER)
        yield emulator


async def use(client: OpenRouter, times: int = 2) -> None:
    """Stream a few times over one connection."""
    for _ in range(times):
        assert "".join([text async for text in client.stream("Hi", model="m").text()]) == "Hello"


def all_closed(emulator: Emulator) -> bool:
    """Whether the server has no connection any more."""
    return emulator.open_connections == 0


# Event loops.


def test_one_client_over_three_runs(server: Emulator) -> None:
    """Each asyncio.run gets a pool of its own, which goes with its loop."""
    client = OpenRouter(KEY, base_url=server.base_url)
    sockets = open_sockets()
    with silence():
        for count in range(1, 4):
            asyncio.run(use(client))
            server.block_until(lambda: all_closed(server))
            server.block_until(lambda: open_sockets() == sockets)
            assert server.connections == count
            assert client.stats().loops == 0
    assert_nothing_leased(client)


def test_one_client_in_eight_threads(server: Emulator) -> None:
    """Threads with loops of their own share a client, and none disturbs another."""
    client = OpenRouter(KEY, base_url=server.base_url)
    sockets = open_sockets()
    barrier = threading.Barrier(8)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            barrier.wait(10)
            for _ in range(5):
                asyncio.run(use(client))
        except BaseException as error:
            failures.append(error)

    with silence():
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert server.connections == 40
    server.block_until(lambda: all_closed(server))
    server.block_until(lambda: open_sockets() == sockets)
    assert client.stats().loops == 0


async def left(emulator: Emulator, count: int) -> None:
    """Wait until the server has seen so many clients go."""
    await emulator.wait_for(lambda: emulator.disconnects == count)


def uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The other event loop, where it is installed."""
    return pytest.importorskip("uvloop").new_event_loop  # type: ignore[no-any-return]


def test_uvloop(server: Emulator) -> None:
    """Under uvloop streams are read and left, and connections used again and closed."""
    client = OpenRouter(KEY, base_url=server.base_url, limits=Limits(max_connections=2))

    async def main() -> None:
        with silence(asyncio.get_running_loop()):
            await use(client, 10)
            assert server.connections == 1
            server.always(UNFINISHED)
            for count in range(1, 21):
                stream = client.stream("Hi", model="m")
                async for _ in stream:
                    break
                assert_nothing_leased(client)
                task = asyncio.create_task(client.complete("Hi", model="m"))
                await server.wait_for(lambda: client.stats().leased == 1)
                task.cancel()
                await asyncio.wait([task])
                assert_nothing_leased(client)
                await left(server, 2 * count)
            server.always(ANSWER)
            await use(client)

    with asyncio.Runner(loop_factory=uvloop_factory()) as runner:
        runner.run(main())
    server.block_until(lambda: all_closed(server))
    assert client.stats().loops == 0
    with asyncio.Runner(loop_factory=uvloop_factory()) as runner:
        runner.run(use(client))
    server.block_until(lambda: all_closed(server))


def use_and_close_a_loop(client: OpenRouter) -> None:
    """Run a loop and close it, without what asyncio.run does besides."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(use(client))
    loop.close()


# What asyncio says of a loop that is closed over open sockets is right, and is not about us.
@pytest.mark.filterwarnings("ignore:unclosed (transport|<socket):ResourceWarning")
def test_loop_that_was_closed_without_goodbye(server: Emulator) -> None:
    """A loop that is just closed, as old code does it, does not harm the next one."""
    client = OpenRouter(KEY, base_url=server.base_url)
    sockets = open_sockets()
    with silence():
        for _ in range(3):
            use_and_close_a_loop(client)
            assert_nothing_leased(client)
        asyncio.run(use(client))
        gc.collect()
    assert client.stats().loops == 0
    server.block_until(lambda: all_closed(server))
    server.block_until(lambda: open_sockets() == sockets)


def test_loop_that_was_closed_amid_a_stream(server: Emulator) -> None:
    """A stream that outlives its loop is closed without a word when it is dropped."""
    client = OpenRouter(KEY, base_url=server.base_url)
    sockets = open_sockets()
    server.always(UNFINISHED)

    async def begin() -> object:
        stream = await client.stream("Hi", model="m").start()
        await anext(stream)
        return stream

    with silence():
        kept = asyncio.run(begin())
        server.block_until(lambda: all_closed(server))
        del kept
        server.always(ANSWER)
        asyncio.run(use(client))
    server.block_until(lambda: all_closed(server))
    server.block_until(lambda: open_sockets() == sockets)
    assert_nothing_leased(client)


@pytest.mark.parametrize("collector", [True, False], ids=["collector on", "collector off"])
async def test_forgotten_client_closes_its_connections(server: Emulator, collector: bool) -> None:
    """A client that is dropped in a running loop closes its pool there, with no warning."""
    loop = asyncio.get_running_loop()
    sockets = open_sockets()
    gc.collect()
    with silence(loop):
        if not collector:
            gc.disable()
        try:
            client = OpenRouter(KEY, base_url=server.base_url)
            await use(client)
            assert server.open_connections == 1
            del client
            if collector:
                gc.collect()
            await server.wait_for(lambda: all_closed(server))
        finally:
            gc.enable()
    await server.wait_for(lambda: open_sockets() == sockets)


async def test_forgotten_client_amid_a_stream(server: Emulator) -> None:
    """A stream keeps its client's connection although the client itself is forgotten."""
    server.always(chat("a", "b").hold_after(1))
    client = OpenRouter(KEY, base_url=server.base_url)
    stream = client.stream("Hi", model="m")
    assert (await anext(stream)).text == "a"
    del client
    gc.collect()
    server.release()
    assert (await anext(stream)).text == "b"
    del stream
    await server.wait_for(lambda: all_closed(server))


def test_closing_from_another_loop(server: Emulator) -> None:
    """Closing a client in one thread closes the pool of another thread's loop, in that loop."""
    client = OpenRouter(KEY, base_url=server.base_url)
    used, closed = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    async def work() -> None:
        with silence(asyncio.get_running_loop()):
            await use(client)
            used.set()
            await server.wait_for(lambda: closed.is_set() and all_closed(server))
            with pytest.raises(RuntimeError, match="closed"):
                _ = client.stream("Hi")

    def run() -> None:
        try:
            asyncio.run(work(), debug=True)
        except BaseException as error:
            failures.append(error)
            used.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert used.wait(10)
    asyncio.run(client.aclose())
    closed.set()
    thread.join()
    assert failures == []
    assert client.stats().loops == 0


def test_stream_that_is_dropped_in_another_thread(server: Emulator) -> None:
    """The garbage collector may run anywhere: the connection is closed by its own loop."""
    server.always(UNFINISHED)
    client = OpenRouter(KEY, base_url=server.base_url)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with silence(loop):
            kept = [await client.stream("Hi", model="m").start()]
            await anext(kept[0])
            thread = threading.Thread(target=kept.clear)  # the last reference
            thread.start()
            thread.join()
            await server.wait_for(lambda: server.disconnects == 1)
            assert_nothing_leased(client)
            await client.aclose()

    asyncio.run(main(), debug=True)


# Processes.

FORK = hasattr(os, "fork")


def run_script(server: Emulator, script: str, *arguments: str) -> str:
    """Run a script in a strict interpreter: whatever it warns of is an error and is printed."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(script), *arguments],
        env={
            **os.environ,
            "OPENROUTER_API_KEY": KEY,
            "OPENROUTER_BASE_URL": server.base_url,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    # A debugging loop also tells of each slow step, which says more of the machine than of us.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert lines == []
    assert done.returncode == 0
    return done.stdout


SCRIPTS = {
    "with a block": """
        import asyncio
        from openrouter_async import OpenRouter

        async def main():
            async with OpenRouter() as client:
                async for chunk in client.stream("Hi", model="m"):
                    print(chunk.text, end="")

        asyncio.run(main())
    """,
    "without a block": """
        import asyncio
        from openrouter_async import OpenRouter

        async def main():
            client = OpenRouter()
            async for chunk in client.stream("Hi", model="m"):
                print(chunk.text, end="")

        asyncio.run(main())
    """,
    "a global client": """
        import asyncio
        from openrouter_async import OpenRouter

        client = OpenRouter()

        async def main():
            print((await client.complete("Hi", model="m")).text)

        asyncio.run(main())
    """,
    "several runs": """
        import asyncio
        from openrouter_async import OpenRouter

        client = OpenRouter()

        async def main():
            print((await client.complete("Hi", model="m")).text)

        for _ in range(3):
            asyncio.run(main())
    """,
    "left by break": """
        import asyncio
        from openrouter_async import OpenRouter

        async def main():
            client = OpenRouter()
            stream = client.stream("Hi", model="m")
            async for chunk in stream:
                print(chunk.text, end="")
                break
            print((await client.complete("Hi", model="m")).text[3:])

        asyncio.run(main())
    """,
    "left open at the end": """
        import asyncio
        from openrouter_async import OpenRouter

        client = OpenRouter()

        async def main():
            global stream
            stream = client.stream("Hi", model="m")
            await stream.start()
            print("Hello")

        asyncio.run(main())
    """,
    "left open by a task": """
        import asyncio
        from openrouter_async import OpenRouter

        client = OpenRouter()

        async def read():
            async for chunk in client.stream("Hi", model="m"):
                print("Hello")
                await asyncio.sleep(100)

        async def main():
            asyncio.create_task(read())
            while not client.stats().leased:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)

        asyncio.run(main())
    """,
    "closed at once": """
        import asyncio
        from openrouter_async import OpenRouter

        async def main():
            async with OpenRouter() as client:
                print((await client.complete("Hi", model="m")).text)

        for _ in range(2):
            asyncio.run(main())
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("held", [False, True], ids=["", "held"])
def test_script_ends_without_a_word(server: Emulator, name: str, held: bool) -> None:
    """Scripts that tidy up and scripts that do not print no warning in a strict interpreter."""
    if held:  # the server keeps every connection open behind [DONE]
        server.always(ANSWER.stall_after(ANSWER.events))
    assert "Hello" in run_script(server, SCRIPTS[name])
    server.block_until(lambda: all_closed(server))


FORKING = """
    import asyncio, os, sys, warnings
    import aiohttp
    from openrouter_async import OpenRouter

    how = sys.argv[1]
    client = OpenRouter()
    loop = asyncio.new_event_loop()

    async def use(text):
        for _ in range(3):
            assert (await client.complete(text, model="m")).text == "Hello"

    loop.run_until_complete(use("parent"))
    child = os.fork()
    if child == 0:
        assert client.stats().loops == 0
        asyncio.run(use("child"))
        if how == "_exit":
            os._exit(0)
        # The parent's loop is the parent's to close: what asyncio says of it is not meant here.
        warnings.filterwarnings("ignore", "unclosed event loop", ResourceWarning)
        sys.exit(0)
    loop.run_until_complete(use("parent"))
    assert os.waitpid(child, 0)[1] == 0
    loop.run_until_complete(use("parent"))
    assert client.stats().opened == 1
    loop.run_until_complete(client.aclose())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
"""


@pytest.mark.skipif(not FORK, reason="there is no fork on this system")
@pytest.mark.parametrize("how", ["_exit", "exit"])
def test_fork_with_a_warm_pool(server: Emulator, how: str) -> None:
    """Parent and child both go on, over connections of their own, whichever way the child ends."""
    run_script(server, FORKING, how)
    by_process: dict[str, set[int]] = {"parent": set(), "child": set()}
    for request in server.requests:
        by_process[request.json["messages"][0]["content"]].add(request.connection)
    assert len(server.requests) == 12
    assert len(by_process["parent"]) == len(by_process["child"]) == 1
    assert not by_process["parent"] & by_process["child"]
    server.block_until(lambda: all_closed(server))
    assert server.disconnects == 0


FORKING_IN_A_LOOP = """
    import asyncio, os, sys
    import aiohttp
    from openrouter_async import OpenRouter

    client = OpenRouter()

    async def use(text):
        for _ in range(3):
            assert (await client.complete(text, model="m")).text == "Hello"

    async def main():
        await use("parent")
        stream = client.stream("parent", model="m")
        await stream.start()
        child = os.fork()
        if child == 0:
            stream.close()  # that is the parent's to close, and must not disturb it
            del stream
            asyncio.run(use("child"))
            os._exit(0)
        assert (await stream).text == "Hello"
        await use("parent")
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            await asyncio.sleep(0.005)
        await use("parent")
        assert client.stats().opened == 1

    asyncio.run(main())
"""


@pytest.mark.skipif(not FORK, reason="there is no fork on this system")
def test_fork_amid_a_stream(server: Emulator) -> None:
    """A stream that is open when the process forks goes on in the parent alone."""
    server.always(ANSWER.each(0.01))
    run_script(server, FORKING_IN_A_LOOP)
    assert server.disconnects == 0
