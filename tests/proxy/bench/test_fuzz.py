"""The fuzz bench sends what its seed says, and sees what a server must not do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from click.testing import CliRunner

from moosproxy.proxy.bench.fuzz.command import bench_fuzz
from moosproxy.proxy.bench.fuzz.requests import case
from moosproxy.proxy.bench.fuzz.sender import Outcome, send_all

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def fuzzed(answer: Answering, count: int = 20) -> Outcome:
    """What the bench says of a server that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await send_all(port, 1, range(count), 4, 0.3)
        await asyncio.sleep(0.2)  # what the clients have left is closed here, too
        return outcome


def test_a_seed_stands_for_its_requests() -> None:
    assert [case(1, number) for number in range(50)] == [case(1, number) for number in range(50)]
    assert case(1, 3) != case(2, 3)


def test_every_door_and_every_kind_of_framing_comes_up() -> None:
    cases = [case(7, number) for number in range(400)]

    assert len({one.door for one in cases}) > 15
    assert {one.whole for one in cases} == {True, False}
    assert any(b"chunked" in one.pieces[0] for one in cases)
    assert any(b"x-moos-" in one.pieces[0] for one in cases)


async def test_an_answer_of_5xx_is_an_offence() -> None:
    async def fail(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    outcome = await fuzzed(fail)

    assert outcome.answers["500"] + outcome.answers["reset"] == outcome.sent == 20
    assert len(outcome.offences) == outcome.answers["500"] > 0


async def test_silence_is_a_hang() -> None:
    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    outcome = await fuzzed(wait, 4)

    assert {answer for _, answer in outcome.offences} == {"hang"}
    assert len(outcome.offences) == 4


@pytest.mark.slow
def test_two_hundred_hostile_requests_do_no_harm() -> None:
    result = CliRunner().invoke(bench_fuzz, ["--bodies", "200", "--seed", "11", "--workers", "1"])

    assert result.exit_code == 0, result.output
    summary = json.loads(result.output.splitlines()[-1])
    assert summary["sent"] == 200 and summary["alive"] and not summary["offences"]
    assert summary["answers"]["200"] > 20 and summary["answers"]["400"] > 20
