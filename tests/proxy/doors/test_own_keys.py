"""No key of this proxy leaves it, whoever's it is and however it is written."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from moosproxy.policies.keys import KeyRing, hash_key
from moosproxy.proxy.routes.own_keys import OwnKeys
from tests.proxy.conftest import TEAM_KEYS
from tests.proxy.doors.conftest import KEYS
from tests.proxy.doors.test_routes import body_for
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, fresh

KEY, OTHER = KEYS["plain"], KEYS["stores"]


def spellings(key: str) -> dict[str, str]:
    """Ways in which a key may be written."""
    raw = key.encode()
    every = "".join(f"%{byte:02X}" for byte in raw)
    return {
        "plain": key,
        "percent": every,
        "twice": quote(every, safe=""),
        "thrice": quote(quote(every, safe=""), safe=""),
        "partly": every[:30] + key[10:],
        "form": quote_plus(f"a b={key}&c"),
        "base64": base64.b64encode(raw).decode(),
        "url-safe": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "basic": "Basic " + base64.b64encode(b"user:" + raw).decode(),
        "glued": "k-" + base64.b64encode(raw).decode(),
        "base64 in percent": quote(base64.b64encode(every.encode()).decode(), safe=""),
        "hex": raw.hex(),
        "unicode": "".join(f"\\u{byte:04x}" for byte in raw),
        "entities": "".join(f"&#{byte};" for byte in raw),
        "in json": json.dumps({"key": key}),
        "glued plain": f"x{key}y",
    }


@pytest.mark.parametrize("form", spellings(KEY))
@pytest.mark.parametrize("key", [KEY, OTHER], ids=["own", "another's"])
async def test_no_teams_key_leaves_in_a_header_a_query_or_a_path(
    teams: LiveProxy, upstream: ScriptedUpstream, form: str, key: str
) -> None:
    written, model, before = spellings(key)[form], fresh("leak"), len(upstream.received)
    body = json.dumps(body_for("chat", model)).encode()
    for name in ("x-anything", "referer", "api-key", "cookie", "x-goog-api-key", "user-agent"):
        await ask(teams.port, body, authorization=f"Bearer {KEY}", **{name: written})
        assert not any(key in value or written in value for _, value in upstream.last(model).headers)
    if not set(written) & set(' "#'):
        in_query = await ask(teams.port, body, f"/v1/chat/completions?k={written}", authorization=f"Bearer {KEY}")
        assert in_query.status == 400
        assert in_query.json()["error"]["code"] == "key_in_address"
        in_path = await ask(teams.port, b"", f"/v1/models/{written}", "GET", authorization=f"Bearer {KEY}")
        assert in_path.status in (400, 404)  # 404 where it is encoded beyond reason, or has a backslash
        assert key not in in_query.body.decode() + in_path.body.decode()
    assert len(upstream.received) == before + 6


async def test_a_key_beside_a_providers_own_does_not_pass_for_one(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("basic")
    basic = base64.b64encode(f"user:{TEAM_KEYS['gentle']}".encode()).decode()
    await ask(
        keyed_proxy.port, body_for("chat", model), x_moos_key=TEAM_KEYS["hard"], authorization=f"Basic {basic}"
    )

    assert upstream.last(model).header("authorization") == "Bearer sk-of-the-upstream"


async def test_a_key_as_a_request_id_is_not_logged(teams: LiveProxy) -> None:
    answer = await ask(teams.port, body_for("chat", "m"), authorization=f"Bearer {KEY}", x_request_id=KEY)

    assert answer.headers["x-moos-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "value",
    [
        b"OpenAI/Python 2.54.0",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"application/json",
        b"gzip, deflate, br, zstd",
        b"sk-somebody-elses-key-which-is-quite-long",
        b"a%20b%2Fc",
        b"Y2xhdWRlLWNvZGU6dGhlIHRvb2w=",
    ],
)
def test_what_is_no_key_of_ours_passes(value: bytes) -> None:
    own_keys = OwnKeys(KeyRing.of([(hash_key(KEY), "plain")]), KEY)

    assert not own_keys.inside(value)
    assert not own_keys.in_header(b"x-anything", value)


@pytest.mark.parametrize("unit", [b"%25", b"YWJj", b"a+", b"&amp;", b"\\u0025", b"6162", b"sk-moos-", b"word "])
def test_a_head_of_nothing_but_escapes_takes_no_time(unit: bytes) -> None:
    own_keys = OwnKeys(KeyRing.of([(hash_key(KEY), "plain")]), KEY)
    began = time.perf_counter()
    assert not own_keys.inside(unit * (32_000 // len(unit)))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "name",
    [KEY.lower(), KEY.encode().hex(), base64.b64encode(KEY.encode()).decode().rstrip("=").lower()],
    ids=["plain", "hex", "base64"],
)
def test_the_callers_key_is_found_in_a_headers_name(name: str) -> None:
    own_keys = OwnKeys(KeyRing.of([(hash_key(KEY), "plain")]), KEY)

    assert own_keys.in_header(f"x-{name}".encode(), b"1")
    assert not own_keys.in_header(b"x-stainless-runtime-version", b"3.11")
