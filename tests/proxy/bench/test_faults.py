"""The bench of faults tells one fault from another, and a loss from none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from moosproxy.proxy.bench.faults import client
from moosproxy.proxy.bench.faults.box import Box
from moosproxy.proxy.bench.faults.client import Seen
from moosproxy.proxy.bench.faults.command import bench_faults
from moosproxy.proxy.bench.faults.report import Result, page
from moosproxy.proxy.bench.faults.scenario import FAULTS, CannotRun, Fault, Row
from moosproxy.proxy.bench.faults.stage import Stage
from moosproxy.proxy.bench.faults.upstream import BadUpstream


class Direct:
    """In the place of a proxy: the upstream itself."""

    def __init__(self, port: int) -> None:
        self.port = port


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Iterator[Stage]:
    with BadUpstream() as upstream, ExitStack() as stack:
        yield Stage(tmp_path, upstream, stack)


def direct(stage: Stage) -> Box:
    """For asking without a proxy."""
    return cast(Box, Direct(stage.upstream.port))


@pytest.mark.parametrize(
    ("script", "stream", "says"),
    [
        ("ok", False, "200, whole, the original text was sent"),
        ("ok", True, "200, whole, the original text was sent"),
        ("reset", False, "no answer"),
        ("reset_stream", True, "200, 3 events, then the connection breaks"),
        ("limited", False, "429 `rate_limit_exceeded`"),
        ("short", False, "200, 13 bytes, then the connection breaks"),
        ("garbage", False, "200 with the upstream's 24 bytes"),
        ("redirect", False, "307"),
    ],
)
def test_every_way_to_fail_looks_different_to_the_client(
    stage: Stage, script: str, stream: bool, says: str
) -> None:
    assert says in stage.ask(direct(stage), script, stream=stream).says()


def test_an_error_event_is_told_from_a_whole_stream() -> None:
    body = b'data: {"object": 1}\n\ndata: {"error":{"code":"upstream_broken"}}\n\n'
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    seen = client.parsed("", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)

    assert seen.whole and not seen.good
    assert seen.says() == "200, 1 events, then an error event `upstream_broken`"


def test_a_request_that_comes_twice_or_damaged_or_not_at_all_is_found(stage: Stage) -> None:
    user, text = stage.request("ok")
    seen = Seen(user)
    assert stage.findings(seen) == ["the request arrived 0 times"]

    client.ask(stage.upstream.port, user, text)
    assert stage.findings(seen) == []

    client.ask(stage.upstream.port, user, text.replace("the", "teh"))
    assert stage.findings(seen) == ["the request arrived 2 times", "a text arrived damaged"]


def test_words_that_were_left_out_are_no_damage_but_words_turned_around_are(stage: Stage) -> None:
    user, text = stage.request("ok")
    words = text.split()
    client.ask(stage.upstream.port, user, " ".join([*words[:5], "[… 3 sentences]", *words[9:]]))
    assert stage.findings(Seen(user)) == []

    user, text = stage.request("ok")
    client.ask(stage.upstream.port, user, " ".join([*text.split()[20:], *text.split()[:10]]))
    assert stage.findings(Seen(user)) == ["a text arrived damaged"]


def test_scenarios_have_names_of_their_own() -> None:
    assert len({one.name for one in FAULTS}) == len(FAULTS) > 45


def test_the_page_names_findings_and_what_could_not_run() -> None:
    def nothing(_: Stage) -> Row:
        raise CannotRun

    fault = Fault("Group", "breaks", nothing)
    bad = Result(fault, Row("502", 1.23, findings=["it came twice"]))
    written = page([bad, Result(fault, None, "no such program"), Result(fault, Row("200", None))])

    assert "| breaks | 502 | nothing; **finding: it came twice** | 1.2 s |" in written
    assert "| breaks | not run: no such program | | |" in written
    assert "1 as they should be, 1 with findings, 1 not run." in written


@pytest.mark.slow
def test_a_handful_of_faults_against_a_real_proxy(tmp_path: Path) -> None:
    file = tmp_path / "reliability.md"
    chosen = ["upstream_limited", "upstream_reset_stream", "client_gone_waiting", "client_gone_streaming"]
    only = [part for name in chosen for part in ("--only", name)]
    result = CliRunner().invoke(bench_faults, [*only, "--write", str(file)])

    assert result.exit_code == 0, result.output
    summary: dict[str, Any] = json.loads(result.output.splitlines()[-1])
    assert summary["run"] == 5 and summary["found"] == [] == summary["skipped"]
    assert "3 events, then an error event `upstream_broken`" in file.read_text()
    assert str(tmp_path) not in file.read_text()
