"""How a real `moos serve` ends, with an answer under way that never does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from moosproxy.proxy.bench.sides import free_port, serve_command
from tests.proxy.live import Exchange, ScriptedUpstream
from tests.proxy.wire import ask, chat, connected, fresh, raw_request, read_head, read_response

pytestmark = pytest.mark.slow


@contextmanager
def serving(
    folder: Path, url: str, *more: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    file, port = folder / "moos.yaml", free_port()
    file.write_text(f"upstreams: {{main: {{kind: openai, base_url: '{url}'}}}}\n")
    clean = {"PATH": "/usr/bin:/bin", "MOOS_COMPRESSOR": "off", "MOOS_UNREADY_S": "0.8", **environment}
    clean["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    command = [*serve_command(port, *more), "--config", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait(10)


async def up(port: int) -> None:
    for _ in range(300):
        with suppress(OSError, asyncio.IncompleteReadError):
            if (await ask(port, b"", "/healthz", "GET")).status == 200:
                return
        await asyncio.sleep(0.1)
    raise AssertionError("it did not start")


async def endless(exchange: Exchange) -> None:
    await exchange.head(200, ("content-type", "text/event-stream"))
    with suppress(ConnectionError):
        while True:
            await exchange.send(b"data: {}\n\n")
            await asyncio.sleep(0.05)
    raise ConnectionError


async def ended(process: subprocess.Popen[bytes], within_s: float) -> float:
    began = time.monotonic()
    await asyncio.to_thread(process.wait, within_s)
    return time.monotonic() - began


async def test_unready_then_closed_to_new_connections_then_bounded_by_the_drain(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    word = fresh("endless")
    upstream.scripts[word] = endless
    with serving(tmp_path, upstream.url, MOOS_DRAIN_S="2") as (process, port):
        await up(port)
        async with connected(port) as (reader, writer):
            writer.write(raw_request("/v1/chat/completions", json.dumps(chat(word, stream=True)).encode()))
            assert (await read_head(reader))[0] == 200
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            unready = await ask(port, b"", "/readyz", "GET")
            served = await ask(port, chat(fresh("late")))
            await asyncio.sleep(1.2)
            with pytest.raises(ConnectionError):
                await ask(port, b"", "/readyz", "GET")
            assert await reader.read(65536)  # the stream goes on
            assert process.poll() is None
            took = await ended(process, 15)

    assert (unready.status, unready.json()["status"]) == (503, "unready")
    assert served.status == 200
    assert took < 6


async def test_an_answer_under_way_is_finished(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    word = fresh("finishes")

    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(2.5)
        await exchange.reply(200, b'{"done": true}')

    upstream.scripts[word] = slow
    with serving(tmp_path, upstream.url, MOOS_UNREADY_S="0") as (process, port):
        await up(port)
        async with connected(port) as (reader, writer):
            writer.write(raw_request("/v1/chat/completions", json.dumps(chat(word)).encode()))
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            answer = await asyncio.wait_for(read_response(reader), 10)
        await ended(process, 10)

    assert answer.json() == {"done": True}


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(
    upstream: ScriptedUpstream, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    word = fresh("endless")
    upstream.scripts[word] = endless
    with serving(tmp_path, upstream.url, "--workers", workers, MOOS_DRAIN_S="60") as (process, port):
        await up(port)
        async with connected(port) as (reader, writer):
            writer.write(raw_request("/v1/chat/completions", json.dumps(chat(word, stream=True)).encode()))
            assert (await read_head(reader))[0] == 200
            process.send_signal(number)
            await asyncio.sleep(2)
            assert process.poll() is None
            process.send_signal(number)

            assert await ended(process, 20) < 3
