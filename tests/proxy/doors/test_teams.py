"""What a team reaches at a provider whose account all teams share."""

from __future__ import annotations

import json

import pytest

from tests.proxy.doors.conftest import KEYS
from tests.proxy.doors.test_routes import PATHS, fault
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask

USUAL = [
    *(("POST", path) for path in PATHS.values()),
    ("POST", "/v1/responses/input_tokens"),
    ("POST", "/v1/responses/compact"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/moderations"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/m"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/chat%2fcompletions"),
]
STORED = [
    ("GET", "/v1/files"),
    ("POST", "/v1/files"),
    ("GET", "/v1/files/f/content"),
    ("GET", "/v1/fil%65s"),
    ("POST", "/v1/batches"),
    ("GET", "/v1/fine_tuning/jobs"),
    ("GET", "/v1/vector_stores"),
    ("GET", "/v1/responses/resp_1"),
    ("GET", "/v1/responses"),
    ("DELETE", "/v1/responses/resp_1"),
    ("GET", "/v1/responses%2fresp_1"),
    ("GET", "/v1/chat/completions"),
    ("GET", "/v1/chat/completions/c1"),
    ("DELETE", "/v1/models/m"),
    ("POST", "/v1/messages/batches"),
    ("GET", "/files"),
    ("GET", "/v1/models/..%2ffiles"),
    ("GET", "/v1//files"),
    ("GET", "/v1/Files"),
    ("POST", "/v1/audio/voices"),
]


def bearer(team: str) -> str:
    return f"Bearer {KEYS[team]}"


@pytest.mark.parametrize(("method", "path"), USUAL)
async def test_a_team_reaches_what_leaves_nothing_behind(teams: LiveProxy, method: str, path: str) -> None:
    body = json.dumps({"model": "m", "messages": [], "input": "x", "prompt": "x"}).encode()
    answer = await ask(teams.port, body if method == "POST" else b"", path, method, authorization=bearer("plain"))

    assert answer.status == 200


@pytest.mark.parametrize(("method", "path"), STORED)
async def test_a_team_reaches_what_is_stored_only_where_its_policy_says_so(
    teams: LiveProxy, upstream: ScriptedUpstream, method: str, path: str
) -> None:
    before = len(upstream.received)
    answer = await ask(teams.port, b"{}", path, method, authorization=bearer("plain"))
    refused = len(upstream.received) == before
    allowed = await ask(teams.port, b"{}", path, method, authorization=bearer("all"))

    assert answer.status == (404 if ".." in path else 403)
    assert refused
    assert allowed.status == (404 if ".." in path else 200)
    if answer.status == 403:
        kind, text = fault(path.split("/")[2] if path.startswith("/v1/") else "", answer)
        assert kind == ("permission_error" if "messages" in path else "invalid_request_error")
        assert "endpoints" in text


async def test_a_list_of_endpoints_replaces_the_usual_ones(teams: LiveProxy) -> None:
    statuses = {}
    for method, path in [("POST", "/v1/chat/completions"), ("GET", "/v1/files/f"), ("GET", "/v1/responses/resp_1"),
                         ("POST", "/v1/responses"), ("GET", "/v1/batches")]:  # fmt: skip
        answer = await ask(teams.port, b'{"messages":[]}', path, method, authorization=bearer("stores"))
        statuses[path] = answer.status

    assert statuses == {
        "/v1/chat/completions": 200,
        "/v1/files/f": 200,
        "/v1/responses/resp_1": 200,
        "/v1/responses": 403,
        "/v1/batches": 403,
    }
