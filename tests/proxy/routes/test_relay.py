"""What goes through the proxy arrives as it was sent, in both directions."""

from __future__ import annotations

import gzip
import json

import pytest

from moosproxy.proxy import headers
from tests.proxy.conftest import UPSTREAM_KEY
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.wire import (
    ask,
    chat,
    connected,
    fresh,
    long_text,
    raw_request,
    read_response,
)

ODD_BODY = (
    b'{ "model" :"%s",\r\n\t"messages":[{"role":"user","content":"caf\\u00e9 \xf0\x9f\x8d\x80"}],'
    b'"seed":123456789012345678901234567890,"temperature":1.0,"top_p":1e-1,"x":1,"x":2,'
    b'"unknown":{"deep":[null,true,-0.0,1E5]},"response_format":{"type":"json_object"}}'
)


async def test_a_body_in_which_nothing_changes_is_forwarded_byte_for_byte(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("bytes")
    body = ODD_BODY % model.encode()
    answer = await ask(proxy.port, body)

    assert answer.status == 200
    assert upstream.last(model).body == body


async def test_a_shortened_message_leaves_every_other_byte_alone(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model, text = fresh("splice"), long_text()
    body = (ODD_BODY % model.encode()).replace(b"caf\\u00e9 \xf0\x9f\x8d\x80", text.encode())
    await ask(proxy.port, body)
    short = " ".join(text.split()[::2])

    assert upstream.last(model).body == body.replace(text.encode(), short.encode())


async def test_the_answer_of_the_upstream_comes_back_byte_for_byte(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("answer")
    body = b'{"id" : "x",\n"big":123456789012345678901234567890, "text":"caf\\u00e9"}'
    upstream.scripts[model] = lambda e: e.reply(200, body, ("x-ratelimit-limit", "5"), ("X-Odd", "caf\xe9"))
    answer = await ask(proxy.port, chat(model))

    assert answer.body == body
    assert ("x-ratelimit-limit", "5") in answer.raw_headers
    assert ("x-odd", "caf\xe9") in answer.raw_headers


async def test_a_compressed_answer_stays_compressed(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("gzip")
    body = gzip.compress(json.dumps({"usage": {"prompt_tokens": 7}}).encode())
    upstream.scripts[model] = lambda e: e.reply(200, body, ("content-encoding", "gzip"))
    answer = await ask(proxy.port, chat(model), accept_encoding="gzip, br")

    assert answer.body == body
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        ("gzip, br", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("br;q=1.0, GZIP;q=0.8, *;q=0.1", "GZIP;q=0.8"),
        ("identity;q=1, gzip;q=0.5", "identity;q=1, gzip;q=0.5"),
        ("gzip;q=0", "gzip;q=0"),
        ("br", "identity"),
        ("zstd, identity;q=0", "identity"),
        ("*", "identity"),
        ("", "identity"),
    ],
)
async def test_an_answer_is_asked_for_in_a_coding_that_usage_is_read_from(
    proxy: LiveProxy, upstream: ScriptedUpstream, accepted: str, asked: str
) -> None:
    model = fresh("codings")
    await ask(proxy.port, chat(model), accept_encoding=accepted)
    await ask(proxy.port, b"", f"/v1/files/{model}/content", "GET", accept_encoding=accepted)
    posted, fetched = upstream.all(model)

    assert posted.header("accept-encoding") == asked
    assert fetched.header("accept-encoding") == accepted  # what is stored has no usage, and comes as it is


async def test_no_header_is_invented(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("headers")
    await ask(proxy.port, chat(model), x_custom="kept", user_agent="test/1", x_stainless_lang="python")
    received = dict(upstream.last(model).headers)
    received = {name.lower(): value for name, value in received.items()}

    assert received.pop("x-custom") == "kept"
    assert received.pop("user-agent") == "test/1"
    assert received.pop("x-stainless-lang") == "python"
    assert received.pop("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert set(received) == {"host", "content-type", "content-length"}


async def test_hop_by_hop_headers_stay_on_their_hop(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("hops")
    secret = ("x-only-here", "1")
    upstream.scripts[model] = lambda e: e.reply(
        200, b"{}", ("connection", "x-only-here"), ("keep-alive", "timeout=5"), secret, ("alt-svc", 'h3=":443"')
    )
    answer = await ask(proxy.port, chat(model), connection="keep-alive, x-mine", x_mine="1", te="trailers")
    received = {name.lower() for name, _ in upstream.last(model).headers}

    assert not received & {"x-mine", "te", "connection", "keep-alive"}
    assert not set(answer.headers) & {"x-only-here", "keep-alive", "alt-svc"}


async def test_our_own_request_headers_and_cookies_stop_here(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("own")
    await ask(proxy.port, chat(model), x_moos_bypass="true", x_moos_ratio="3", cookie="a=b", x_api_key="k")
    received = {name.lower() for name, _ in upstream.last(model).headers}

    assert not {name for name in received if name.startswith("x-moos")} | received & {"cookie", "x-api-key"}


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_error_of_the_upstream_passes_with_status_body_and_retry_after(
    proxy: LiveProxy, upstream: ScriptedUpstream, status: int
) -> None:
    model = fresh("error")
    body = b'{"error":{"message":"no","type":"x","param":null,"code":"y"}}'
    upstream.scripts[model] = lambda e: e.reply(status, body, ("retry-after", "17"))
    answer = await ask(proxy.port, chat(model))

    assert (answer.status, answer.body, answer.headers["retry-after"]) == (status, body, "17")


async def test_a_redirect_is_handed_on_and_not_followed(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("redirect")
    upstream.scripts[model] = lambda e: e.reply(307, b"", ("location", "http://127.0.0.1:9/elsewhere"))

    assert (await ask(proxy.port, chat(model))).status == 307


@pytest.mark.parametrize(
    ("path", "arrives_at"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("//v1//chat/completions?api-version=1&x=%20", "/v1/chat/completions?api-version=1&x=%20"),
        ("/v1/audio/transcriptions", "/v1/audio/transcriptions"),
        ("/v1/files/a%2Fb", "/v1/files/a%2Fb"),
        ("/embeddings", "/v1/embeddings"),
    ],
)
async def test_paths_arrive_under_the_base_url(
    proxy: LiveProxy, upstream: ScriptedUpstream, path: str, arrives_at: str
) -> None:
    model = fresh("path")
    answer = await ask(proxy.port, chat(model), path)

    assert answer.status == 200
    assert upstream.last(model).target == arrives_at


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/files/..%5c..",
        "/v1/./x",
        "/nothing",
        "/v1",
        "/v1/..%2f..%2fadmin",
        "/v1/x/%2e%2e%2f%2e%2e%2fadmin",
        "/v1/%252e%252e/admin",
        "/v1/..;/admin",
        "/v1/%25252525252525252e/x",
    ],
)
async def test_no_path_leads_out_of_the_base_url(proxy: LiveProxy, upstream: ScriptedUpstream, path: str) -> None:
    before = len(upstream.received)
    answer = await ask(proxy.port, b"", path, "GET")

    assert answer.status == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert len(upstream.received) == before


async def test_bodies_that_are_not_json_are_relayed(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("form").encode()
    body = b"--b\r\ncontent-disposition: form-data; name=model\r\n\r\n" + word + b"\xff\x00\r\n--b--"
    await ask(proxy.port, body, "/v1/audio/transcriptions", content_type="multipart/form-data; boundary=b")
    received = upstream.last(word.decode())

    assert received.body == body
    assert received.header("content-type") == "multipart/form-data; boundary=b"


async def test_a_body_of_more_than_a_megabyte_arrives_whole(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("off-large")
    body = json.dumps(chat(model, "x" * 1_500_000)).encode()
    await ask(proxy.port, body)

    assert upstream.last(model).body == body


async def test_many_requests_share_a_connection(proxy: LiveProxy) -> None:
    async with connected(proxy.port) as (reader, writer):
        for _ in range(3):
            writer.write(raw_request("/v1/chat/completions", json.dumps(chat(fresh("again"))).encode()))
            assert (await read_response(reader)).status == 200


async def test_a_kept_connection_that_ran_out_is_tried_once_more(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("stale")
    calls = 0

    async def hang_up_once(exchange: Exchange) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            exchange.writer.close()
        else:
            await exchange.reply(200, b'{"ok":true}')

    upstream.scripts[model] = hang_up_once

    assert (await ask(proxy.port, chat(model))).json() == {"ok": True}


async def test_the_models_name_is_mapped_and_nothing_else(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    word = fresh("mapping")
    body = b'{"seed":12345678901234567890123, "model" : "mapped-1","messages":[{"content":"%s"}]}' % word.encode()
    await ask(proxy.port, body)

    assert upstream.last(word).body == body.replace(b'"mapped-1"', b'"its-own-name"')


def test_headers_that_name_another_method_or_path_stay_here() -> None:
    names = [
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
    ]
    sent = headers.outgoing([*((name, b"DELETE") for name in names), (b"x-a", b"1")], with_credentials=False)

    assert [("x-a", "1")] == [(name, value) for name, value in sent if name.startswith("x-")]
