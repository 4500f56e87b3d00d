"""OpenTelemetry against a real collector: what spans and metrics say, and whose trace they belong to."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.log import JsonFormatter
from moosproxy.proxy.settings import Settings
from tests.proxy.answers import USAGE, chunks, completion
from tests.proxy.commands.test_ending import serving, up
from tests.proxy.fakes import BOOM, FakeCompressor
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.observing.collector import Collector, plain
from tests.proxy.wire import ask, chat, fresh, long_text

CANARY = "canary-8f3a"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
STATE = f"vendor={CANARY}"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "200"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


@contextmanager
def telling(url: str, policy_set: PolicySet, settings: Settings, **environment: str) -> Iterator[LiveProxy]:
    """A proxy that was started in an environment that asks for telemetry. It is read at the start alone."""
    live = LiveProxy(create_app(settings, policy_set, FakeCompressor()))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **QUICK, **environment}.items():
            patch.setenv(name, value)
        live.__enter__()
    try:
        yield live
    finally:
        live.__exit__()


@pytest.fixture(scope="module")
def told(collector: Collector, policy_set: PolicySet, settings: Settings) -> Iterator[LiveProxy]:
    with telling(collector.url, policy_set, settings) as live:
        yield live


def family(collector: Collector, request_id: str) -> list[Span]:
    """The span of a request, then its children as they began."""

    def own() -> list[Span]:
        return [span for span in collector.spans() if plain(span.attributes).get("moos.request_id") == request_id]

    assert collector.within(lambda: bool(own()))
    root = own()[0]
    children = [span for span in collector.spans() if span.parent_span_id == root.span_id]
    return [root, *sorted(children, key=lambda span: span.start_time_unix_nano)]


async def test_a_request_is_a_span_with_one_for_the_compressor_and_one_for_the_upstream(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector
) -> None:
    model, name = fresh("spans"), fresh("id")
    upstream.scripts[model] = lambda e: e.stream(*chunks())
    await ask(told.port, chat(model, long_text(100), "short", stream=True), x_request_id=name)
    root, compression, call = family(collector, name)
    said, cut, called = plain(root.attributes), plain(compression.attributes), plain(call.attributes)

    assert (root.name, root.kind, root.parent_span_id) == ("POST /chat/completions", Span.SPAN_KIND_SERVER, b"")
    assert (call.name, call.kind) == (f"chat {model}", Span.SPAN_KIND_CLIENT)
    assert compression.name == "compression"
    assert {span.trace_id for span in (root, compression, call)} == {root.trace_id}
    assert root.start_time_unix_nano <= compression.start_time_unix_nano <= compression.end_time_unix_nano
    assert compression.end_time_unix_nano <= call.start_time_unix_nano <= call.end_time_unix_nano
    assert call.end_time_unix_nano <= root.end_time_unix_nano
    assert {span.status.code for span in (root, compression, call)} == {Status.STATUS_CODE_UNSET}
    assert (said["http.response.status_code"], said["moos.policy"], said["moos.door"]) == (200, "default", "chat")
    assert (said["moos.tokens.before"], said["moos.tokens.after"]) == (cut["moos.tokens.before"], 52)
    assert (said["moos.parts.compressed"], said["moos.parts.too_short"]) == (1, 1)
    assert (called["gen_ai.operation.name"], called["gen_ai.provider.name"]) == ("chat", "openai")
    assert (called["gen_ai.request.model"], called["gen_ai.request.stream"]) == (model, True)
    assert called["gen_ai.usage.input_tokens"] == USAGE["prompt_tokens"]
    assert called["gen_ai.usage.output_tokens"] == USAGE["completion_tokens"]
    assert called["gen_ai.usage.cache_read.input_tokens"] == 4
    assert (called["server.address"], called["server.port"]) == ("127.0.0.1", upstream.port)
    assert said["moos.upstream"] == called["moos.upstream"] == "main"


async def test_every_name_is_one_of_the_conventions_or_ours(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector
) -> None:
    model, name = fresh("names"), fresh("id")
    upstream.scripts[model] = lambda e: e.reply(200, completion())
    await ask(told.port, chat(model, long_text(100)), x_request_id=name)
    modules = (gen_ai_attributes, http_attributes, server_attributes, error_attributes)
    published = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    used = {key for span in family(collector, name) for key in plain(span.attributes)}

    assert {key for key in used if not key.startswith("moos.")} <= published
    assert any(key.startswith("gen_ai.usage.") for key in used)


async def test_the_callers_trace_goes_on_and_reaches_the_upstream(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector
) -> None:
    model, name = fresh("goes-on"), fresh("id")
    await ask(told.port, chat(model), x_request_id=name, traceparent=PARENT, tracestate=STATE, baggage="a=b")
    root, *_, call = family(collector, name)
    sent = upstream.last(model)

    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, SPAN)
    assert [value for key, value in sent.headers if key.lower() == "traceparent"] == [
        f"00-{TRACE}-{call.span_id.hex()}-01"
    ]
    assert (sent.header("tracestate"), sent.header("baggage")) == (STATE, "a=b")


@pytest.mark.parametrize("given", ["", "garbage", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01", "x" * 9000])
async def test_a_broken_traceparent_begins_a_trace_of_its_own(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector, given: str
) -> None:
    model, name = fresh("broken"), fresh("id")
    await ask(told.port, chat(model), x_request_id=name, traceparent=given, tracestate=STATE)
    root, *_, call = family(collector, name)
    sent = upstream.last(model)

    assert root.trace_id.hex() not in (TRACE, "0" * 32)
    assert (sent.header("traceparent") or "").startswith(f"00-{root.trace_id.hex()}-{call.span_id.hex()}-0")
    assert sent.header("tracestate") is None


async def test_a_caller_that_does_not_sample_is_not_told_of(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector
) -> None:
    model, name = fresh("unsampled"), fresh("id")
    await ask(told.port, chat(model), x_request_id=name, traceparent=PARENT[:-1] + "0")
    await ask(told.port, chat(model), x_request_id=f"{name}-later")
    family(collector, f"{name}-later")

    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-00", upstream.all(model)[0].header("traceparent") or "")
    assert all(plain(span.attributes).get("moos.request_id") != name for span in collector.spans())


async def test_without_telemetry_the_headers_pass_untouched(proxy: LiveProxy, upstream: ScriptedUpstream) -> None:
    model = fresh("untouched")
    await ask(proxy.port, chat(model), traceparent="whatever", tracestate=STATE, baggage="a=b")
    sent = upstream.last(model)

    assert (sent.header("traceparent"), sent.header("tracestate")) == ("whatever", STATE)
    assert sent.header("baggage") == "a=b"


async def test_each_upstream_that_was_tried_has_its_span_and_its_place_in_the_trace(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector
) -> None:
    model, name = fresh("dead-then"), fresh("id")
    await ask(told.port, chat(model), x_request_id=name)
    root, _, dead, second = family(collector, name)
    sent = upstream.last(model)

    assert (plain(dead.attributes)["error.type"], dead.status.code) == ("fallback", Status.STATUS_CODE_ERROR)
    assert (plain(second.attributes)["moos.upstream"], root.status.code) == ("second", Status.STATUS_CODE_UNSET)
    assert (sent.header("traceparent") or "").split("-")[2] == second.span_id.hex()


async def test_what_fails_says_so_and_quotes_nothing(told: LiveProxy, collector: Collector) -> None:
    names = {kind: fresh(kind) for kind in ("unreachable", "wrong", "rejected")}
    await ask(told.port, chat(fresh("dead")), x_request_id=names["unreachable"])
    await ask(told.port, b"{", x_request_id=names["wrong"])
    await ask(told.port, chat(fresh("strict"), f"{BOOM} {long_text(90)}"), x_request_id=names["rejected"])
    dead, _, call = family(collector, names["unreachable"])
    (wrong,) = family(collector, names["wrong"])
    rejected, compression = family(collector, names["rejected"])

    assert (dead.status.code, call.status.code) == (Status.STATUS_CODE_ERROR, Status.STATUS_CODE_ERROR)
    assert plain(dead.attributes)["error.type"] == plain(call.attributes)["error.type"]
    assert wrong.status.code == Status.STATUS_CODE_UNSET  # the client's own fault
    assert plain(wrong.attributes)["error.type"] == "invalid_json"
    assert rejected.status.code == compression.status.code == Status.STATUS_CODE_ERROR
    assert not any(span.events or span.status.message for span in (dead, call, rejected, compression))


async def test_no_text_no_key_and_no_word_of_the_callers_is_sent(
    told: LiveProxy, upstream: ScriptedUpstream, collector: Collector
) -> None:
    model, name, key = fresh("quiet"), fresh("id"), f"sk-{CANARY}"
    upstream.scripts[model] = lambda e: e.reply(200, completion(CANARY), ("x-secret", CANARY))
    text = f"{CANARY} {BOOM} {long_text(30, CANARY)}"
    heads = {
        "authorization": f"Bearer {key}",
        "traceparent": PARENT,
        "tracestate": STATE,
        "baggage": f"k={CANARY}",
    }
    await ask(told.port, chat(model, text), **heads)
    await ask(told.port, chat(f"{CANARY} has spaces"), **heads)
    await ask(told.port, chat(key), **heads)
    await ask(told.port, b"", f"/v1/{CANARY}?q={CANARY}", CANARY, **heads)
    await ask(told.port, {"text": text, "role": CANARY}, "/v1/compress", **heads)
    await ask(told.port, chat(model), x_request_id=name)
    family(collector, name)
    await asyncio.sleep(0.5)  # metrics, too

    assert collector.metrics
    assert not any(CANARY.encode() in body for body in collector.raw)


async def test_metrics_are_those_of_the_page(told: LiveProxy, collector: Collector) -> None:
    for _ in range(3):
        await ask(told.port, chat("echo", long_text(100)))
    page = (await ask(told.port, b"", "/metrics", "GET")).body.decode()
    requests = {
        labels: float(value) for labels, value in re.findall(r"^moos_requests_total\{(.*)\} (.*)$", page, re.M)
    }
    counts = {
        n: float(value) for n, value in re.findall(r"^(moos_\w+_seconds_count)(?:\{.*\})? (.*)$", page, re.M)
    }

    def arrived() -> bool:
        sums = sum(point.as_double for point, _ in collector.points("moos.requests"))
        timed = sum(point.count for point, _ in collector.points("moos.compression"))
        return sums == sum(requests.values()) and timed == counts["moos_compression_seconds_count"]

    assert collector.within(arrived)
    echoed = [at for _, at in collector.points("moos.requests") if at["model"] == "echo"]
    assert {at["status"] for at in echoed} == {"200"}
    assert set(echoed[0]) == set(re.findall(r"(\w+)=", next(iter(requests))))
    assert {at["when"] for _, at in collector.points("moos.tokens")} >= {"before", "after"}
    point, _ = next(collector.points("moos.proxy"))
    assert (point.explicit_bounds[0], len(point.explicit_bounds)) == (0.0005, 14)


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
    policy_set: PolicySet, settings: Settings, kind: str, tmp_path: Path
) -> None:
    import socket

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


def test_unasked_nothing_is_imported_and_without_the_extra_it_is_named(tmp_path: Path) -> None:
    code = (
        "import sys, asyncio, contextlib\n"
        "{hide}"
        "from moosproxy.proxy.observing.metrics import Metrics\n"
        "from moosproxy.proxy.observing.tracing import Tracing, open_tracing\n"
        "import moosproxy.proxy.app\n"
        "found = open_tracing(Metrics(), contextlib.AsyncExitStack())\n"
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
