"""A model behind an API: what it is sent, and an endpoint that stops half way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers import endpoint
from moosproxy.compressor.evaluation.answers.base import Prompt, Reply
from moosproxy.compressor.evaluation.answers.endpoint import EndpointAnswerer


class Api:
    """A chat completions server on loopback that answers so many requests."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.fails_after = 1000
        self.status = 500
        self.busy = 0

    async def chat(self, request: web.Request) -> web.Response:
        """One answer."""
        body = await request.json()
        if self.busy:
            self.busy -= 1
            return web.json_response({"error": {"message": "wait"}}, status=429)
        if len(self.seen) >= self.fails_after:
            return web.json_response({"error": {"message": "longer than the context"}}, status=self.status)
        self.seen.append(body)
        message = {"message": {"content": " 4711 "}, "finish_reason": "stop"}
        return web.json_response({"choices": [message], "usage": {"prompt_tokens": 12}})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Api, str]]:
    """The server and its address."""
    monkeypatch.setattr(endpoint, "AT_ONCE", 1)
    api, loop, ready, over = Api(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    where: list[int] = []

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", api.chat)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        where.append(runner.addresses[0][1])
        ready.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield api, f"http://127.0.0.1:{where[0]}/v1"
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


PROMPTS = [Prompt("Be brief.", f"Text {number}", 8, line=True) for number in range(4)]


def asked(answerer: EndpointAnswerer) -> dict[int, Reply | None]:
    """What came, also when the endpoint stopped."""
    found: dict[int, Reply | None] = {}
    try:
        answerer.answers(PROMPTS, found.__setitem__)
    except CompressorError as fault:
        assert "run again" in str(fault)
    return found


def test_requests_are_greedy_and_end_with_the_line(api: tuple[Api, str]) -> None:
    server, url = api
    found = asked(EndpointAnswerer(url, "m", "key", "o200k_base"))

    assert found == {number: found[number] for number in range(4)}
    assert {reply.answer for reply in found.values() if reply} == {"4711"}
    body = server.seen[0]
    assert (body["temperature"], body["stop"], body["max_tokens"]) == (0, ["\n"], 8)


def test_what_came_before_an_endpoint_stopped_is_kept(
    api: tuple[Api, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = api
    monkeypatch.setattr(endpoint, "TRIES", 1)
    server.fails_after = 2
    assert len(asked(EndpointAnswerer(url, "m", None, "o200k_base"))) == 2


def test_a_busy_endpoint_is_asked_again(api: tuple[Api, str]) -> None:
    server, url = api
    server.busy = 1
    assert len(asked(EndpointAnswerer(url, "m", None, "o200k_base"))) == 4


def test_a_prompt_that_is_too_long_is_no_fault(api: tuple[Api, str]) -> None:
    server, url = api
    server.fails_after, server.status = 0, 400
    assert asked(EndpointAnswerer(url, "m", None, "o200k_base")) == dict.fromkeys(range(4))


def test_a_tokenizer_that_is_not_here_is_named() -> None:
    with pytest.raises(CompressorError, match="unknown tokenizer 'klingon'"):
        EndpointAnswerer("http://127.0.0.1:1/v1", "m", None, "klingon")
