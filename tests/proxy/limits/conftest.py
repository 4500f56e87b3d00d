"""A real proxy for each set of bounds, with a state folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from moosproxy.policies.files.load import load
from moosproxy.policies.keys import hash_key
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream

KEYS = {name: f"sk-moos-{name}-0123456789" for name in ("search", "sales", "admin", "metrics", "other")}
POLICIES = """
defaults: {{min_tokens: 20}}
upstreams:
  main: {{kind: openai, base_url: "{url}", prices: {prices}}}
  claude: {{kind: anthropic, base_url: "{url}"}}
routes:
  - {{match: {{model: "claude*"}}, upstreams: claude}}
  - {{upstreams: main}}
"""

Limited = Callable[..., LiveProxy]


@pytest.fixture
def limited(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[Limited]:
    """Starts a proxy. bounds: YAML beside the upstreams, with {search} and so on for the hash of a key."""
    with ExitStack() as stack:

        def start(
            bounds: str, folder: str = "state", price: Any = None, prices: str = "{}", **settings: Any
        ) -> LiveProxy:
            hashes = {name: f'"{hash_key(key)}"' for name, key in KEYS.items()}
            file = tmp_path / "moos.yaml"
            file.write_text(POLICIES.format(url=upstream.url, prices=prices) + bounds.format(**hashes))
            options = Settings(state_dir=tmp_path / folder, **settings)
            app = create_app(options, load(file), FakeCompressor(), price=price)
            return stack.enter_context(LiveProxy(app))

        yield start


def bearer(name: str) -> str:
    """The header of a team's key."""
    return f"Bearer {KEYS[name]}"
