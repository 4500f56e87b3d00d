"""Ten thousand requests to two workers while ledger and log have no room, a lock is held, a worker is killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.proxy.ledger.ledgers import rows
from tests.proxy.wire import chat

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AT_ONCE = 24


@asynccontextmanager
async def served(place: Path) -> AsyncIterator[tuple[psutil.Process, str]]:
    """`moos serve` with two workers and an upstream that answers by itself."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "moosproxy.proxy.commands.cli",
        "serve",
        "--port",
        str(port),
        "--workers",
        "2",
    ]
    own = {"MOOS_LEDGER": str(place), "MOOS_COMPRESSOR": "off", "MOOS_STATE_DIR": str(place.parent)}
    log = (place.parent / "log").open("wb")
    process = subprocess.Popen(  # noqa: ASYNC220 - begun before anything waits
        command, env={**os.environ, **own}, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _up(url)
        yield psutil.Process(process.pid), url
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)
        log.close()


async def _up(url: str) -> None:
    for _ in range(600):
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.1)
    raise AssertionError("the proxy does not start")


def workers(process: psutil.Process) -> list[psutil.Process]:
    """Those that serve; not what Python starts beside them to watch over shared things."""
    return [
        child for child in process.children(recursive=True) if "resource_tracker" not in " ".join(child.cmdline())
    ]


async def some(url: str, count: int, seen: Counter[object]) -> None:
    """Requests side by side, each on a connection of a pool."""
    left = iter(range(count))
    async with aiohttp.ClientSession() as session:

        async def one_after_the_other() -> None:
            for number in left:
                try:
                    async with session.post(
                        f"{url}/v1/chat/completions", json=chat("echo", f"{number}")
                    ) as answer:
                        await answer.read()
                        seen[answer.status] += 1
                except aiohttp.ClientError:
                    seen["cut"] += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def until(place: Path, count: int) -> int:
    """Rows, once there are so many; what there is after some seconds."""
    for _ in range(100):
        if (found := len(rows(place))) >= count:
            return found
        await asyncio.sleep(0.2)
    return len(rows(place))


async def test_no_request_fails_and_only_a_killed_worker_takes_rows_with_it(tmp_path: Path) -> None:
    place, seen = tmp_path / "ledger.sqlite", Counter[object]()
    async with served(place) as (process, url):
        await some(url, 2000, seen)
        with sqlite3.connect(place, isolation_level=None, check_same_thread=False) as other:
            other.execute("BEGIN EXCLUSIVE")
            await some(url, 2000, seen)
            other.execute("COMMIT")
        for worker in workers(process):
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        await some(url, 2000, seen)
        for worker in workers(process):
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert seen == {200: 6000}
        assert await until(place, 6000) == 6000

        victim = workers(process)[-1]
        running = asyncio.create_task(some(url, 4000, seen))
        await asyncio.sleep(1.5)
        victim.kill()
        await running
        there = await until(place, 10_000 - seen["cut"])

    assert seen[200] + seen["cut"] == 10_000
    assert seen["cut"] <= AT_ONCE
    assert 6000 < there <= 10_000
    assert 10_000 - there <= 4000 * 0.75  # a second or two of one of two workers
