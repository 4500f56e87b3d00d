"""Sets the SDK up by its own OTEL_* variables, and ends it without waiting for a collector that is gone."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from time import monotonic

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.observing.otel.meters import mirror
from moosproxy.proxy.observing.otel.spans import Spans
from moosproxy.proxy.observing.tracing import Tracing

_LAST_WORDS_S = 3.0
_QUIET_S = 60.0
_THEIRS = ("opentelemetry", "urllib3")


class Complaints(logging.Handler):
    """The SDK's complaints as one line a minute in words of ours: its own come with every try, and may quote."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said_at = -_QUIET_S
        self._unsaid = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Counts it, and says so unless something was said lately."""
        self._unsaid += 1
        if monotonic() - self._said_at < _QUIET_S:
            return
        reason = "the collector does not take all that it is sent: see OTEL_EXPORTER_OTLP_ENDPOINT and its own log"
        fields = {"by": record.name, "faults": self._unsaid, "reason": reason}
        self._said_at, self._unsaid = monotonic(), 0
        LOG.warning("telemetry is lost", extra={"fields": fields})


def open_telemetry(signals: Sequence[str], version: str, metrics: Metrics, stack: AsyncExitStack) -> Tracing:
    """Providers of this process alone, not the global ones. Raises ValueError where a variable cannot be used."""
    _listen_to_complaints(stack)
    resource = _resource(version)
    tracing = Tracing()
    if "TRACES" in signals:
        tracer = TracerProvider(resource=resource, shutdown_on_exit=False)
        tracer.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        stack.push_async_callback(_ended, tracer)
        tracing = Spans(tracer.get_tracer("moosproxy", version))
    if "METRICS" in signals:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        meter = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        stack.push_async_callback(_ended, meter)
        mirror(metrics, meter.get_meter("moosproxy", version))
        stack.callback(metrics.settle)
    return tracing


def _resource(version: str) -> Resource:
    """What the environment says of this service goes before what we say."""
    own = {"service.name": "moosproxy", "service.version": version, "service.instance.id": str(uuid.uuid4())}
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})


def _listen_to_complaints(stack: AsyncExitStack) -> None:
    handler = Complaints()
    for name in _THEIRS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        stack.callback(setattr, logger, "propagate", logger.propagate)
        stack.callback(logger.removeHandler, handler)
        logger.propagate = False


async def _ended(provider: TracerProvider | MeterProvider) -> None:
    """What is held is sent, within a bound. A thread of its own: the loop's would be waited for at the end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=end, daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), _LAST_WORDS_S)
