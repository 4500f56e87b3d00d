"""Who gets in, whose policy holds, and which keys travel on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from starlette.types import Message

from moosproxy.policies.builtin import default_set
from moosproxy.policies.keys import Key, KeyRing, hash_key
from moosproxy.policies.model import Policy
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.errors import InvalidKey
from moosproxy.proxy.opening.policies import objection
from moosproxy.proxy.routes.auth import authenticate, refusal
from moosproxy.proxy.settings import Settings
from tests.proxy.conftest import TEAM_KEYS, UPSTREAM_KEY
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat, fresh, long_text

GENTLE, HARD = (f"Bearer {TEAM_KEYS[team]}" for team in ("gentle", "hard"))


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer ", "Bearer sk-wrong", "Basic c2s6c2s=", "sk-moos-gentle-key", "Bearer \xff"],
)
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/models", "/v1/compress", "/chat/completions", "/nope"]
)
async def test_without_a_known_key_there_is_401(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream, value: str | None, path: str
) -> None:
    model = fresh("locked")
    headers = {} if value is None else {"authorization": value}
    answer = await ask(keyed_proxy.port, chat(model), path, **headers)

    assert answer.status == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert not upstream.all(model)


@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/readyz"])
async def test_health_needs_no_key(keyed_proxy: LiveProxy, path: str) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{keyed_proxy.port}") as session:
        for method in ("GET", "HEAD"):
            async with session.request(method, path, allow_redirects=False) as answer:
                assert answer.status == 200


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json"])
async def test_every_other_page_needs_a_key(keyed_proxy: LiveProxy, path: str) -> None:
    assert (await ask(keyed_proxy.port, b"", path, "GET")).status == 401
    assert (await ask(keyed_proxy.port, b"", path, "GET", authorization="Bearer wrong")).status == 401
    assert (await ask(keyed_proxy.port, b"", path, "GET", authorization=HARD)).status == 200


async def test_readiness_tells_details_to_those_with_a_key(keyed_proxy: LiveProxy) -> None:
    known = (await ask(keyed_proxy.port, b"", "/readyz", "GET", authorization=HARD)).json()
    stranger = (await ask(keyed_proxy.port, b"", "/readyz", "GET")).json()

    assert any("detail" in check for check in known["checks"].values())
    assert not any("detail" in check for check in stranger["checks"].values())
    assert {name: check["state"] for name, check in known["checks"].items()} == {
        name: check["state"] for name, check in stranger["checks"].items()
    }


async def test_two_teams_are_compressed_by_their_own_policies(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    lengths = {}
    for team, key in (("gentle", GENTLE), ("hard", HARD)):
        model = fresh(team)
        answer = await ask(keyed_proxy.port, chat(model, long_text(200)), authorization=key, x_moos_ratio="3.999")
        lengths[team] = len(json.loads(upstream.last(model).body)["messages"][0]["content"].split())
        assert answer.headers["x-moos-policy"] == team

    assert lengths["gentle"] == 100  # 3.999 was clamped to its max_ratio of 2
    assert lengths["hard"] < 70


@pytest.mark.parametrize("wish", [{"x_moos_bypass": "true"}, {"x_moos_ratio": "1"}])
async def test_a_bypass_that_the_policy_forbids_does_nothing(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream, wish: dict[str, str]
) -> None:
    allowed, forbidden = fresh("bypass"), fresh("bypass")
    await ask(keyed_proxy.port, chat(allowed, long_text()), authorization=HARD, **wish)
    await ask(keyed_proxy.port, chat(forbidden, long_text()), authorization=GENTLE, **wish)

    assert long_text().encode() in upstream.last(allowed).body
    assert long_text().encode() not in upstream.last(forbidden).body


async def test_a_teams_key_never_goes_upstream(keyed_proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    for key in (GENTLE, HARD):
        model = fresh("kept")
        await ask(keyed_proxy.port, chat(model), authorization=key, x_api_key=key)
        received = upstream.last(model)

        assert received.header("authorization") == f"Bearer {UPSTREAM_KEY}"
        assert not any("sk-moos" in value for _, value in received.headers)


async def test_beside_a_teams_key_the_callers_own_passes_where_the_policy_says_so(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    seen = {}
    for team in ("gentle", "hard"):
        model = fresh("own")
        await ask(keyed_proxy.port, chat(model), authorization="Bearer sk-callers", x_moos_key=TEAM_KEYS[team])
        seen[team] = upstream.last(model).header("authorization")

    assert seen == {"gentle": f"Bearer {UPSTREAM_KEY}", "hard": "Bearer sk-callers"}


async def test_a_teams_key_in_both_places_stays_here(keyed_proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("both")
    await ask(keyed_proxy.port, chat(model), authorization=GENTLE, x_moos_key=TEAM_KEYS["hard"])

    assert upstream.last(model).header("authorization") == f"Bearer {UPSTREAM_KEY}"


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": TEAM_KEYS["hard"]},
        {"api_key": TEAM_KEYS["gentle"]},
        {"authorization": TEAM_KEYS["hard"]},
        {"authorization": f"Basic {TEAM_KEYS['hard']}"},
        {"x_anything": f"key={TEAM_KEYS['hard']}"},
    ],
)
async def test_a_teams_key_stays_here_in_whatever_header_and_form_it_came(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream, fields: dict[str, str]
) -> None:
    model = fresh("leak")
    await ask(keyed_proxy.port, chat(model), x_moos_key=TEAM_KEYS["hard"], **fields)

    received = upstream.last(model)
    assert received.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert not any(key in value for key in TEAM_KEYS.values() for _, value in received.headers)


async def test_the_callers_own_key_goes_out_in_the_header_it_came_in_and_alone(
    keyed_proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("azure")
    await ask(keyed_proxy.port, chat(model), x_moos_key=TEAM_KEYS["hard"], api_key="callers")

    assert upstream.last(model).header("api-key") == "callers"
    assert upstream.last(model).header("authorization") is None


async def test_without_keys_any_key_is_taken_but_stays_here(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("open")
    await ask(proxy.port, chat(model), authorization="Bearer whatever")

    assert upstream.last(model).header("authorization") == f"Bearer {UPSTREAM_KEY}"


async def test_without_keys_the_callers_key_passes_where_the_policy_says_so(
    proxy: LiveProxy, upstream: ScriptedUpstream
) -> None:
    model = fresh("passkey")
    await ask(proxy.port, chat(model), authorization="Bearer sk-mine", openai_organization="org")

    assert upstream.last(model).header("authorization") == "Bearer sk-mine"
    assert upstream.last(model).header("openai-organization") == "org"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert refusal(host, default_set()) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.evil.org", "", "1270.0.0.1"])
def test_any_other_address_is_refused_without_keys(host: str) -> None:
    assert "moos key new" in (refusal(host, default_set()) or "")


def test_any_address_may_be_used_with_keys() -> None:
    keys = KeyRing.of([(hash_key("sk"), "team")])

    assert refusal("0.0.0.0", PolicySet({None: ()}, {}, keys)) is None


async def test_the_application_itself_refuses_an_open_address() -> None:
    app = create_app(Settings(host="0.0.0.0", compressor="off"))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="without keys"):
        await app({"type": "lifespan"}, receive, send)

    assert sent[0]["type"] == "lifespan.startup.failed"


def test_the_scheme_may_be_spelled_in_any_case() -> None:
    policies = PolicySet({None: ()}, {}, KeyRing.of([(hash_key("sk"), "team")]))

    assert authenticate(policies, {"authorization": "bearer  sk "}).team == "team"
    assert not authenticate(policies, {"authorization": "bearer sk"}).forwards_key(Policy(forward_caller_key=True))
    twice = [(b"authorization", b"Bearer sk"), (b"authorization", b"Bearer other")]
    caller = authenticate(policies, {"x-moos-key": "sk", "authorization": "Bearer other"}, twice)
    assert not caller.forwards_key(Policy(forward_caller_key=True))
    with pytest.raises(InvalidKey):
        authenticate(policies, {"x-moos-key": "", "authorization": "bearer sk"})


@pytest.mark.parametrize("first", ["sk-over", "sk-unknown"])
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_keys_the_good_one_counts_whatever_the_other_is(first: str, turned: bool) -> None:
    entries = (
        Key(bytes.fromhex(hash_key("sk-over")), "old", expires=1.0),
        Key(bytes.fromhex(hash_key("sk")), "team"),
    )
    policies = PolicySet({None: ()}, {}, KeyRing(entries))
    bearer, other = ("sk", first) if turned else (first, "sk")

    assert authenticate(policies, {"authorization": f"Bearer {bearer}", "x-api-key": other}).team == "team"
    with pytest.raises(InvalidKey) as refused:
        authenticate(policies, {"authorization": "Bearer sk-unknown", "x-api-key": first})
    assert refused.value.code == ("expired_api_key" if first == "sk-over" else "invalid_api_key")


@pytest.mark.parametrize("gone", ["folder", "file"])
async def test_a_reload_that_takes_away_the_last_key_does_not_let_everybody_in(
    upstream: ScriptedUpstream, tmp_path: Path, caplog: pytest.LogCaptureFixture, gone: str
) -> None:
    main, teams = tmp_path / "moos.yaml", tmp_path / "teams"
    teams.mkdir()
    main.write_text(
        f"upstreams: {{main: {{kind: openai, base_url: '{upstream.url}', api_key: {UPSTREAM_KEY}}}}}\n"
    )
    (teams / "hard.yaml").write_text(f"keys: ['{hash_key(TEAM_KEYS['hard'])}']\n")
    model = fresh("keyless")
    with LiveProxy(create_app(Settings(policies=main), compressor=FakeCompressor())) as live:
        if gone == "folder":
            teams.rename(tmp_path / "elsewhere")
        else:
            (teams / "hard.yaml").unlink()
        for _ in range(80):
            ready = (await ask(live.port, b"", "/readyz", "GET", authorization=HARD)).json()["checks"]["policies"]
            if ready["state"] != "ok":
                break
            await asyncio.sleep(0.1)
        refused = await ask(live.port, chat(model))
        served = await ask(live.port, chat(model), authorization=HARD)
        main.write_text(main.read_text() + f"teams: {{hard: {{keys: ['{hash_key('sk-moos-new')}']}}}}\n")
        for _ in range(80):
            if (await ask(live.port, chat(model), authorization="Bearer sk-moos-new")).status == 200:
                break
            await asyncio.sleep(0.1)
        old = await ask(live.port, chat(model), authorization=HARD)

    assert ready["state"] == "degraded"
    assert "no key" in ready["detail"]
    assert (refused.status, served.status, old.status) == (401, 200, 401)
    said = [record for record in caplog.records if "not taken over" in record.getMessage()]
    assert [record.levelname for record in said] == ["ERROR"]


def test_a_proxy_that_must_have_keys_does_not_start_without_any(tmp_path: Path) -> None:
    assert "MOOS_REQUIRE_KEYS" in str(objection(Settings(require_keys=True), default_set({})))
    assert objection(Settings(), default_set({})) is None
