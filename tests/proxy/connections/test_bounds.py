"""What a caller cannot make the proxy hold, over real connections, and what others feel of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import Response, ask, chat, connected, fresh, raw_request, read_response

MIB = 1024 * 1024
QUICK = Settings(
    max_body_bytes=2 * MIB,
    max_bytes_in_flight=3 * MIB,
    head_timeout_s=0.6,
    idle_timeout_s=1.5,
    body_timeout_s=0.6,
    write_timeout_s=1.0,
    max_connections=20,
)


@pytest.fixture(scope="module")
def quick(policy_set: PolicySet) -> Iterator[LiveProxy]:
    """A proxy whose bounds are near."""
    with LiveProxy(create_app(QUICK, policy_set, FakeCompressor())) as live:
        yield live


async def flood(port: int, head: bytes, piece: bytes, pieces: int) -> Response:
    """Sends a head and pieces until they are all sent or an answer has come."""
    async with connected(port) as (reader, writer):
        writer.write(head)
        answer = asyncio.create_task(read_response(reader))
        with suppress(ConnectionError):
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
                if answer.done():
                    break
        return await asyncio.wait_for(answer, 5)


def code(answer: Response) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


START = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = START + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (START + b"x-long: ", b"a" * 65536),
        (START, b"x-many: 1\r\n" * 100),
        (b"GET /", b"a" * 65536),
        (START, b"x" * 65536),
        (b"", b"\r\n" * 1000),
        (CHUNKED + b"1\r\na\r\n0\r\nx-trailer: ", b"a" * 65536),
        (CHUNKED + b"1;", b"a" * 65536),
    ],
    ids=["value", "fields", "target", "name", "empty lines", "trailer", "chunk extension"],
)
async def test_a_head_without_end_is_refused_whatever_part_of_it_grows(
    quick: LiveProxy, head: bytes, piece: bytes
) -> None:
    began = time.perf_counter()

    assert code(await flood(quick.port, head, piece, 2000)) == (431, "request_head_too_large")
    assert time.perf_counter() - began < 2


async def test_a_head_within_the_bounds_is_served(quick: LiveProxy) -> None:
    answer = await ask(quick.port, chat(fresh("head")), x_long="a" * 20_000)

    assert answer.status == 200


@pytest.mark.parametrize("sent", [b"GET /healthz HT", START + b"x-half: "])
async def test_a_head_that_does_not_come_is_answered_and_closed(quick: LiveProxy, sent: bytes) -> None:
    async with connected(quick.port) as (reader, writer):
        writer.write(sent)

        assert code(await asyncio.wait_for(read_response(reader), 4)) == (408, "request_timeout")
        assert await asyncio.wait_for(reader.read(), 4) == b""


async def test_a_connection_that_says_nothing_is_closed(quick: LiveProxy) -> None:
    async with connected(quick.port) as (reader, writer):
        assert await asyncio.wait_for(reader.read(), 4) == b""
    async with connected(quick.port) as (reader, writer):
        writer.write(raw_request("/healthz", b"", "GET"))
        assert (await read_response(reader)).status == 200
        began = time.perf_counter()
        assert await asyncio.wait_for(reader.read(), 4) == b""
        assert time.perf_counter() - began > 1  # kept for the next request


@pytest.mark.parametrize(
    "head", [START + b"content-length: 100000\r\n\r\n{", CHUNKED + b"1\r\n{\r\n"], ids=["length", "chunked"]
)
async def test_a_body_that_trickles_is_answered_with_408(quick: LiveProxy, head: bytes) -> None:
    async with connected(quick.port) as (reader, writer):
        writer.write(head)
        answer = asyncio.create_task(read_response(reader))
        for _ in range(40):
            if answer.done():
                break
            writer.write(b"1\r\n \r\n" if b"chunked" in head else b" ")
            await asyncio.sleep(0.1)

        assert code(await asyncio.wait_for(answer, 5)) == (408, "request_timeout")


async def test_a_slow_body_of_the_least_rate_is_served(quick: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("slow")
    data = json.dumps(chat(model, "a " * 3000)).encode()
    async with connected(quick.port) as (reader, writer):
        request = raw_request("/v1/chat/completions", data)
        for at in range(0, len(request), 700):
            writer.write(request[at : at + 700])
            await asyncio.sleep(0.15)

        assert (await read_response(reader)).status == 200


async def test_the_rest_of_a_body_is_not_awaited_after_the_answer(quick: LiveProxy) -> None:
    async with connected(quick.port) as (reader, writer):
        writer.write(b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n")
        closed = asyncio.create_task(reader.read())
        with suppress(ConnectionError):
            for _ in range(100):
                if closed.done():
                    break
                writer.write(b" ")
                await asyncio.sleep(0.1)

        assert closed.done()


async def test_a_trailer_is_no_header(quick: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("trailer")
    data = json.dumps(chat(model)).encode()
    request = CHUNKED + b"%x\r\n%s\r\n0\r\nx-team-id: other\r\nauthorization: Bearer x\r\n\r\n" % (len(data), data)
    async with connected(quick.port) as (reader, writer):
        writer.write(request)
        assert (await read_response(reader)).status == 200
        writer.write(request)
        assert (await read_response(reader)).status == 200

    for received in upstream.all(model):
        assert received.header("x-team-id") is None
        assert received.header("authorization") != "Bearer x"
    assert len(upstream.all(model)) == 2


async def test_bytes_of_all_bodies_together_are_bounded(quick: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("inflight")
    go_on = upstream.thread.run(_event())

    async def held(exchange: Exchange) -> None:
        await go_on.wait()
        await exchange.reply(200, b"{}")

    upstream.scripts[word] = held
    body = json.dumps(chat(f"off-{word}", "a" * (MIB + MIB // 2))).encode()
    first = asyncio.create_task(ask(quick.port, body))
    await asyncio.to_thread(_arrived, upstream, word)
    plain, packed = (
        await ask(quick.port, body + b" " * (MIB // 4)),
        await ask(quick.port, gzip.compress(body + b" " * (MIB // 4)), content_encoding="gzip"),
    )
    small = await ask(quick.port, chat(fresh("small")))
    upstream.thread.loop.call_soon_threadsafe(go_on.set)

    assert code(plain) == code(packed) == (503, "overloaded")
    assert plain.headers["retry-after"] == "1"
    assert small.status == 200
    assert (await first).status == 200
    assert (await ask(quick.port, body)).status == 200  # all was given back


def _arrived(upstream: ScriptedUpstream, word: str) -> None:
    while not upstream.all(word):
        time.sleep(0.02)


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def test_whoever_waits_longest_makes_room_for_others(quick: LiveProxy) -> None:
    others = [await asyncio.open_connection("127.0.0.1", quick.port) for _ in range(QUICK.max_connections)]
    others[0][1].write(b"GET /")
    await asyncio.sleep(0.1)

    answer = await ask(quick.port, b"", "/healthz", "GET")

    assert answer.status == 200
    gone = await asyncio.gather(*(_said(reader) for reader, _ in others[:2]))
    assert b" 503 " in gone[0] or gone[0] == b""
    for _, writer in others:
        writer.close()


async def _said(reader: asyncio.StreamReader) -> bytes | None:
    with suppress(TimeoutError, ConnectionError):
        return await asyncio.wait_for(reader.read(), 0.3)
    return None


async def test_a_client_that_does_not_read_is_let_go(quick: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("unread")
    left = []

    async def endless(exchange: Exchange) -> None:
        await exchange.head(200, ("content-type", "text/event-stream"))
        with suppress(ConnectionError):
            while True:
                await exchange.send(b"data: " + b"x" * 65536 + b"\n\n")
        left.append(True)
        raise ConnectionError

    upstream.scripts[word] = endless
    async with connected(quick.port) as (_, writer):
        writer.write(raw_request("/v1/chat/completions", json.dumps(chat(f"off-{word}", stream=True)).encode()))
        for _ in range(150):
            await asyncio.sleep(0.1)
            if left:
                break

    assert left


async def test_many_requests_in_one_piece_are_bounded(quick: LiveProxy) -> None:
    one = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    async with connected(quick.port) as (reader, writer):
        writer.write(one * 10)
        assert [(await read_response(reader)).status for _ in range(10)] == [200] * 10
    async with connected(quick.port) as (reader, writer):
        writer.write(one * 5000)
        answers = await asyncio.wait_for(_until_closed(reader), 5)

    assert answers < 100


async def _until_closed(reader: asyncio.StreamReader) -> int:
    with suppress(ConnectionError):
        return (await reader.read()).count(b"HTTP/1.1 200")
    return 0


async def test_what_is_no_http_is_told_in_the_apis_shape(quick: LiveProxy) -> None:
    async with connected(quick.port) as (reader, writer):
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")

        assert code(await read_response(reader)) == (400, "invalid_http")


async def test_a_request_that_waited_behind_another_is_not_taken_for_idle(
    quick: LiveProxy, upstream: ScriptedUpstream
) -> None:
    word = fresh("behind")

    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(3)
        await exchange.reply(200, b"{}")

    upstream.scripts[word] = slow
    data = json.dumps(chat(f"off-{word}")).encode()
    async with connected(quick.port) as (reader, writer):
        writer.write(raw_request("/healthz", b"", "GET") + raw_request("/v1/chat/completions", data))

        assert [(await read_response(reader)).status for _ in range(2)] == [200, 200]
