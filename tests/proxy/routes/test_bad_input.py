"""Requests that cannot be served get an answer in OpenAI's shape, quickly, and harm nobody."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, connected, fresh, long_text, raw_request, read_response


def fault(answer: Any) -> dict[str, Any]:
    """The error of an answer, checked for OpenAI's shape."""
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    return body["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model":"x","messages":[}',
        b"not json",
        b'{"model":"x","messages":[],}',
        b'{"a":NaN}',
        b'\xef\xbb\xbf{"messages":[]}',
        b'{"messages":"\xff\xfe"}',
        b'{"messages":"\xc3"}',
        '{"messages":[]}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 5_000 + b"]" * 5_000,
    ],
)
async def test_what_is_not_json_is_answered_with_400(proxy: LiveProxy, body: bytes) -> None:
    answer = await ask(proxy.port, body)

    assert answer.status == 400
    assert fault(answer)["code"] in ("invalid_json", "invalid_type")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ("text", None),
        (None, None),
        ({"model": "x"}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"role": "user"}, None]}, "messages[1]"),
        ({"model": 4, "messages": []}, "model"),
        ({"model": ["gpt"], "messages": []}, "model"),
    ],
)
async def test_wrong_types_are_answered_with_400_and_named(proxy: LiveProxy, body: Any, param: str | None) -> None:
    answer = await ask(proxy.port, body)

    assert answer.status == 400
    assert fault(answer)["param"] == param
    assert fault(answer)["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/compress"])
async def test_a_model_that_no_route_takes_is_404_and_names_the_fix(
    upstream: ScriptedUpstream, tmp_path: Path, path: str
) -> None:
    file = tmp_path / "moos.yaml"
    file.write_text(
        f"upstreams: {{main: {{kind: openai, base_url: '{upstream.url}'}}}}\n"
        "routes: [{match: {model: known-*}, upstreams: main}]\n"
    )
    model = fresh("unknown")
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as proxy:
        answer = await ask(proxy.port, chat(model, long_text(400)) | {"prompt": "x", "input": "x"}, path)

    assert answer.status == 404
    assert fault(answer)["code"] == "model_not_found"
    assert fault(answer)["param"] == "model"
    assert "moos policy explain" in fault(answer)["message"]
    assert upstream.all(model) == []


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": 5, "content": long_text()},
        {"role": "user", "content": None},
        {"role": "user", "content": 7},
        {"role": "user", "content": {"type": "text"}},
        {"role": "user", "content": [None, 3, "x", {"type": "text"}, {"type": "text", "text": 4}, {"text": "x"}]},
        {"role": "user", "content": [{"type": ["text"], "text": long_text()}]},
    ],
)
async def test_shapes_of_messages_that_we_do_not_know_are_the_upstreams_to_judge(
    proxy: LiveProxy, upstream: ScriptedUpstream, message: Any
) -> None:
    model = fresh("shape")
    body = json.dumps({"model": model, "messages": [message]}).encode()
    answer = await ask(proxy.port, body)

    assert answer.status == 200
    assert upstream.last(model).body == body


async def test_valid_json_beyond_the_fast_parser_passes_untouched(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("odd")
    body = b'{"model":"%s","huge":1e999,"messages":[{"role":"user","content":"\\ud800"}]}' % model.encode()
    answer = await ask(proxy.port, body)

    assert answer.status == 200
    assert upstream.last(model).body == body


async def test_a_lone_surrogate_in_a_long_text_is_survived(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("surrogate")
    content = (long_text() + " ").encode() + b"\\udcff"
    body = b'{"model":"%s","messages":[{"role":"user","content":"%s"}]}' % (model.encode(), content)
    answer = await ask(proxy.port, body)

    assert answer.status == 200
    assert upstream.last(model).body


async def test_a_body_that_announces_too_much_is_refused_before_it_comes(proxy: LiveProxy) -> None:
    async with connected(proxy.port) as (reader, writer):
        began = time.perf_counter()
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: [::1]\r\ncontent-length: 104857601000\r\n\r\n{")
        answer = await asyncio.wait_for(read_response(reader), 2)

    assert answer.status == 413
    assert fault(answer)["code"] == "request_too_large"
    assert answer.headers["connection"] == "close"
    assert time.perf_counter() - began < 1


async def test_a_client_that_sends_too_much_without_saying_so_reads_413(proxy: LiveProxy) -> None:
    async def endless() -> Any:
        for _ in range(400):
            yield b"x" * 10_000

    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{proxy.url}/v1/chat/completions", data=endless())
        assert answer.status == 413


async def test_a_client_that_sends_a_hundred_megabytes_reads_413(proxy: LiveProxy) -> None:
    body = json.dumps(chat("big", "x" * 100_000_000)).encode()
    async with connected(proxy.port) as (reader, writer):
        writer.write(raw_request("/v1/chat/completions", body))
        answer = await asyncio.wait_for(read_response(reader), 20)

    assert answer.status == 413


@pytest.mark.parametrize("name", ["x-moos-ratio", "x-moos-alpha", "x-moos-bypass"])
@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-1", "1e400", "0x2", "2;drop", "²", "9" * 400])
async def test_overrides_that_mean_nothing_are_answered_with_400(proxy: LiveProxy, name: str, value: str) -> None:
    answer = await ask(proxy.port, chat("any"), **{name: value})

    assert answer.status == 400
    assert fault(answer)["param"] == name


async def test_overrides_beyond_the_policy_are_clamped(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("clamped")
    answer = await ask(proxy.port, chat(model, long_text(240)), x_moos_ratio="50")
    words = json.loads(upstream.last(model).body)["messages"][0]["content"].split()

    assert answer.status == 200
    assert len(words) == 60  # the policy's max_ratio is 4


@pytest.mark.parametrize(
    "header", [b"x-request-id: a\r\n b", b"x-request-id: a\x00b", b"bad name: x", b"x-request-id: a\rb"]
)
async def test_broken_headers_reach_nobody(proxy: LiveProxy, upstream: ScriptedUpstream, header: bytes) -> None:
    model = fresh("inject")
    body = json.dumps(chat(model)).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    async with connected(proxy.port) as (reader, writer):
        writer.write(head + header + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        line = await asyncio.wait_for(reader.readline(), 5)

    assert b" 400 " in line
    assert not upstream.all(model)


async def test_a_request_id_with_odd_characters_is_replaced(proxy: LiveProxy) -> None:
    kept = await ask(proxy.port, chat("any"), x_request_id="abc-123")
    replaced = await ask(proxy.port, chat("any"), x_request_id='"><script>')

    assert kept.headers["x-moos-request-id"] == kept.headers["x-request-id"] == "abc-123"
    assert replaced.headers["x-moos-request-id"].startswith("req_")


async def test_an_answer_cannot_smuggle_our_headers(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("smuggle")
    upstream.scripts[model] = lambda e: e.reply(
        200, b"{}", ("x-moos-policy", "forged"), ("x-request-id", "theirs")
    )
    answer = await ask(proxy.port, chat(model))

    assert [value for name, value in answer.raw_headers if name == "x-moos-policy"] == ["default"]
    assert [value for name, value in answer.raw_headers if name == "x-request-id"] == ["theirs"]


async def test_a_websocket_is_turned_away(proxy: LiveProxy) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{proxy.url}/v1/realtime")


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_a_packed_body_is_unpacked_and_goes_on_plain(
    proxy: LiveProxy, upstream: ScriptedUpstream, pack: Callable[[bytes], bytes]
) -> None:
    model = fresh("packed")
    body = json.dumps(chat(model, long_text(100))).encode()
    coding = "gzip" if pack is gzip.compress else "deflate"
    answer = await ask(proxy.port, pack(body), content_encoding=coding)

    received = upstream.last(model)
    assert (answer.status, answer.headers["x-moos-tokens-after"]) == (200, "50")
    assert received.header("content-encoding") is None
    assert json.loads(received.body)["model"] == model


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (b"{}", "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (gzip.compress(b" " * 200_000_000, 1), "gzip", 413),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ],
    ids=["cut", "plain", "more", "bomb", "br", "twice"],
)
async def test_a_badly_packed_body_is_refused(proxy: LiveProxy, body: bytes, coding: str, status: int) -> None:
    answer = await ask(proxy.port, body, content_encoding=coding)

    assert answer.status == status
    fault(answer)


async def test_keys_and_texts_that_have_no_utf8_form_go_through(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("lone")
    body = b'{"\\ud800":1,"x":1e400,"messages":[{"\\udfff":2,"role":"user","content":%b}],"model":"%b"}'
    words = json.dumps("\ud800 " + long_text(100)).encode()
    sent = body % (words, model.encode())
    answer = await ask(proxy.port, sent)
    shortened = await ask(proxy.port, sent, "/v1/compress")

    assert answer.status == 200
    assert upstream.last(model).body.startswith(b'{"\\ud800":1,"x":1e400,"messages":[{"\\udfff":2')
    assert shortened.status == 200
    assert shortened.json()["messages"][0]["content"].startswith("\ud800")
