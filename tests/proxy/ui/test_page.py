"""The page's files and figures: who gets them, how, and that nothing of a request's text is in them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from moosproxy.policies.files.load import load
from moosproxy.policies.keys import hash_key
from moosproxy.proxy.app import create_app
from moosproxy.proxy.routes.ui import assets
from moosproxy.proxy.settings import Settings
from tests.proxy.conftest import TEAM_KEYS
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy
from tests.proxy.wire import ask, chat, fresh, long_text

UI = Path(__file__).parents[3] / "proxy" / "ui"
SECRET = "swordfish"
SCOPES = """
upstreams: {{echo: {{kind: echo}}}}
keys: [{{sha256: {admin}, scope: admin}}, {{sha256: {reads}, scope: metrics}}]
teams: {{a: {{keys: [{a}]}}, b: {{keys: [{b}]}}}}
"""


@pytest.fixture
async def session(proxy: LiveProxy) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(proxy.url) as opened:
        yield opened


async def figures(session: aiohttp.ClientSession, view: str, **headers: str) -> tuple[int, Any]:
    async with session.get(f"/ui/data/{view}", headers=headers) as answer:
        assert answer.status != 200 or answer.headers["cache-control"] == "no-store"
        return answer.status, await answer.json()


async def test_every_file_of_the_folder_is_served_with_its_kind(session: aiohttp.ClientSession) -> None:
    served = assets.read()

    assert {f"/ui/{file.relative_to(UI).as_posix()}" for file in UI.rglob("*.[jc]s*")} <= set(served)
    for path, asset in served.items():
        async with session.get(path) as answer:
            assert (answer.status, answer.headers["content-type"]) == (200, asset.kind)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert await answer.read() == asset.body


async def test_a_file_that_has_not_changed_is_not_sent_again(session: aiohttp.ClientSession) -> None:
    async with session.get("/ui/app.js") as first:
        tag = first.headers["etag"]
    async with session.get("/ui/app.js", headers={"if-none-match": tag}) as again:
        assert (again.status, await again.read()) == (304, b"")
    async with session.get("/ui/app.js", headers={"if-none-match": '"other"'}) as other:
        assert other.status == 200


def test_the_page_names_no_other_host_and_has_no_script_of_its_own() -> None:
    html = (UI / "index.html").read_text(encoding="utf-8")
    own = [
        file for file in UI.rglob("*") if file.suffix in (".html", ".css", ".js") and "vendor" not in file.parts
    ]

    assert not re.search(r"<script(?![^>]*src=)|style=|\son\w+=|<style", html)
    for file in own:
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|\beval\(", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ["/ui/nothing.js", "/ui/../settings.py", "/ui/%2e%2e/settings.py", "/ui/data"])
async def test_there_is_nothing_beside_the_files(proxy: LiveProxy, path: str) -> None:
    assert (await ask(proxy.port, b"", path, "GET")).status == 404


async def test_the_page_can_be_switched_off() -> None:
    with LiveProxy(create_app(Settings(ui="off"), compressor=FakeCompressor())) as live:
        for path in ("/ui", "/ui/app.js", "/ui/data/live"):
            assert (await ask(live.port, b"", path, "GET")).status == 404


@pytest.mark.parametrize("view", ["options", "live", "summary"])
async def test_where_there_are_keys_the_files_need_none_and_the_figures_do(
    keyed_proxy: LiveProxy, view: str
) -> None:
    async with aiohttp.ClientSession(keyed_proxy.url) as session:
        async with session.get("/ui") as page:
            assert page.status == 200
        assert (await figures(session, view))[0] == 401
        assert (await figures(session, view, authorization="Bearer sk-moos-wrong"))[0] == 401
        assert (await figures(session, view, authorization=f"Bearer {TEAM_KEYS['hard']}"))[0] == 200


@pytest.mark.parametrize("host", ["moos.example", "127.0.0.1.example", "10.0.0.1", "test", "[", ""])
async def test_without_keys_a_name_of_somebody_elses_shows_nothing(
    session: aiohttp.ClientSession, host: str
) -> None:
    status, told = await figures(session, "live", host=host)

    assert status == 403
    assert "moos key new" in told["error"]["message"]


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
async def test_without_keys_nothing_is_shown_through_a_proxy_in_front(
    session: aiohttp.ClientSession, name: str
) -> None:
    status, told = await figures(session, "live", **{name: "for=192.0.2.7"})

    assert (status, "moos key new" in told["error"]["message"]) == (403, True)


@pytest.mark.parametrize("host", ["localhost:8686", "127.0.0.1", "[::1]:1"])
async def test_this_machine_is_known_by_its_names(session: aiohttp.ClientSession, host: str) -> None:
    assert (await figures(session, "live", host=host))[0] == 200


async def test_live_shows_counts_and_names_and_no_text(proxy: LiveProxy, session: aiohttp.ClientSession) -> None:
    text = long_text(100, fresh(SECRET))
    await ask(proxy.port, chat(fresh("echo"), text), x_request_id="seen-on-the-page")
    _, told = await figures(session, "live")
    row = told["requests"][0]

    assert (row["endpoint"], row["upstream"], row["policy"], row["status"]) == (
        "/chat/completions", "echo", "default", 200,
    )  # fmt: skip
    assert (row["tokens_before"], row["tokens_after"], row["outcomes"]) == (100, 50, {"compressed": 1})
    assert 0 < row["seconds"] < 30
    assert SECRET not in str(told)


async def test_a_team_sees_its_own_requests_and_policies(keyed_proxy: LiveProxy) -> None:
    keys = {team: {"authorization": f"Bearer {key}"} for team, key in TEAM_KEYS.items()}
    for key in keys.values():
        await ask(keyed_proxy.port, {"text": "hi"}, "/v1/compress", **key)
    async with aiohttp.ClientSession(keyed_proxy.url) as session:
        for team, key in keys.items():
            _, live = await figures(session, "live", **key)
            _, options = await figures(session, "options", **key)
            assert {row["team"] for row in live["requests"]} == {team}
            assert [policy["name"] for policy in options["policies"]] == [team]
            assert options["team"] == team


@pytest.mark.parametrize(("key", "seen"), [("admin", {"a", "b"}), ("reads", {"a", "b"}), ("a", {"a"})])
async def test_a_key_of_no_team_sees_all_teams(tmp_path: Path, key: str, seen: set[str]) -> None:
    file = tmp_path / "moos.yaml"
    hashes = {name: hash_key(f"sk-moos-{name}") for name in ("admin", "reads", "a", "b")}
    file.write_text(SCOPES.format(**hashes))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        for team in ("a", "b"):
            await ask(live.port, chat("echo"), authorization=f"Bearer sk-moos-{team}")
        async with aiohttp.ClientSession(live.url) as session:
            _, told = await figures(session, "live", authorization=f"Bearer sk-moos-{key}")

    assert {row["team"] for row in told["requests"]} == seen
    assert (told["in_flight"] is None) == (key == "a")


async def test_the_last_requests_have_a_bound(proxy: LiveProxy, session: aiohttp.ClientSession) -> None:
    for _ in range(210):
        async with session.post("/v1/compress", json={"text": "hi"}) as answer:
            await answer.read()
    _, told = await figures(session, "live")

    assert len(told["requests"]) == 200


@pytest.mark.parametrize("query", ["since=7", "since=0d", "since=401d", "since=-1d", "by=colour", "by=team;model"])
async def test_a_time_or_group_that_is_none_is_named(session: aiohttp.ClientSession, query: str) -> None:
    status, told = await figures(session, f"summary?{query}")

    assert status == 400
    assert told["error"]["param"] == query.partition("=")[0]


async def test_of_several_workers_the_ledger_shows_the_last_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings = Settings(ledger=SecretStr(str(tmp_path / "ledger.sqlite")))
    model = fresh("several")
    with LiveProxy(create_app(settings, compressor=FakeCompressor())) as live:
        await ask(live.port, chat(model, long_text(700)))
        async with aiohttp.ClientSession(live.url) as session:
            for _ in range(200):
                rows = (await figures(session, "live"))[1]["requests"]
                if rows:
                    break
                await asyncio.sleep(0.05)

    assert (rows[0]["model"], rows[0]["endpoint"], rows[0]["status"]) == (model, "/chat/completions", 200)
    assert (rows[0]["tokens_before"], rows[0]["tokens_after"]) == (700, 350)
    assert rows[0]["outcomes"] == {"compressed": None}
    assert 0 < rows[0]["seconds"] < 30
