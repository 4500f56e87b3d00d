"""Scopes, expiry and revocation of keys, and whose figures a key sees."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from moosproxy.policies.key_cli import key as key_command
from moosproxy.policies.keys import hash_key
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.limits.conftest import Limited, bearer
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.wire import ask, chat

SCOPES = """
keys:
  - {{sha256: {admin}, scope: admin}}
  - {{sha256: {metrics}, scope: metrics}}
teams:
  search: {{keys: [{search}, {{sha256: {other}, scope: metrics}}]}}
  sales: {{keys: [{sales}]}}
"""


@pytest.mark.parametrize(
    ("key", "allowed"), [("search", 200), ("sales", 200), ("admin", 200), ("metrics", 403), ("other", 403)]
)
async def test_only_keys_that_may_send_do(limited: Limited, key: str, allowed: int) -> None:
    proxy = limited(SCOPES)
    answer = await ask(proxy.port, chat("m"), authorization=bearer(key))

    assert answer.status == allowed
    if allowed == 403:
        assert answer.json()["error"]["code"] == "key_reads_figures_only"


async def test_a_key_sees_the_figures_of_its_team_alone(limited: Limited) -> None:
    proxy = limited(SCOPES)
    for key in ("search", "sales", "sales"):
        await ask(proxy.port, chat("m"), authorization=bearer(key))
    figures = {
        key: (await ask(proxy.port, b"", "/metrics", "GET", authorization=bearer(key))).body.decode()
        for key in ("search", "other", "sales", "admin", "metrics")
    }

    for key, own, foreign in (("search", 1, "sales"), ("other", 1, "sales"), ("sales", 2, "search")):
        team = "sales" if key == "sales" else "search"
        assert f'status="200",team="{team}"}} {own}.0' in figures[key]
        assert foreign not in figures[key]
        assert "moos_proxy_seconds" not in figures[key]
    for key in ("admin", "metrics"):
        assert 'team="search"' in figures[key]
        assert 'team="sales"' in figures[key]
        assert "moos_proxy_seconds" in figures[key]


async def test_an_admin_reaches_what_teams_do_not(limited: Limited, upstream: ScriptedUpstream) -> None:
    proxy = limited(SCOPES)
    team = await ask(proxy.port, b"", "/v1/files", "GET", authorization=bearer("search"))
    admin = await ask(proxy.port, b"", "/v1/files", "GET", authorization=bearer("admin"))

    assert (team.status, admin.status) == (403, 200)


async def test_a_key_stops_working_when_it_expires(limited: Limited) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    proxy = limited('teams: {{search: {{keys: [{{sha256: {search}, expires: "WHEN"}}]}}}}'.replace("WHEN", soon))
    before = await ask(proxy.port, chat("m"), authorization=bearer("search"))
    await asyncio.sleep(3.1)
    after = await ask(proxy.port, chat("m"), authorization=bearer("search"))
    page = await ask(proxy.port, b"", "/metrics", "GET", authorization=bearer("search"))

    assert (before.status, after.status, page.status) == (200, 401, 401)
    assert after.json()["error"]["code"] == "expired_api_key"
    assert hash_key(bearer("search").removeprefix("Bearer "))[:12] in after.json()["error"]["message"]


async def test_a_revoked_key_is_refused_without_a_restart(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    main = tmp_path / "moos.yaml"
    main.write_text(f'upstreams: {{main: {{kind: openai, base_url: "{upstream.url}"}}}}\n')
    made = [
        CliRunner().invoke(key_command, ["new", "-c", str(main), "--create", "--team", "search"]).stdout.strip()
        for _ in range(2)
    ]
    settings = Settings(policies=main, state_dir=tmp_path / "state")
    with LiveProxy(create_app(settings, compressor=FakeCompressor())) as live:
        assert (await ask(live.port, chat("m"), authorization=f"Bearer {made[0]}")).status == 200
        done = CliRunner().invoke(key_command, ["revoke", "-c", str(main), hash_key(made[0])[:12]])
        assert done.exit_code == 0
        give_up = time.monotonic() + 10
        status = 200
        while status == 200 and time.monotonic() < give_up:
            await asyncio.sleep(0.1)
            status = (await ask(live.port, chat("m"), authorization=f"Bearer {made[0]}")).status
        assert status == 401
        assert (await ask(live.port, chat("m"), authorization=f"Bearer {made[1]}")).status == 200
