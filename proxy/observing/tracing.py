"""What a request tells a tracer. Here nobody listens; who does is behind the extra `otel`, in `otel/`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from importlib.util import find_spec

from moosproxy.policies.model import Upstream
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.observing.record import Record

SIGNALS = ("TRACES", "METRICS")
_ENDPOINT = "OTEL_EXPORTER_OTLP_{}ENDPOINT"
_SPOKEN = "http/protobuf"
_NOTHING = nullcontext()
Headers = list[tuple[str, str]]


class Trace:
    """One request, of which nobody is told."""

    __slots__ = ()

    def compressing(self) -> AbstractContextManager[None]:
        """Around the work on its texts."""
        return _NOTHING

    def towards(self, upstream: Upstream, model: str | None, headers: Headers) -> Headers:
        """An upstream is about to be tried; gives back the headers that it is sent. model: as it is asked for."""
        return headers

    def end(self) -> None:
        """The request's record is complete."""


UNTOLD = Trace()


class Tracing:
    """Begins a trace for each request."""

    def begin(self, record: Record, headers: Mapping[str, str]) -> Trace:
        """headers: the caller's, by lower-case name."""
        return UNTOLD


def wanted(signal: str) -> bool:
    """Whether the environment asks for a signal, in OpenTelemetry's own words. signal: one of SIGNALS."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() not in ("", "otlp"):
        return False
    return any(os.environ.get(_ENDPOINT.format(part), "").strip() for part in ("", f"{signal}_"))


def open_tracing(version: str, metrics: Metrics, stack: AsyncExitStack) -> Tracing:
    """What the environment asks for; without the extra, or asked for nothing, nothing is imported.

    version: of this service, as it is told. stack: ends it.
    """
    signals = [signal for signal in SIGNALS if wanted(signal)]
    if not signals:
        return Tracing()
    reason = _unable(signals)
    if reason is None:
        from moosproxy.proxy.observing.otel.opening import open_telemetry

        try:
            return open_telemetry(signals, version, metrics, stack)
        except ValueError as fault:
            reason = f"an OTEL_* variable cannot be used: {fault}"
    LOG.warning("telemetry is off", extra={"fields": {"reason": reason}})
    return Tracing()


def _unable(signals: list[str]) -> str | None:
    """Why what is asked for cannot be done, with the fix."""
    names = [f"OTEL_EXPORTER_OTLP_{part}PROTOCOL" for part in ("", *(f"{signal}_" for signal in signals))]
    for name in names:
        if (spoken := os.environ.get(name, _SPOKEN)) not in ("", _SPOKEN):
            return f"{name} is {spoken}: set {_SPOKEN}, which collectors take at port 4318"
    if any(find_spec(f"opentelemetry.{name}") is None for name in ("sdk", "exporter")):
        return "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra is missing: pip install 'moosproxy[otel]'"
    return None
