"""`moos serve` in a folder of its own: it can be signalled, its workers killed, its files spoiled."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosproxy.proxy.bench.faults.client import get
from moosproxy.proxy.bench.sides import SideError, free_port, serve_command

CONNECT_S, FIRST_BYTE_S, READ_S = 2.0, 2.0, 1.5
"""The upstreams' timeouts here, short so that a run is."""
_START_S = 120.0


@dataclass(slots=True)
class Box:
    """A running proxy. workers: as asked for."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    workers: int = 1

    @property
    def policies(self) -> Path:
        """The file that it watches."""
        return self.folder / "moos.yaml"

    def signal(self, number: signal.Signals) -> None:
        """To the process that was started."""
        self.process.send_signal(number)

    def state(self) -> dict[str, Any]:
        """What /readyz says; empty if it does not answer."""
        status, body = get(self.port, "/readyz")
        return json.loads(body) if status in (200, 503) else {}

    def check(self, name: str) -> str:
        """The state of one of its checks."""
        return str(self.state().get("checks", {}).get(name, {}).get("state"))

    def in_flight(self) -> int:
        """Requests that it is answering, by its own count."""
        found = re.search(r"^moos_requests_in_flight (\d+)", get(self.port, "/metrics")[1], re.MULTILINE)
        return int(found[1]) if found else -1

    def worker_pids(self) -> list[int]:
        """Processes that serve. Needs /proc."""
        if self.workers == 1:
            return [self.process.pid]
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def deaths(self) -> int:
        """How many workers have been replaced: each says when it has started, where it can."""
        return max(0, self.log().count('"event":"started"') - self.workers)

    def log(self) -> str:
        """What it has written."""
        return (self.folder / "log").read_text(errors="replace")


def policies(upstream: int, absent: int) -> dict[str, Any]:
    """Everything goes to `bench`; the models `absent` and `either` ask at a port where nobody may listen first."""
    timeouts = {"connect_s": CONNECT_S, "first_byte_s": FIRST_BYTE_S, "read_s": READ_S}
    return {
        "defaults": {"min_tokens": 60, "deadline_ms": 20_000},
        "upstreams": {
            name: {
                "kind": "openai",
                "base_url": f"http://127.0.0.1:{port}/v1",
                "api_key": "sk-x",
                "timeouts": timeouts,
            }
            for name, port in (("bench", upstream), ("absent", absent))
        }
        | {"echo": {"kind": "echo"}},
        "routes": [
            {"match": {"model": "absent"}, "upstreams": "absent"},
            {"match": {"model": "either"}, "upstreams": ["absent", "bench"]},
            {"match": {"model": "other-*"}, "upstreams": ["bench", "echo"]},
            {"match": {"model": "echo"}, "upstreams": "echo"},
            {"upstreams": "bench"},
        ],
    }


@contextmanager
def running(
    folder: Path,
    rules: dict[str, Any],
    *,
    workers: int = 1,
    before: Sequence[str] = (),
    **environment: str,
) -> Iterator[Box]:
    """A proxy until the block ends. before: the start of its command line. Raises SideError."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "moos.yaml").write_text(json.dumps(rules))
    command = [*before, *serve_command(port, "--config", str(folder / "moos.yaml"), "--workers", str(workers))]
    own = {"MOOS_STATE_DIR": str(folder / "state"), "MOOS_REDIS_URL": "", "MOOS_MAX_BODY_BYTES": "4000000"}
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **own, **environment}
        )
    box = Box(port, folder, process, workers)
    try:
        _await(box)
        yield box
    finally:
        stop(process)


def _await(box: Box) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if box.process.poll() is not None:
            raise SideError(f"the proxy ended with status {box.process.returncode}\n{box.log()[-2000:]}")
        if box.state():
            return
        time.sleep(0.05)
    raise SideError("the proxy did not answer")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process, by force after a while."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
