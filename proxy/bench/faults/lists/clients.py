"""Clients that leave, stop reading, or do not stop sending."""

from __future__ import annotations

import contextlib
import select
import socket
import time

from moosproxy.proxy.bench.faults import client
from moosproxy.proxy.bench.faults.box import Box
from moosproxy.proxy.bench.faults.scenario import NOTHING, Row, fault, until
from moosproxy.proxy.bench.faults.stage import Stage
from moosproxy.proxy.bench.sides import Side

_GROUP = "The client"
_LEAVES_S = 0.3
_LONG = 30_000  # tokens: seconds of compression
_SLOW_S = 8.0
_PATIENCE_S = 15.0


def _left(stage: Stage, box: Box, user: str, *, arrives: bool) -> Row:
    """After a client has gone: nothing of it goes on, and others are served."""
    quiet = until(lambda: box.in_flight() == 0, 20)
    findings = [] if quiet < 20 else ["the request goes on without its client"]
    arrived = stage.upstream.of(user)
    if arrives and not (arrived and until(lambda: arrived[0].gone is not None, 10) < 10):
        findings.append("the upstream goes on answering")
    if arrived and not arrives:
        findings.append("the upstream was asked all the same")
    served = until(lambda: stage.good(box))
    return Row("has gone", max(quiet, 0) + served, _whose(arrives), findings)


def _whose(arrives: bool) -> str:
    return f"{NOTHING}; the upstream's work is stopped" if arrives else f"{NOTHING}; the upstream is not asked"


@fault(_GROUP, "leaves while it uploads")
def client_gone_uploading(stage: Stage) -> Row:
    box = stage.shared
    with client.connect(box.port) as link:
        link.sendall(client.head("content-length: 100000") + b'{"user": "ok:gone"')
        time.sleep(_LEAVES_S)
    return _left(stage, box, "ok:gone", arrives=False)


@fault(_GROUP, "leaves while its text is compressed")
def client_gone_compressing(stage: Stage) -> Row:
    box = stage.shared
    user, link = stage.raw(box, "ok", _LONG)
    time.sleep(_LEAVES_S)
    link.close()
    return _left(stage, box, user, arrives=False)


@fault(_GROUP, "leaves while the upstream thinks")
def client_gone_waiting(stage: Stage) -> Row:
    box = stage.shared
    user, link = stage.raw(box, "stall")
    until(lambda: bool(stage.upstream.of(user)), 10)
    link.close()
    return _left(stage, box, user, arrives=True)


@fault(_GROUP, "leaves in the middle of a stream")
def client_gone_streaming(stage: Stage) -> Row:
    box = stage.shared
    user, link = stage.raw(box, "slow", stream=True)
    link.recv(1000)
    time.sleep(_LEAVES_S)
    link.close()
    return _left(stage, box, user, arrives=True)


@fault(_GROUP, "reads slowly (an answer of 40 MB)")
def client_slow_reader(stage: Stage) -> Row:
    with stage.box(MOOS_COMPRESSOR="off") as box:
        before = _resident_mb(box)
        user, link = stage.raw(box, "big", stream=True)
        time.sleep(3)
        grown = _resident_mb(box) - before
        beside = stage.ask(box)
        seen = client.read(link, user)
        link.close()
        findings = stage.findings(seen) + ([] if seen.good and beside.good else ["the answer is not whole"])
        findings += [f"the proxy holds {grown:.0f} MB of the answer"] if grown > 30 else []
        return Row(f"{seen.status}, whole; others meanwhile: {beside.status}, whole", 0.0, findings=findings)


def _resident_mb(box: Box) -> float:
    return Side("box", box.port, box.process.pid).resident_mb() or 0.0


@fault(_GROUP, "closes its sending side after the request")
def client_half_close(stage: Stage) -> Row:
    box = stage.shared
    user, link = stage.raw(box, "late")
    link.shutdown(socket.SHUT_WR)
    seen = client.read(link, user)
    link.close()
    served = until(lambda: stage.good(box))
    lost = NOTHING if seen.good else f"{NOTHING}; it is taken for a client that left, and the upstream is stopped"
    return Row(seen.says(), served, lost, stage.findings(seen) if seen.good else [])


@fault(_GROUP, "uploads without end (the bound is 4 MB)")
def client_endless_upload(stage: Stage) -> Row:
    box = stage.shared
    before = _resident_mb(box)
    with client.connect(box.port) as link:
        link.sendall(client.head("transfer-encoding: chunked"))
        answer, took = _uploaded(link)
        grown = _resident_mb(box) - before
    seen = client.parsed("", answer)
    findings = [] if seen.status == 413 else ["expected 413"]
    findings += ["it is read on and on"] if took >= _PATIENCE_S else []
    findings += [f"the proxy holds {grown:.0f} MB of it"] if grown > 40 else []
    sees = f"{seen.says()} at once; the connection is closed after {took:.1f} s"
    return Row(sees, until(lambda: stage.good(box)), findings=findings)


def _uploaded(link: socket.socket) -> tuple[bytes, float]:
    """What was answered while ever more was sent, and seconds until the other side hung up."""
    piece, answer, began = b"8000\r\n" + b"x" * 0x8000 + b"\r\n", b"", time.monotonic()
    link.settimeout(1)
    with contextlib.suppress(OSError):
        while time.monotonic() - began < _PATIENCE_S:
            readable, writable, _ = select.select([link], [link], [], 1)
            if readable:
                got = link.recv(65536)
                answer += got
                if not got:
                    break
            elif writable:
                link.sendall(piece)
    return answer, time.monotonic() - began


@fault(_GROUP, "uploads a byte every half second")
def client_trickle(stage: Stage) -> Row:
    box = stage.shared
    began = time.monotonic()
    with client.connect(box.port) as link:
        link.sendall(client.head("content-length: 100000"))
        link.settimeout(0.5)
        ended = False
        while not ended and time.monotonic() - began < _SLOW_S:
            try:
                link.sendall(b" ")
                ended = link.recv(1) is not None
            except TimeoutError:
                continue
            except OSError:
                ended = True
        beside = stage.ask(box)
    sees = (
        f"is cut off after {time.monotonic() - began:.0f} s"
        if ended
        else f"is still waited for after {_SLOW_S:g} s"
    )
    findings = stage.findings(beside) + ([] if beside.good else ["others are not served"])
    return Row(f"{sees}; others meanwhile: {beside.says()}", until(lambda: stage.good(box)), findings=findings)


@fault(_GROUP, "opens 300 connections and says nothing")
def client_silent(stage: Stage) -> Row:
    box = stage.shared
    links = [client.connect(box.port) for _ in range(300)]
    beside = stage.ask(box)
    for link in links:
        link.close()
    findings = stage.findings(beside) + ([] if beside.good else ["others are not served"])
    return Row(f"others meanwhile: {beside.says()}", until(lambda: stage.good(box)), findings=findings)
