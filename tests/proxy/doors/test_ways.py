"""Which way a request takes: spellings of paths, methods, WebSockets, keys, and what a team reaches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.conftest import TEAM_KEYS
from tests.proxy.doors.test_routes import PATHS, body_for, by_door, fault
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, connected, fresh, raw_request, read_response


@pytest.mark.parametrize(
    "path",
    ["/v1/chat%2fcompletions", "/v1/chat%2Fcompletions", "/v1/ch%61t/completions", "/v1%2fchat/completions",
     "/%76%31/chat/completions", "/v1/chat%252fcompletions", "/chat%2f%2fcompletions/", "/v1/chat/completions%2f"],
)  # fmt: skip
async def test_every_spelling_of_a_path_is_that_path(
    proxy: LiveProxy, upstream: ScriptedUpstream, path: str
) -> None:
    model = fresh("spelling")
    answer = await ask(proxy.port, body_for("chat", model), path)

    assert answer.headers["x-moos-tokens-after"] == "100"
    assert upstream.last(model).target == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "arrives_at"),
    [
        ("/v1/files/a%2fb", "/v1/files/a%2fb"),
        ("/%76%31/files/f", "/v1/files/f"),
        ("/v1%2ffiles%2ff", "/v1/files/f"),
        ("/fil%65s/f", "/v1/fil%65s/f"),
    ],
)
async def test_other_paths_arrive_as_they_are_spelled(
    proxy: LiveProxy, upstream: ScriptedUpstream, path: str, arrives_at: str
) -> None:
    word = fresh("other")
    await ask(proxy.port, b"", f"{path}?{word}", "GET")

    assert upstream.last(word).target == f"{arrives_at}?{word}"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("POST", "/v1/embeddings"), ("POST", "/v1/files"), ("GET", "/v1/chat/completions"),
     ("POST", "/v1/responses/resp_1/cancel"), ("POST", "/v1/messages/batches")],
)  # fmt: skip
async def test_a_request_that_nobody_looked_into_says_so(proxy: LiveProxy, method: str, path: str) -> None:
    answer = await ask(proxy.port, b'{"model":"any","input":"x","requests":[]}', path, method)

    assert (answer.status, answer.headers["x-moos-skipped"]) == (200, "endpoint")
    assert "x-moos-tokens-before" not in answer.headers


async def test_metrics_count_it_and_name_paths_from_a_fixed_set(proxy: LiveProxy) -> None:
    async def told() -> str:
        return (await ask(proxy.port, b"", "/metrics", "GET")).body.decode()

    def count(text: str) -> float:
        lines = [line for line in text.splitlines() if line.startswith('moos_parts_total{outcome="endpoint"}')]
        return float(lines[0].split()[-1]) if lines else 0

    before = count(await told())
    await ask(proxy.port, b"", "/v1/responses/resp_9z", "GET")
    await ask(proxy.port, body_for("messages", "any"), "/v1/messages")
    after = await told()

    assert count(after) == before + 1
    assert 'endpoint="/responses/*"' in after
    assert 'endpoint="/messages"' in after
    assert "resp_9z" not in after


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/files"])
async def test_methods_that_no_api_has_are_refused(
    proxy: LiveProxy, upstream: ScriptedUpstream, method: str, path: str
) -> None:
    before = len(upstream.received)
    async with connected(proxy.port) as (reader, writer):
        writer.write(raw_request(path, b"", method))
        answer = await read_response(reader)

    assert answer.status in (400, 405)  # the parser itself knows no TRACK
    assert answer.status == 405 or method == "TRACK"
    assert len(upstream.received) == before
    if answer.status == 405:
        assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("target", ["127.0.0.1:9", "/v1/chat/completions", "http://127.0.0.1/v1/models"])
async def test_no_tunnel_is_opened(proxy: LiveProxy, upstream: ScriptedUpstream, target: str) -> None:
    before = len(upstream.received)
    async with connected(proxy.port) as (reader, writer):
        writer.write(f"CONNECT {target} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        answer = await read_response(reader)

    assert answer.status == 405
    assert len(upstream.received) == before


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime", "/v1/messages", "/responses"])
async def test_a_websocket_is_told_the_way_over_http(
    proxy: LiveProxy, upstream: ScriptedUpstream, path: str
) -> None:
    before = len(upstream.received)
    async with connected(proxy.port) as (reader, writer):
        writer.write(
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\n"
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n".encode()
        )
        answer = await read_response(reader)

    assert answer.status == 400
    assert "POST /v1/responses" in fault(path.strip("/").split("/")[-1], answer)[1]
    assert len(upstream.received) == before


async def test_a_websocket_of_another_server_is_closed_before_it_is_accepted(proxy: LiveProxy) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/responses", "headers": [], "extensions": {}}
    await proxy.app(scope, receive, send)
    with_answer = {**scope, "extensions": {"websocket.http.response": {}}}
    await proxy.app(with_answer, receive, send)

    assert [message["type"] for message in sent] == [
        "websocket.close", "websocket.http.response.start", "websocket.http.response.body",
    ]  # fmt: skip
    assert sent[1]["status"] == 400
    assert b"POST /v1/responses" in sent[2]["body"]


@by_door
async def test_our_own_errors_have_the_doors_shape_whoever_makes_them(
    proxy: LiveProxy, keyed_proxy: LiveProxy, door: str
) -> None:
    locked = await ask(keyed_proxy.port, body_for(door, "m"), PATHS[door])
    dead = await ask(proxy.port, body_for(door, "dead"), PATHS[door])

    assert locked.status == 401
    assert fault(door, locked)[0] == ("authentication_error" if door == "messages" else "invalid_request_error")
    assert dead.status == 502
    assert fault(door, dead)[0] == "api_error"
    if door != "chat":
        unserved = await ask(proxy.port, body_for(door, "echo"), PATHS[door])
        assert unserved.status == 404
        assert "echo upstream" in fault(door, unserved)[1]


async def test_a_key_may_come_as_x_api_key(keyed_proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("theirs")
    answer = await ask(keyed_proxy.port, body_for("messages", model), "/v1/messages", x_api_key=TEAM_KEYS["hard"])
    both = await ask(
        keyed_proxy.port, body_for("messages", model), "/v1/messages",
        x_api_key=TEAM_KEYS["gentle"], authorization="Bearer somebody-elses",
    )  # fmt: skip
    wrong = await ask(keyed_proxy.port, body_for("messages", model), "/v1/messages", x_api_key="sk-wrong")

    assert answer.headers["x-moos-policy"] == "hard"
    assert both.headers["x-moos-policy"] == "gentle"
    assert wrong.status == 401
    assert not any(
        "sk-moos" in value or "somebody" in value for r in upstream.all(model) for _, value in r.headers
    )
