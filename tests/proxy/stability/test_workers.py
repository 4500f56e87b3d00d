"""The stability rule for `moos serve --workers 2` without Redis: any worker sends the same bytes."""

from __future__ import annotations

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from moosproxy.proxy.bench.sides import free_port, running, serve_command
from tests.proxy.live import ScriptedUpstream
from tests.proxy.stability.test_rewriters import TURNS, english_turn

POLICIES = """
upstreams:
  main: {{kind: openai, base_url: "{url}"}}
routes:
  - {{match: {{header: {{x-hurry: "yes"}}}}, upstreams: [main], overrides: {{deadline_ms: 1}}}}
  - {{upstreams: [main], overrides: {{deadline_ms: 60000}}}}
"""
ASKERS = 4


def ask(port: int, messages: list[dict[str, Any]], hurry: bool) -> int:
    """The number of texts that a deadline left whole. Each call is a new connection, which any worker may take."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps({"model": "talk", "messages": messages}).encode(),
        {"content-type": "application/json", "x-hurry": "yes" if hurry else "no"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
        return str(answer.headers.get("x-moos-skipped", "")).count("=deadline")


def workers(pid: int) -> list[psutil.Process]:
    """Those that hold the file; the others are Python's own helpers."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if any("cache.sqlite" in file.path for file in child.open_files())]


def await_workers(pid: int, count: int) -> None:
    give_up = time.monotonic() + 60
    while len(workers(pid)) < count:
        assert time.monotonic() < give_up, "the killed worker was not replaced"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for the workers by their open files")
def test_two_workers_without_redis_send_the_same_bytes_over_missed_deadlines_and_a_killed_worker(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    policies, port = tmp_path / "moos.yaml", free_port()
    policies.write_text(POLICIES.format(url=upstream.url))
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "MOOS_STATE_DIR": str(tmp_path)}
    command = serve_command(port, "--workers", "2", "--config", str(policies))
    messages: list[dict[str, Any]] = []
    prefix, late, seen = b"", 0, 0
    with running("moos serve", command, port, "/readyz", environment) as pid, ThreadPoolExecutor(ASKERS) as askers:
        (folder,) = tmp_path.glob("moos-workers-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        for number in range(TURNS):
            messages += english_turn(number)
            if number == 10:
                workers(pid)[0].kill()
            if number == 20:
                await_workers(pid, 2)
            hurry = number % 5 == 2
            skipped = [ask(port, messages, hurry)]
            skipped += askers.map(ask, [port] * ASKERS, [messages] * ASKERS, [False] * ASKERS)
            assert set(skipped) == {skipped[0]}
            late += hurry and skipped[0] > seen
            seen = skipped[0]
            sent = {received.body for received in upstream.all("talk")[-1 - ASKERS :]}
            assert len(sent) == 1, f"turn {number} went out in two forms"
            (body,) = sent
            assert body.startswith(prefix), f"turn {number} rewrote history"
            prefix = body.removesuffix(b"]}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            assert json.load(answer)["checks"]["shared_cache"] == {"state": "ok", "detail": "file"}
    assert late  # the texts of a turn in a hurry stayed whole ever after
    assert not list(tmp_path.glob("moos-workers-*"))
