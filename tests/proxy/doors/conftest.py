"""A proxy for three teams that differ in what they reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moosproxy.policies.files.load import load
from moosproxy.policies.keys import hash_key, new_key
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream

TEAMS = """
upstreams: {{main: {{kind: openai, base_url: "{url}", api_key: sk-of-the-upstream}}}}
policies:
  plain: {{}}
  stores: {{endpoints: [chat, "files*", "responses/*"]}}
  all: {{endpoints: ["*"]}}
routes: [{{}}]
teams:
  plain: {{policy: plain, keys: ["{plain}"]}}
  stores: {{policy: stores, keys: ["{stores}"]}}
  all: {{policy: all, keys: ["{all}"]}}
"""
KEYS = {team: new_key() for team in ("plain", "stores", "all")}


@pytest.fixture(scope="module")
def teams(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """Three teams that differ in what they reach; nothing is forwarded of their keys."""
    file: Path = tmp_path_factory.mktemp("teams") / "moos.yaml"
    file.write_text(TEAMS.format(url=upstream.url, **{team: hash_key(key) for team, key in KEYS.items()}))
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as live:
        yield live
