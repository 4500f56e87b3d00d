"""The stability rule end to end: two proxies in processes of their own, what they share, bytes on the wire."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.live import ScriptedUpstream
from tests.proxy.redis_server import RedisServer, running_server  # noqa: F401
from tests.proxy.stability.proxy_process import ProxyProcess
from tests.proxy.stability.test_rewriters import TURNS, turn_of

POLICIES = """
defaults: {{deadline_ms: 500}}
upstreams:
  main: {{kind: openai, base_url: "{url}"}}
routes:
  - {{upstreams: [main]}}
"""


class Talk:
    """A conversation over HTTP that compares each request's bytes with those of the turn before."""

    def __init__(self, upstream: ScriptedUpstream, word: str) -> None:
        self._upstream = upstream
        self._model = word
        self._messages: list[dict[str, Any]] = []
        self._turns = 0
        self._prefix = b""
        self.skipped = ""

    def next(self, port: int) -> None:
        """One more turn through the proxy on this port."""
        self._messages += turn_of(self._turns)
        self._turns += 1
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json.dumps({"model": self._model, "messages": self._messages}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
            self.skipped = answer.headers.get("x-moos-skipped", "")
        received = self._upstream.last(self._model).body
        assert received.startswith(self._prefix), f"turn {self._turns} rewrote history"
        assert received.endswith(b"]}")
        self._prefix = received.removesuffix(b"]}")


@pytest.fixture
def start(
    upstream: ScriptedUpstream, redis_server: RedisServer, tmp_path: Path
) -> Iterator[Callable[[], ProxyProcess]]:
    policies = tmp_path / "moos.yaml"
    policies.write_text(POLICIES.format(url=upstream.url))
    started: list[ProxyProcess] = []

    def start() -> ProxyProcess:
        options = {"policies": str(policies), "redis_url": redis_server.url}
        started.append(ProxyProcess(**options, stall_file=str(tmp_path / "stall")))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.mark.slow
def test_bytes_sent_stay_sent_over_two_proxies_a_missed_deadline_restarts_and_the_death_of_redis(
    start: Callable[[], ProxyProcess], upstream: ScriptedUpstream, redis_server: RedisServer, tmp_path: Path
) -> None:
    proxies = start(), start()
    talk = Talk(upstream, "stable-talk")
    for number in range(TURNS):
        if number in (12, 13):
            proxies[number % 2].restart()
        if number == 20:
            redis_server.kill()
        if number == 6:
            (tmp_path / "stall").touch()
        talk.next(proxies[number % 2].port)
        (tmp_path / "stall").unlink(missing_ok=True)
        assert talk.skipped.count("=deadline") == (number >= 6)
    assert len(upstream.all("stable-talk")) == TURNS
    assert_cut_but_for_the_late_one(upstream)


@pytest.mark.slow
def test_bytes_sent_stay_sent_without_redis_over_a_missed_deadline_and_killed_proxies(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    policies, stall, shared = tmp_path / "moos.yaml", tmp_path / "stall", tmp_path / "shared"
    policies.write_text(POLICIES.format(url=upstream.url))
    shared.mkdir()
    options = {"policies": str(policies), "stall_file": str(stall), "cache_dir": str(shared)}
    with ProxyProcess(**options) as one, ProxyProcess(**options) as two:
        talk = Talk(upstream, "stable-talk")
        for number in range(TURNS):
            proxy = (one, two)[number % 2]
            if number in (12, 13):
                proxy.kill()
            if number == 6:
                stall.touch()
            talk.next(proxy.port)
            stall.unlink(missing_ok=True)
            assert ("=deadline" in talk.skipped) == (number >= 6)
    assert_cut_but_for_the_late_one(upstream)


def assert_cut_but_for_the_late_one(upstream: ScriptedUpstream) -> None:
    assert b"doc3_1 " not in upstream.last("stable-talk").body  # every second word of it is gone
    assert b"doc6_1 " in upstream.last("stable-talk").body  # but for the one that went out whole
