"""Workers that die, and signals that end or renew the proxy while it streams."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from moosproxy.proxy.bench.faults import client
from moosproxy.proxy.bench.faults.box import Box
from moosproxy.proxy.bench.faults.client import Seen
from moosproxy.proxy.bench.faults.scenario import NOTHING, CannotRun, Row, fault, until
from moosproxy.proxy.bench.faults.stage import Stage

_GROUP = "Processes"
_STREAMS = 8
_PATIENCE_S = 60.0
_BEGUN_S = 0.3


class Streams:
    """Slow streams read side by side in threads."""

    def __init__(self, stage: Stage, box: Box, count: int) -> None:
        self.seen: list[Seen] = []
        self._threads = [threading.Thread(target=self._read, args=(stage, box)) for _ in range(count)]
        before = len(stage.upstream.arrivals)
        for thread in self._threads:
            thread.start()
        until(lambda: len(stage.upstream.arrivals) >= before + count, 10)
        time.sleep(_BEGUN_S)

    def _read(self, stage: Stage, box: Box) -> None:
        self.seen.append(stage.ask(box, "slow", stream=True))

    def ended(self) -> list[Seen]:
        """All of them, at their end."""
        for thread in self._threads:
            thread.join()
        return self.seen


def _proc() -> None:
    if not Path("/proc/self/task").exists():
        raise CannotRun("/proc is not there, which tells the workers")


@fault(_GROUP, "one of two workers is killed (SIGKILL) while eight streams run")
def worker_killed(stage: Stage) -> Row:
    _proc()
    with stage.box(workers=2) as box:
        pids = _both(stage, box)
        streams = Streams(stage, box, _STREAMS)
        os.kill(pids[0], signal.SIGKILL)
        killed = time.monotonic()
        served = until(lambda: stage.good(box))
        _two(box, without=pids[0])
        seen = streams.ended()
        known = {one.worker for one in seen}
        until(lambda: stage.ask(box).worker not in known)
        seconds = time.monotonic() - killed
    cut = [one for one in seen if not one.good]
    findings = stage.findings(*seen) + (["a cut answer looks whole"] if any(one.whole for one in cut) else [])
    lost = f"the answers of that worker ({len(cut)} of {_STREAMS}), each seen to be cut; the others are whole"
    sees = f"{cut[0].says() if cut else 'whole answers'}; new requests are served after {served:.1f} s"
    return Row(sees, seconds, lost if cut else NOTHING, findings)


def _two(box: Box, without: int = 0) -> list[int]:
    """The workers, once there are two."""
    until(lambda: len(set(box.worker_pids()) - {without}) == 2)
    return box.worker_pids()


def _both(stage: Stage, box: Box) -> list[int]:
    """The workers, once both have answered."""
    known: set[str] = set()

    def answered() -> bool:
        known.add(stage.ask(box).worker)
        return len(known) == 2

    until(answered)
    return _two(box)


@fault(_GROUP, "one of two workers hangs (SIGSTOP)")
def worker_stopped(stage: Stage) -> Row:
    _proc()
    with stage.box(workers=2) as box:
        pids = _both(stage, box)
        os.kill(pids[0], signal.SIGSTOP)
        stopped = time.monotonic()
        asked = Streams(stage, box, _STREAMS)
        _two(box, without=pids[0])
        seconds = time.monotonic() - stopped
        seen = asked.ended()
        seconds += until(lambda: all(stage.good(box) for _ in range(3)))
    bad = [one for one in seen if not one.good]
    came_twice = [one for one in seen if len(stage.upstream.of(one.user)) > 1]
    sees = f"{len(seen) - len(bad)} of {_STREAMS} requests are served"
    sees += f"; the others: {bad[0].says()} after {max(one.seconds for one in bad):.0f} s" if bad else ""
    lost = f"{len(bad)} requests that the hanging worker had taken" if bad else NOTHING
    return Row(sees, seconds, lost, ["a request came twice"] if came_twice else [])


@fault(_GROUP, "two workers without Redis")
def two_workers(stage: Stage) -> Row:
    with stage.box(workers=2) as box:
        text = stage.text()
        seen: list[Seen] = []

        def both() -> bool:
            seen.append(stage.ask(box, text=text))
            return len({one.worker for one in seen}) == 2

        seconds = until(both)
    findings = stage.findings(*seen) + stage.same(*seen) + [one.says() for one in seen if not one.good]
    findings += [] if seconds < 60 else ["one worker alone answers"]
    return Row(f"{seen[-1].says()}; the same bytes from both workers", None, findings=findings)


@fault(_GROUP, "the only worker is killed and started again")
def restarted(stage: Stage) -> Row:
    text = stage.text()
    with stage.box() as box:
        first = stage.ask(box, text=text)
        box.signal(signal.SIGKILL)
        box.process.wait()
        refused = stage.ask(box)
    began = time.monotonic()
    with stage.box() as box:
        again = stage.ask(box, text=text)
        seconds = time.monotonic() - began
    findings = stage.findings(first, again) + stage.same(first, again)
    return Row(
        f"{refused.says()} until it is started; then {again.says()}, the same bytes", seconds, findings=findings
    )


def _ended(stage: Stage, number: signal.Signals) -> Row:
    """A stream runs, the signal comes; the stream is to end whole, and then the process."""
    with stage.box() as box:
        streams = Streams(stage, box, 2)
        box.signal(number)
        time.sleep(0.3)
        late = stage.ask(box)
        seen = streams.ended()
        began = time.monotonic()
        status = _status(box)
        seconds = time.monotonic() - began
    findings = stage.findings(*seen) + [f"a stream: {one.says()}" for one in seen if not one.good]
    findings += [] if status in (0, -number, -signal.SIGTERM) else [f"the process ends with {status}"]
    sees = f"streams: {seen[0].says()}; new requests: {late.says()}; the process ends {seconds:.1f} s later"
    return Row(sees, None, NOTHING if all(one.good for one in seen) else "the rest of the streams", findings)


def _status(box: Box) -> int | None:
    try:
        return box.process.wait(40)
    except subprocess.TimeoutExpired:
        return None


@fault(_GROUP, "SIGTERM in the middle of a stream")
def sigterm(stage: Stage) -> Row:
    return _ended(stage, signal.SIGTERM)


@fault(_GROUP, "SIGINT in the middle of a stream")
def sigint(stage: Stage) -> Row:
    return _ended(stage, signal.SIGINT)


@fault(_GROUP, "SIGHUP in the middle of a stream, one worker (as SIGTERM)")
def sighup(stage: Stage) -> Row:
    return _ended(stage, signal.SIGHUP)


@fault(_GROUP, "SIGHUP in the middle of streams, two workers (each is renewed)")
def sighup_workers(stage: Stage) -> Row:
    _proc()
    with stage.box(workers=2) as box:
        pids = set(_both(stage, box))
        streams = Streams(stage, box, 4)
        box.signal(signal.SIGHUP)
        began = time.monotonic()
        beside: list[Seen] = []

        def renewed() -> bool:
            beside.append(stage.ask(box))
            return len(now := set(box.worker_pids())) == 2 and not now & pids

        in_time = until(renewed) <= _PATIENCE_S
        seconds = time.monotonic() - began
        seen = streams.ended()
    bad = [one for one in (*seen, *beside) if not one.good]
    findings = stage.findings(*seen, *(one for one in beside if one.good)) + [one.says() for one in bad[:2]]
    findings += [] if in_time else [f"the workers are not renewed: {_said(box)}"]
    sees = f"streams: {seen[0].says()}; {len(beside)} new requests meanwhile, {len(bad)} of all not whole"
    return Row(sees, seconds, NOTHING if not bad else f"{len(bad)} answers", findings)


@fault(_GROUP, "SIGTERM while a client uploads and never ends")
def sigterm_upload(stage: Stage) -> Row:
    with stage.box() as box, client.connect(box.port) as link:
        link.sendall(client.head("content-length: 100000"))
        time.sleep(0.3)
        began = time.monotonic()
        box.signal(signal.SIGTERM)
        status = _status(box)
        seconds = time.monotonic() - began
        seen = _rest(link)
    in_time = status in (0, -signal.SIGTERM) and seconds < 35
    findings = [] if in_time else [f"status {status} after {seconds:.0f} s"]
    findings += ["the answer is no error of OpenAI's shape"] if seen.status == 500 else []
    return Row(f"{seen.says()}; the process ends after {seconds:.1f} s", None, findings=findings)


def _rest(link: socket.socket) -> Seen:
    try:
        return client.read(link, "")
    except OSError as broken:
        return Seen("", fault=type(broken).__name__)


def _said(box: Box) -> str:
    """The last warning or error in the log."""
    lines = [json.loads(line) for line in box.log().splitlines() if line.startswith('{"ts"')]
    told = [line for line in lines if line["level"] in ("warning", "error")]
    return str(told[-1].get("event")) if told else "its log says nothing"
