"""Which upstream answers when the first one does not, and what the caller reads when none does."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
async def test_the_next_upstream_is_tried_after_an_error_that_may_pass(
    proxy: LiveProxy, upstream: ScriptedUpstream, status: int
) -> None:
    model = fresh("fallback")

    async def script(exchange: Exchange) -> None:
        first = exchange.request.target.startswith("/v1")
        await exchange.reply(status if first else 200, b'{"by":"first"}' if first else b'{"by":"second"}')

    upstream.scripts[model] = script
    answer = await ask(proxy.port, chat(model))

    assert (answer.status, answer.json()) == (200, {"by": "second"})
    assert len({request.body for request in upstream.all(model)}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 422])
async def test_an_error_of_the_request_itself_is_not_tried_elsewhere(
    proxy: LiveProxy, upstream: ScriptedUpstream, status: int
) -> None:
    model = fresh("fallback")
    upstream.scripts[model] = lambda e: e.reply(status, b"{}")

    assert (await ask(proxy.port, chat(model))).status == status
    assert len(upstream.all(model)) == 1


async def test_the_last_answer_passes_when_none_is_good(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("fallback")

    async def script(exchange: Exchange) -> None:
        first = exchange.request.target.startswith("/v1")
        await exchange.reply(503 if first else 429, b'{"error":{}}', ("retry-after", "1" if first else "2"))

    upstream.scripts[model] = script
    answer = await ask(proxy.port, chat(model))

    assert (answer.status, answer.headers["retry-after"]) == (429, "2")


async def test_a_dead_upstream_leads_to_the_next(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("dead-then")
    upstream.scripts[model] = lambda e: e.reply(200, b'{"by":"second"}')

    assert (await ask(proxy.port, chat(model))).json() == {"by": "second"}


async def test_no_upstream_is_502_and_names_the_fix(proxy: LiveProxy) -> None:
    answer = await ask(proxy.port, chat(fresh("dead")))
    error = answer.json()["error"]

    assert (answer.status, error["code"]) == (502, "upstream_unreachable")
    assert "base_url" in error["message"]
    assert "dead" in error["message"]


async def test_an_upstream_that_does_not_speak_http_is_502(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("garbage")

    async def garbage(exchange: Exchange) -> None:
        await exchange.send(b"\x16\x03\x01 what\r\n\r\n")
        exchange.writer.close()

    upstream.scripts[model] = garbage

    assert (await ask(proxy.port, chat(model))).status == 502


async def test_an_upstream_that_says_nothing_is_504(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("brief")
    upstream.scripts[model] = lambda e: asyncio.sleep(2)
    answer = await ask(proxy.port, chat(model))

    assert (answer.status, answer.json()["error"]["code"]) == (504, "upstream_timeout")


async def test_a_stream_that_falls_silent_ends_in_an_error_event(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("brief")
    upstream.scripts[model] = lambda e: e.stream(b"data: {}\n\n", b"data: [DONE]\n\n", pause_s=1.5)
    body = (await ask(proxy.port, chat(model, stream=True))).body

    assert b"stopped coming" in body
    assert b"[DONE]" not in body


async def test_a_stream_that_has_begun_is_not_started_again(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("fallback")
    upstream.scripts[model] = lambda e: e.broken_stream()
    await ask(proxy.port, chat(model, stream=True))

    assert len(upstream.all(model)) == 1


async def test_echo_answers_with_the_prompt_that_it_would_have_sent(proxy: LiveProxy) -> None:
    text = "one two " * 60
    answer = await ask(proxy.port, chat("echo", text))
    said = answer.json()["choices"][0]["message"]["content"]

    assert said == " ".join(text.split()[::2])
    assert answer.headers["x-moos-tokens-before"] == "120"
    assert answer.headers["x-moos-tokens-after"] == "60"
    assert answer.headers["x-moos-ratio"] == "2.000"


async def test_echo_streams_with_usage_and_an_end(proxy: LiveProxy) -> None:
    body = chat("echo", "a  b\nc", stream=True, stream_options={"include_usage": True})
    lines = (await ask(proxy.port, body)).body.decode().strip().split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]

    assert lines[-1] == "data: [DONE]"
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events if e["choices"]) == "a  b\nc"
    assert events[-1]["usage"]["total_tokens"] > 0


async def test_echo_lists_models_and_says_what_it_does_not_serve(proxy: LiveProxy) -> None:
    listed = await ask(proxy.port, b"", "/v1/models/echo-1", "GET")
    refused = await ask(proxy.port, {"model": "echo", "input": "x"}, "/v1/embeddings")

    assert listed.json()["object"] == "model"
    assert (refused.status, refused.json()["error"]["code"]) == (404, "unsupported_endpoint")
