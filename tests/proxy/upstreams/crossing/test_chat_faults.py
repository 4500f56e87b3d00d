"""What goes wrong between the doors and a server that has chat completions alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest

from tests.proxy import answers
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.upstreams.crossing.conftest import opened, sent, theirs
from tests.proxy.upstreams.crossing.published import (
    check_response_events,
    events_of,
)
from tests.proxy.wire import ask, connected, fresh, raw_request


@pytest.mark.parametrize("door", ["responses", "messages"])
async def test_what_cannot_be_mapped_is_told_in_the_doors_shape(chat_only: LiveProxy, door: str) -> None:
    talk = (
        {"input": "x"}
        if door == "responses"
        else {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    )
    answer = await ask(chat_only.port, {"model": "m", "background": True, **talk}, f"/v1/{door}")
    error = answer.json()["error"]

    assert answer.status == 400
    assert error["message"].startswith("background cannot be mapped")
    assert error["type"] == "invalid_request_error"
    if door == "responses":
        assert (error["param"], error["code"]) == ("background", "unsupported_parameter")
    else:
        assert answer.json()["type"] == "error"


async def test_the_servers_own_errors_take_the_doors_shape(
    chat_only: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("limited")
    fault = {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
    upstream.scripts[model] = lambda exchange: exchange.reply(
        429, json.dumps({"error": fault}).encode(), ("retry-after", "7")
    )
    with theirs(chat_only) as claude, pytest.raises(anthropic.RateLimitError, match="slow down") as caught:
        claude.messages.create(model=model, max_tokens=5, messages=[{"role": "user", "content": "x"}])
    with opened(chat_only) as client, pytest.raises(openai.RateLimitError, match="slow down"):
        client.responses.create(model=model, input="x")

    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "slow down"},
        "request_id": caught.value.response.headers["x-request-id"],
    }


async def test_fields_in_the_servers_errors_have_the_doors_names(
    chat_only: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("complaining")
    fault = {"message": "max_tokens is too large", "type": "invalid_request_error", "param": "max_tokens"}
    upstream.scripts[model] = lambda exchange: exchange.reply(400, json.dumps({"error": fault}).encode())
    answer = await ask(chat_only.port, {"model": model, "input": "x"}, "/v1/responses")

    assert answer.json()["error"]["param"] == "max_output_tokens"
    assert answer.json()["error"]["message"] == "max_output_tokens is too large"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"choices":[]}'])
async def test_an_answer_that_is_none_is_502(
    chat_only: LiveProxy, upstream: ScriptedUpstream, body: bytes
) -> None:
    model = fresh("nonsense")
    upstream.scripts[model] = lambda exchange: exchange.reply(200, body)
    answer = await ask(chat_only.port, {"model": model, "input": "x"}, "/v1/responses")

    assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert answer.json()["error"]["message"].startswith("upstream 'chat': its answer is no ")


async def cut_off(exchange: Exchange) -> None:
    """Two chunks, and then nothing."""
    await exchange.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
    for chunk in answers.chunks()[:2]:
        await exchange.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    exchange.writer.close()


async def ended_early(exchange: Exchange) -> None:
    """Two chunks, and the end of the stream."""
    await exchange.stream(*answers.chunks()[:2])


async def failed(exchange: Exchange) -> None:
    """Two chunks, and the server tells of a failure."""
    await exchange.stream(*answers.chunks()[:2], b'data: {"error":{"message":"out of memory"}}\n\n')


@pytest.mark.parametrize("script", [cut_off, ended_early, failed])
async def test_a_stream_that_breaks_off_is_told_in_the_doors_shape(
    chat_only: LiveProxy, upstream: ScriptedUpstream, script: Any
) -> None:
    model = fresh("breaking")
    upstream.scripts[model] = script
    response = await ask(chat_only.port, {"model": model, "input": "x", "stream": True}, "/v1/responses")
    talk = [{"role": "user", "content": "x"}]
    body = {"model": model, "max_tokens": 5, "messages": talk, "stream": True}
    message = events_of((await ask(chat_only.port, body, "/v1/messages")).body)
    *events, error = events_of(response.body)
    final = check_response_events(events)

    assert (final["status"], final["error"]["code"]) == ("failed", "server_error")
    assert error["type"] == message[-1]["type"] == "error"
    assert message[-1]["error"]["type"] == "api_error"
    with opened(chat_only) as client, pytest.raises(openai.APIError):
        list(client.responses.create(model=model, input="x", stream=True))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_leaves_ends_the_servers_work(
    chat_only: LiveProxy, upstream: ScriptedUpstream, streamed: bool
) -> None:
    model, noticed, begun = fresh("leaving"), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(exchange: Exchange) -> None:
        if streamed:
            await exchange.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
            chunk = answers.chunks()[1]
            await exchange.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        loop.call_soon_threadsafe(begun.set)
        if await exchange.gone(within_s=5):
            loop.call_soon_threadsafe(noticed.set)

    upstream.scripts[model] = slow
    body = json.dumps({"model": model, "input": "x", "stream": streamed}).encode()
    async with connected(chat_only.port) as (_, writer):
        writer.write(raw_request("/v1/responses", body))
        await asyncio.wait_for(begun.wait(), 3)
    await asyncio.wait_for(noticed.wait(), 2)


async def test_what_needs_a_store_is_not_there(chat_only: LiveProxy) -> None:
    answer = await ask(chat_only.port, {"model": "m", "input": "x"}, "/v1/responses/compact")

    assert (answer.status, answer.json()["error"]["code"]) == (404, "unsupported_endpoint")


@pytest.mark.parametrize("depth", [200, 400, 900, 1010, 5000])
async def test_deep_nesting_is_carried_or_refused(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str, depth: int
) -> None:
    schema = b'{"properties":' * depth + b"{}" + b"}" * depth
    tool = b'{"name":"f","type":"function","parameters":' + schema + b"}"
    body = b'{"model":"' + model.encode() + b'","input":"x","tools":[' + tool + b"]}"
    answer = await ask(chat_only.port, body, "/v1/responses")

    assert answer.status == (200 if depth < 1000 else 400)


async def test_a_hundred_thousand_items_cross(
    chat_only: LiveProxy, upstream: ScriptedUpstream, model: str
) -> None:
    items = [{"role": ("user", "assistant")[number % 2], "content": f"{number}"} for number in range(99_999)]
    answer = await ask(chat_only.port, {"model": model, "input": items}, "/v1/responses")

    assert answer.status == 200
    assert len(sent(upstream, model)["messages"]) == 99_999


async def test_numbers_go_there_as_they_came(chat_only: LiveProxy, upstream: ScriptedUpstream, model: str) -> None:
    digits, long = "9" * 30, "0.1000000000000000055511151231257827"
    schema = f'{{"type":"object","maximum":1e400,"enum":[{digits},{long}]}}'
    arguments = f'{{"a":1e400,"b":{digits},"c":{long}}}'
    tool = f'{{"name":"f","input_schema":{schema}}}'
    used = f'{{"type":"tool_use","id":"t","name":"f","input":{arguments}}}'
    result = '{"type":"tool_result","tool_use_id":"t","content":"x\\ud800"}'
    talk = f'[{{"role":"assistant","content":[{used}]}},{{"role":"user","content":[{result}]}}]'
    body = f'{{"model":"{model}","max_tokens":9,"seed":{digits},"tools":[{tool}],"messages":{talk}}}'
    message = await ask(chat_only.port, body.encode(), "/v1/messages")
    received = upstream.last(model).body.replace(b" ", b"")
    call = sent(upstream, model)["messages"][0]["tool_calls"][0]

    assert message.status == 200
    assert f'"parameters":{schema}'.encode() in received
    assert f'"seed":{digits}'.encode() in received
    assert call["function"]["arguments"] == arguments
    tool = f'{{"type":"function","name":"f","parameters":{schema}}}'
    body = f'{{"model":"{model}","input":"x","seed":{digits},"tools":[{tool}]}}'
    response = await ask(chat_only.port, body.encode(), "/v1/responses")
    assert response.status == 200
    assert f'"parameters":{schema}'.encode() in upstream.last(model).body


async def test_numbers_of_a_call_come_back_as_they_are(chat_only: LiveProxy, upstream: ScriptedUpstream) -> None:
    model, arguments = fresh("exact"), '{"a":1e400,"b":123456789012345678901234567890,"c":"\\ud800"}'
    whole = json.loads(answers.completion(tool=True))
    whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = arguments
    upstream.scripts[model] = lambda exchange: exchange.reply(200, json.dumps(whole).encode())
    talk = [{"role": "user", "content": "x"}]
    answer = await ask(chat_only.port, {"model": model, "max_tokens": 9, "messages": talk}, "/v1/messages")

    assert f'"input":{arguments}'.encode() in answer.body.replace(b" ", b"")
