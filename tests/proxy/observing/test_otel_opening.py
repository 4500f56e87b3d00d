"""When telemetry is on, what the environment says of it, and what a collector that is gone costs: nothing."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.log import JsonFormatter
from moosproxy.proxy.settings import Settings
from tests.proxy.commands.test_ending import serving, up
from tests.proxy.live import ScriptedUpstream
from tests.proxy.observing.collector import QUICK, Collector, plain, telling
from tests.proxy.wire import ask, chat, fresh


def test_the_environment_names_the_service_and_chooses_signals(policy_set: PolicySet, settings: Settings) -> None:
    with Collector() as own:
        named = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=edge,site=north", "OTEL_METRICS_EXPORTER": "none"}
        with telling(own.url, policy_set, settings, **named) as live:
            asyncio.run(ask(live.port, chat("echo")))
            assert own.within(lambda: bool(own.traces))
    said = own.resources()[0]

    assert (said["service.name"], said["site"]) == ("edge", "north")
    assert said["service.instance.id"]
    assert not own.metrics


def test_what_is_held_is_sent_at_the_end(policy_set: PolicySet, settings: Settings) -> None:
    slow = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
    with Collector() as own:
        with telling(own.url, policy_set, settings, **slow) as live:
            asyncio.run(ask(live.port, chat("echo")))
            assert not own.raw
        assert own.within(lambda: bool(own.traces and own.metrics), 2)

    assert sum(point.as_double for point, _ in own.points("moos.requests")) == 1


@contextmanager
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield stream
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_dead_collector_costs_no_request_and_one_line(
    policy_set: PolicySet, settings: Settings, kind: str
) -> None:
    with socket.socket() as dead, logged() as log:
        dead.bind(("127.0.0.1", 0))
        if kind == "silent":
            dead.listen(64)
        url = f"http://127.0.0.1:{dead.getsockname()[1]}"
        bounds = {
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "32",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
        }
        with telling(url, policy_set, settings, **bounds) as live:
            answers = [asyncio.run(ask(live.port, chat("echo"))).status for _ in range(60)]
            time.sleep(2.5)
            began = time.monotonic()
        ended = time.monotonic() - began
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    lost = [line for line in lines if line["event"] == "telemetry is lost"]

    assert answers == [200] * 60
    assert len(lost) == 1
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in lost[0]["reason"]
    assert not [line for line in lines if line["logger"].startswith(("opentelemetry", "urllib3"))]
    assert ended < 12


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "OTEL_"),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_and_costs_no_start(
    policy_set: PolicySet, settings: Settings, name: str, value: str, hint: str
) -> None:
    with logged() as log, telling("http://127.0.0.1:9", policy_set, settings, **{name: value}) as live:
        answer = asyncio.run(ask(live.port, chat("echo")))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]

    assert answer.status == 200
    assert any(line["event"] == "telemetry is off" and hint in line["reason"] for line in lines)


def test_unasked_nothing_is_imported_and_without_the_extra_it_is_named() -> None:
    code = (
        "import sys, asyncio, contextlib\n"
        "{hide}"
        "from moosproxy.proxy.observing.metrics import Metrics\n"
        "from moosproxy.proxy.observing.tracing import Tracing, open_tracing\n"
        "import moosproxy.proxy.app\n"
        "found = open_tracing('1', Metrics(), contextlib.AsyncExitStack())\n"
        "assert type(found) is Tracing\n"
        "loaded = [name for name in sys.modules if 'opentelemetry.exporter' in name or 'observing.otel' in name]\n"
        "assert not loaded, loaded\n"
    )
    hide = "import importlib.util as u; u.find_spec = lambda name: None\n"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    asked = {**clean, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    off = {**asked, "OTEL_SDK_DISABLED": "true"}
    runs: list[Any] = [
        subprocess.run([sys.executable, "-c", code.format(hide=hid)], env=env, capture_output=True, text=True)
        for hid, env in (("", clean), (hide, asked), ("", off))
    ]

    assert [(run.returncode, run.stderr if run.returncode else "") for run in runs] == [(0, "")] * 3
    assert "telemetry is off" in runs[1].stderr
    assert "telemetry" not in runs[0].stderr + runs[2].stderr


@pytest.mark.slow
async def test_two_workers_tell_of_themselves_apart(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    model = fresh("workers")
    with Collector() as own:
        asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": own.url, **QUICK, "MOOS_LEDGER": "off"}
        with serving(tmp_path, upstream.url, "--workers", "2", **asked) as (_, port):
            await up(port)
            for _ in range(40):
                assert (await ask(port, chat(model))).status == 200

            def counted() -> float:
                latest: dict[str, float] = {}
                for batch in list(own.metrics):
                    for resource in batch.resource_metrics:
                        worker = plain(resource.resource.attributes)["service.instance.id"]
                        points = [
                            point.as_double
                            for scope in resource.scope_metrics
                            for metric in scope.metrics
                            if metric.name == "moos.requests"
                            for point in metric.sum.data_points
                        ]
                        latest[worker] = sum(points)
                return sum(latest.values()) if len(latest) == 2 else 0

            assert await asyncio.to_thread(own.within, lambda: counted() == 40)
            roots = [span for span in own.spans() if span.kind == Span.SPAN_KIND_SERVER]
    assert len({span.span_id for span in roots}) == 40
    assert len({said["service.instance.id"] for said in own.resources()}) <= 2
