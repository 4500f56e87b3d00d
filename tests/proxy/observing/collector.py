"""An OpenTelemetry collector that takes OTLP over HTTP, and a proxy that is told to use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "200"}
"""Soon enough for a test to wait for."""
TAKES: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


def plain(pairs: Any) -> dict[str, Any]:
    """Attributes as a dictionary."""

    def value(pair: KeyValue) -> Any:
        return getattr(pair.value, pair.value.WhichOneof("value") or "string_value")

    return {pair.key: value(pair) for pair in pairs}


@dataclass
class Collector:
    """Listens on loopback. raw: every body as it came in."""

    raw: list[bytes] = field(default_factory=list)
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)

    def __enter__(self) -> Collector:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.path, self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        """One batch."""
        self.raw.append(body)
        batch = TAKES[path].FromString(body)
        (self.traces if path == "/v1/traces" else self.metrics).append(batch)

    def spans(self) -> list[Span]:
        """All that came in."""
        return [
            span
            for batch in list(self.traces)
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, Any]]:
        """What the processes say of themselves, with each batch of spans."""
        return [plain(one.resource.attributes) for batch in list(self.traces) for one in batch.resource_spans]

    def points(self, name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Of the latest batch that has this metric: its points, with their attributes."""
        for batch in reversed(list(self.metrics)):
            found = [
                point
                for resource in batch.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
                if metric.name == name
                for point in getattr(metric, metric.WhichOneof("data")).data_points
            ]
            if found:
                yield from ((point, plain(point.attributes)) for point in found)
                return

    def within(self, ready: Callable[[], bool], seconds: float = 15.0) -> bool:
        """Waits until something has come in."""
        until = time.monotonic() + seconds
        while not ready() and time.monotonic() < until:
            time.sleep(0.02)
        return ready()


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
