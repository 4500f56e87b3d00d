"""One real proxy and one scripted upstream for the whole run; tests keep apart by the words in their requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moosproxy.policies.files.load import load
from moosproxy.policies.keys import hash_key
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream

UPSTREAM_KEY = "sk-of-the-upstream"
TEAM_KEYS = {"gentle": "sk-moos-gentle-key", "hard": "sk-moos-hard-key"}

# Port 9 is the discard service: nothing listens there.
OPEN = """
defaults: {{min_tokens: 20}}
upstreams:
  main: {{kind: openai, base_url: "{url}", api_key: {key}}}
  second: {{kind: openai, base_url: "{root}/second/v1"}}
  dead: {{kind: openai, base_url: "http://127.0.0.1:9/v1"}}
  brief: {{kind: openai, base_url: "{url}", timeouts: {{connect_s: 0.3, first_byte_s: 0.3, read_s: 0.3}}}}
  mapped: {{kind: openai, base_url: "{url}", model_map: {{"mapped*": its-own-name}}}}
  claude: {{kind: anthropic, base_url: "{url}", api_key: {key}}}
  echo: {{kind: echo}}
routes:
  - {{match: {{model: "claude*"}}, upstreams: [claude]}}
  - {{match: {{model: "echo*"}}, upstreams: [echo]}}
  - {{match: {{model: "fallback*"}}, upstreams: [main, second]}}
  - {{match: {{model: "dead-then*"}}, upstreams: [dead, second]}}
  - {{match: {{model: "dead*"}}, upstreams: [dead]}}
  - {{match: {{model: "brief*"}}, upstreams: [brief]}}
  - {{match: {{model: "mapped*"}}, upstreams: [mapped]}}
  - {{match: {{model: "off*"}}, upstreams: [main], overrides: {{enabled: false}}}}
  - {{match: {{model: "shadow*"}}, upstreams: [main], overrides: {{shadow: true}}}}
  - {{match: {{model: "passkey*"}}, upstreams: [main], overrides: {{forward_caller_key: true}}}}
  - {{match: {{model: "strict*"}}, upstreams: [main], overrides: {{on_error: reject}}}}
  - {{upstreams: [main]}}
"""

KEYED = """
upstreams:
  main: {{kind: openai, base_url: "{url}", api_key: {key}}}
policies:
  gentle: {{ratio: 2, max_ratio: 2, min_tokens: 20, allow_bypass: false}}
  hard: {{ratio: 4, min_tokens: 20, forward_caller_key: true}}
routes:
  - {{match: {{endpoint: "*"}}}}
teams:
  gentle: {{policy: gentle, keys: ["{gentle}"]}}
  hard: {{policy: hard, keys: ["{hard}"]}}
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    providers = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")
    for name in (*providers, "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def upstream() -> Iterator[ScriptedUpstream]:
    """Answers `{}` unless a test has put a script in."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="session")
def settings() -> Settings:
    """A small bound on bodies, else the defaults."""
    return Settings(max_body_bytes=2_000_000)


@pytest.fixture(scope="session")
def policy_set(upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    """Routes by the model's name, without keys."""
    file = tmp_path_factory.mktemp("open") / "moos.yaml"
    root = upstream.url.removesuffix("/v1")
    file.write_text(OPEN.format(url=upstream.url, root=root, key=UPSTREAM_KEY))
    return load(file)


@pytest.fixture(scope="session")
def proxy(settings: Settings, policy_set: PolicySet) -> Iterator[LiveProxy]:
    """Without keys, with a compressor that keeps every second word."""
    with LiveProxy(create_app(settings, policy_set, FakeCompressor())) as live:
        yield live


@pytest.fixture(scope="session")
def keyed_proxy(
    settings: Settings, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveProxy]:
    """Two teams: gentle may not go above ratio 2, hard is compressed by 4 and passes its callers' keys on."""
    file = tmp_path_factory.mktemp("keyed") / "moos.yaml"
    hashes = {team: hash_key(key) for team, key in TEAM_KEYS.items()}
    file.write_text(KEYED.format(url=upstream.url, key=UPSTREAM_KEY, **hashes))
    with LiveProxy(create_app(settings, load(file), FakeCompressor())) as live:
        yield live
