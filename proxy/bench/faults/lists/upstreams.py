"""Faults of the upstream."""

from __future__ import annotations

import time

from moosproxy.proxy.bench.faults.client import Seen
from moosproxy.proxy.bench.faults.scenario import Row, fault, until
from moosproxy.proxy.bench.faults.stage import Stage
from moosproxy.proxy.bench.faults.upstream import BadUpstream

_GROUP = "The upstream"


def _once(stage: Stage, script: str, *, stream: bool = False, waited: bool = False) -> tuple[Seen, Row]:
    """One request meets the fault; the next one is to be served as ever."""
    box = stage.shared
    seen = stage.ask(box, script, stream=stream)
    findings = stage.findings(seen)
    seconds = until(lambda: stage.good(box))
    if not seen.whole and seen.status is None:
        findings.append("no answer at all")
    sees = seen.says() + (f" after {seen.seconds:.1f} s" if waited else "")
    return seen, Row(sees, seconds, findings=findings)


def _told(row: Row, seen: Seen, *expected: str) -> Row:
    """The row, with a finding if the client was told something else."""
    if not any(one in seen.says() for one in expected):
        row.findings.append(f"expected {' or '.join(expected)}")
    return row


@fault(_GROUP, "refuses connections")
def upstream_refused(stage: Stage) -> Row:
    box = stage.shared
    seen = stage.ask(box, model="absent")
    findings = [] if seen.status == 502 else ["expected 502"]
    user = stage.request("ok")
    with BadUpstream(stage.absent_port) as back:
        seconds = until(lambda: stage.ask(box, "ok", user[1], model="absent").good)
        arrived = len(back.arrivals)
    return Row(seen.says(), seconds, findings=findings if arrived == 1 else [*findings, "it came more than once"])


@fault(_GROUP, "refuses connections, another is in the route")
def upstream_refused_with_fallback(stage: Stage) -> Row:
    seen = stage.ask(stage.shared, model="either")
    findings = stage.findings(seen) + ([] if seen.good else ["expected a whole answer"])
    return Row(seen.says(), until(lambda: stage.good(stage.shared)), findings=findings)


@fault(_GROUP, "resets before the answer, new connection")
def upstream_reset(stage: Stage) -> Row:
    with stage.box() as box:  # no connection has been kept yet
        seen = stage.ask(box, "reset")
        row = Row(seen.says(), until(lambda: stage.good(box)), findings=stage.findings(seen))
    return _told(row, seen, "502 `upstream_unreachable`")


@fault(_GROUP, "resets before the answer, connection that has served before")
def upstream_reset_kept(stage: Stage) -> Row:
    box = stage.shared
    stage.ask(box)
    seen = stage.ask(box, "reset_kept")
    came = len(stage.upstream.of(seen.user))
    findings = stage.findings(seen, times=came) + ([] if seen.good else ["expected a whole answer"])
    lost = f"nothing; sent {came} times, as it cannot be known whether the upstream had read it"
    return Row(seen.says(), until(lambda: stage.good(box)), lost, findings + (["too often"] if came > 2 else []))


@fault(_GROUP, "resets in the middle of a stream, between events")
def upstream_reset_stream(stage: Stage) -> Row:
    seen, row = _once(stage, "reset_stream", stream=True)
    return _told(row, seen, "3 events, then an error event")


@fault(_GROUP, "resets in the middle of an event")
def upstream_reset_event(stage: Stage) -> Row:
    seen, row = _once(stage, "reset_event", stream=True)
    return _told(row, seen, "then an error event", "then the connection breaks")


@fault(_GROUP, "is silent (first_byte_s is 2)")
def upstream_stalled(stage: Stage) -> Row:
    seen, row = _once(stage, "stall", waited=True)
    return _told(row, seen, "504 `upstream_timeout`")


@fault(_GROUP, "stops in the middle of a stream (read_s is 1.5)")
def upstream_stalled_stream(stage: Stage) -> Row:
    seen, row = _once(stage, "stall_stream", stream=True, waited=True)
    return _told(row, seen, "3 events, then an error event")


@fault(_GROUP, "429 with Retry-After")
def upstream_limited(stage: Stage) -> Row:
    seen, row = _once(stage, "limited")
    if seen.headers.get("retry-after") != "7":
        row.findings.append("Retry-After is lost")
    return _told(row, seen, "429 `rate_limit_exceeded`")


@fault(_GROUP, "429, another is in the route")
def upstream_limited_with_fallback(stage: Stage) -> Row:
    seen = stage.ask(stage.shared, "limited", model="other-1")
    findings = stage.findings(seen) + ([] if seen.good else ["expected a whole answer"])
    return Row(seen.says(), until(lambda: stage.good(stage.shared)), findings=findings)


@fault(_GROUP, "503")
def upstream_failing(stage: Stage) -> Row:
    seen, row = _once(stage, "failing")
    return _told(row, seen, "503 `engine_overloaded`")


@fault(_GROUP, "answers with garbage")
def upstream_garbage(stage: Stage) -> Row:
    seen, row = _once(stage, "garbage")
    return _told(row, seen, "200 with the upstream's")


@fault(_GROUP, "speaks no HTTP")
def upstream_no_http(stage: Stage) -> Row:
    seen, row = _once(stage, "no_http")
    return _told(row, seen, "502 `upstream_unreachable`")


@fault(_GROUP, "cuts the body short")
def upstream_short(stage: Stage) -> Row:
    seen, row = _once(stage, "short")
    return _told(row, seen, "then the connection breaks", "502")


@fault(_GROUP, "sends 300 kB of headers")
def upstream_huge_headers(stage: Stage) -> Row:
    seen, row = _once(stage, "huge_headers")
    return _told(row, seen, "502 `upstream_unreachable`")


@fault(_GROUP, "redirects")
def upstream_redirect(stage: Stage) -> Row:
    seen, row = _once(stage, "redirect")
    return _told(row, seen, "307")


@fault(_GROUP, "twenty requests are stalled at once")
def upstream_stalled_many(stage: Stage) -> Row:
    box = stage.shared
    links = [stage.raw(box, "stall")[1] for _ in range(20)]
    began = time.monotonic()
    seen = stage.ask(box)
    took = time.monotonic() - began
    for link in links:
        link.close()
    findings = stage.findings(seen) + ([] if seen.good else ["a request beside them was not served"])
    findings += ["a request beside them had to wait"] if took > 1.5 else []
    return Row(f"504 `upstream_timeout`; another request meanwhile: {seen.says()}", took, findings=findings)
