"""A rewriter in a process of its own: JSON lines in on standard input, JSON lines out.

Run as `python -m tests.proxy.stability.rewriter_process OPTIONS`, one JSON object with redis_url or folder, skew,
real and quality.
In: {"body": ..., "stall": whether the compressor is to be too slow this time}.
Out: {"body": ..., "reasons": [...]}.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from moosproxy.compressor import Compressor
from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.opening import open_store
from moosproxy.proxy.rewriting.outcome import Overrides
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor

PATIENT_MS = 2_000.0
STALLED_MS = 50


class RewriterProcess:
    """The parent's side."""

    def __init__(self, **options: Any) -> None:
        self._command = [sys.executable, "-m", "tests.proxy.stability.rewriter_process", json.dumps(options)]
        self._child = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rewrite(self, body: dict[str, Any], stall: bool = False) -> dict[str, Any]:
        """What the process would send upstream, and the reason for each text (None: compressed)."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps({"body": body, "stall": stall}) + "\n")
        self._child.stdin.flush()
        reply: dict[str, Any] = json.loads(self._child.stdout.readline())
        return reply

    def restart(self) -> None:
        """End the process and start a fresh one."""
        self.close()
        self._child = self._start()

    def kill(self) -> None:
        """End the process in the middle of whatever it does, and start a fresh one."""
        self._child.kill()
        self._child.communicate()
        self._child = self._start()

    def close(self) -> None:
        """End the process; it has to end well."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.close()
        code = self._child.wait(10)
        self._child.stdout.close()
        assert code == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def serve(
    redis_url: str | None = None,
    folder: str | None = None,
    skew: int = 0,
    real: bool = False,
    quality: float | None = None,
) -> None:
    """The child's side."""
    compressor: Any = FakeCompressor(skew=skew)
    if real:
        compressor = Compressor.load(Settings().checkpoint)
    service = CompressionService(compressor)
    store = open_store(redis_url=redis_url, folder=Path(folder) if folder else None, timeout_ms=PATIENT_MS)
    rewriter = Rewriter(service, store)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        if not real:
            compressor.score_s = STALLED_MS / 1000 * 4 if request["stall"] else 0
        # A real compressor is not slowed down: a deadline of a millisecond is missed by any.
        stalled_ms = 1 if real else STALLED_MS
        policy = Policy(deadline_ms=stalled_ms if request["stall"] else 60_000, quality=quality)
        out = await rewriter.rewrite(request["body"], policy, "team", Overrides())
        print(json.dumps({"body": out.body, "reasons": [part.reason for part in out.parts]}), flush=True)  # noqa: T201
    await service.aclose()
    await store.aclose()
    if real:
        compressor.close()


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
