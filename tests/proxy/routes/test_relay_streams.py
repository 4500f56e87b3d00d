"""Streams go through as they come, and whoever leaves early, client or upstream, is noticed."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import (
    ask,
    chat,
    connected,
    fresh,
    raw_request,
    read_chunk,
    read_head,
)


async def test_chunks_come_at_once_and_unchanged_even_if_they_split_a_character(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("stream")
    event = 'data: {"choices":[{"delta":{"content":"🍀"}}]}\n\n'.encode()
    pieces = [event[:41], event[41:43], event[43:], b": comment\r\n\r\n", b"data: [DO", b"NE]\n\n"]
    upstream.scripts[model] = lambda e: e.stream(*pieces, pause_s=0.15)
    arrived: list[tuple[float, bytes]] = []
    async with connected(proxy.port) as (reader, writer):
        began = time.perf_counter()
        writer.write(raw_request("/v1/chat/completions", json.dumps(chat(model, stream=True)).encode()))
        status, pairs = await read_head(reader)
        while chunk := await read_chunk(reader):
            arrived.append((time.perf_counter() - began, chunk))

    assert status == 200
    assert [chunk for _, chunk in arrived] == pieces
    assert all(moment < 0.15 * index + 0.12 for index, (moment, _) in enumerate(arrived))
    headers = dict(pairs)
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert "content-encoding" not in headers


async def test_headers_of_a_stream_that_the_upstream_chose_are_kept(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("chosen")
    chosen = ("cache-control", "no-store"), ("content-type", "text/event-stream; charset=utf-8")
    upstream.scripts[model] = lambda e: e.reply(200, b"data: [DONE]\n\n", *chosen)
    answer = await ask(proxy.port, chat(model, stream=True))

    assert [value for name, value in answer.raw_headers if name == "cache-control"] == ["no-store"]


async def test_an_error_event_inside_a_stream_passes(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("event")
    chunks = [b'data: {"id":"1"}\n\n', b'event: error\ndata: {"error":{"message":"overloaded"}}\n\n']
    upstream.scripts[model] = lambda e: e.stream(*chunks)

    assert (await ask(proxy.port, chat(model, stream=True))).body == b"".join(chunks)


async def test_a_stream_that_breaks_off_between_events_ends_in_an_error_event(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("cut")
    upstream.scripts[model] = lambda e: e.broken_stream()
    body = (await ask(proxy.port, chat(model, stream=True))).body
    last = body.split(b"\n\n")[-2]

    assert body.startswith(b"data: {}\n\n")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_broken"


async def test_an_answer_that_breaks_off_is_not_passed_on_as_whole(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("short")

    async def cut(exchange: Exchange) -> None:
        await exchange.head(200, ("content-type", "application/json"), ("content-length", "1000"))
        await exchange.send(b'{"half":')
        exchange.writer.close()

    upstream.scripts[model] = cut
    with pytest.raises(asyncio.IncompleteReadError):
        await ask(proxy.port, chat(model))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_leaves_ends_the_upstream_call_within_a_second(
    proxy: LiveProxy, upstream: ScriptedUpstream, streamed: bool
) -> None:
    model = fresh("leaves")
    started, noticed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(exchange: Exchange) -> None:
        if streamed:
            await exchange.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
            await exchange.send(b"a\r\ndata: {}\n\n\r\n")
        loop.call_soon_threadsafe(started.set)
        if await exchange.gone(within_s=5):
            loop.call_soon_threadsafe(noticed.set)

    upstream.scripts[model] = slow
    async with connected(proxy.port) as (_, writer):
        writer.write(raw_request("/v1/chat/completions", json.dumps(chat(model, stream=streamed)).encode()))
        await asyncio.wait_for(started.wait(), 5)
    await asyncio.wait_for(noticed.wait(), 1)


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_fault(proxy: LiveProxy) -> None:
    async with connected(proxy.port) as (_, writer):
        writer.write(raw_request("/v1/chat/completions", b'{"model": "half')[:-4])
        await writer.drain()

    assert (await ask(proxy.port, chat("off"))).status == 200
