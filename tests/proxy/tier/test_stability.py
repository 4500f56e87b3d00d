"""Three proxies, two replicas and a Redis, one of each killed in the middle: no request fails, no byte changes."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from moosproxy.proxy.bench.sides import free_port, serve_command
from tests.proxy.fakes import prose
from tests.proxy.live import ScriptedUpstream
from tests.proxy.redis_server import RedisServer, running_server  # noqa: F401
from tests.proxy.tier.replicas import ReplicaProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TURNS = 18
POLICIES = """
defaults: {{deadline_ms: 5000, min_tokens: 50}}
upstreams:
  main: {{kind: openai, base_url: "{url}"}}
"""


class Served:
    """`moos serve` without a model, on a port that it keeps."""

    def __init__(self, policies: Path, log: Path, **settings: str) -> None:
        self.port = free_port()
        self._command = serve_command(self.port, "--config", str(policies))
        self._log = log
        named = {f"MOOS_{name.upper()}": value for name, value in settings.items()}
        self._environment = {**os.environ, **named, "MOOS_STATE_DIR": str(log.parent), "MOOS_LEDGER": "off"}
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        self.await_ready()

    def await_ready(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1):
                    return
            except OSError:
                assert time.monotonic() < until and self._child.poll() is None
                time.sleep(0.05)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()


@contextmanager
def fleet(tmp_path: Path, upstream: ScriptedUpstream, redis: RedisServer, *urls: str) -> Iterator[list[Served]]:
    """Three proxies that share a Redis and a tier."""
    policies = tmp_path / "moos.yaml"
    policies.write_text(POLICIES.format(url=upstream.url))
    shared = {"redis_url": redis.url, "redis_timeout_ms": "500", "compressor_url": ",".join(urls)}
    proxies = [Served(policies, tmp_path / f"proxy{number}.log", **shared) for number in range(3)]
    try:
        yield proxies
    finally:
        for proxy in proxies:
            proxy.kill()


class Talk:
    """A conversation whose every request must begin with the bytes of the one before."""

    def __init__(self, upstream: ScriptedUpstream, model: str) -> None:
        self._upstream = upstream
        self._model = model
        self._said: list[dict[str, Any]] = []
        self._prefix = b""
        self.took_s = 0.0

    def next(self, proxies: list[Served]) -> str:
        """One more turn, by the first of these that takes it, as a load balancer would. Gives what was skipped."""
        number = len(self._said)
        self._said.append({"role": "user", "content": prose(300 + number, f"{self._model}-{number}-")})
        began = time.monotonic()
        skipped = self._ask(proxies)
        self.took_s = time.monotonic() - began
        received = self._upstream.last(self._model).body
        assert received.startswith(self._prefix), f"turn {number} rewrote history"
        self._prefix = received.removesuffix(b"]}")
        assert self._prefix != received
        return skipped

    def _ask(self, proxies: list[Served]) -> str:
        body = json.dumps({"model": self._model, "messages": self._said}).encode()
        for proxy in proxies:
            url = f"http://127.0.0.1:{proxy.port}/v1/chat/completions"
            request = urllib.request.Request(url, body, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    assert answer.status == 200
                    return str(answer.headers.get("x-moos-skipped", ""))
            except ConnectionRefusedError:
                continue
            except urllib.error.URLError as fault:
                assert isinstance(fault.reason, ConnectionRefusedError)
        raise AssertionError("no proxy took it")

    @property
    def ratio(self) -> float:
        """Of all texts, by bytes."""
        return len(json.dumps(self._said)) / len(self._prefix)


def test_one_of_each_is_killed_in_the_middle(
    tmp_path: Path, upstream: ScriptedUpstream, redis_server: RedisServer
) -> None:
    talk = Talk(upstream, "fleet-talk")
    with (
        ReplicaProcess(score_s=0.02) as one,
        ReplicaProcess(score_s=0.02) as two,
        fleet(tmp_path, upstream, redis_server, one.url, two.url) as proxies,
    ):
        for number in range(TURNS):
            if number == 5:
                one.kill()
            if number == 8:
                one.start()
            if number == 10:
                proxies[1].kill()
            if number == 13:
                proxies[1].start()
            turn = proxies[number % 3 :] + proxies[: number % 3]
            assert talk.next(turn) == "", f"turn {number}"
            assert talk.took_s < 5, f"turn {number}"
    assert talk.ratio > 1.7


def test_a_redis_that_is_killed_changes_no_byte(
    tmp_path: Path, upstream: ScriptedUpstream, redis_server: RedisServer
) -> None:
    """With it gone each proxy knows what it sent itself, and compresses what it did not, to the same bytes."""
    talk = Talk(upstream, "redis-talk")
    with (
        ReplicaProcess() as one,
        ReplicaProcess() as two,
        fleet(tmp_path, upstream, redis_server, one.url, two.url) as proxies,
    ):
        for number in range(TURNS):
            if number == 6:
                redis_server.kill()
            if number == 12:
                redis_server.start()
            assert talk.next(proxies[number % 3 :]) == "", f"turn {number}"
            assert talk.took_s < 5, f"turn {number}"
    assert talk.ratio > 1.7


def test_requests_side_by_side_lose_nothing_when_a_replica_is_killed(
    tmp_path: Path, upstream: ScriptedUpstream, redis_server: RedisServer
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with (
        ReplicaProcess(score_s=0.02) as one,
        ReplicaProcess(score_s=0.02) as two,
        fleet(tmp_path, upstream, redis_server, one.url, two.url) as proxies,
        ThreadPoolExecutor(6) as pool,
    ):
        talks = [Talk(upstream, f"side-{number}-talk") for number in range(6)]

        def all_turns(number: int) -> list[str]:
            return [talks[number].next(proxies[(number + turn) % 3 :]) for turn in range(8)]

        running = [pool.submit(all_turns, number) for number in range(6)]
        time.sleep(0.7)
        one.kill()
        assert [run.result() for run in running] == [[""] * 8] * 6
