"""One request as spans: one of a server, one for the compressor, and one for each upstream that was tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moosproxy.policies.model import Upstream
from moosproxy.proxy.observing.otel import attributes
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.observing.tracing import Headers, Trace, Tracing

_PARENT = TraceContextTextMapPropagator()
_OWN = frozenset({"traceparent"})
_BOTH = frozenset({"traceparent", "tracestate"})


class Spans(Tracing):
    """Begins a span for each request; the SDK hands them on in batches, in a thread."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(self, record: Record, headers: Mapping[str, str]) -> Trace:
        """The caller's trace goes on where it sent a `traceparent` that is one."""
        return RequestSpans(self._tracer, record, headers.get("traceparent"))


class RequestSpans(Trace):
    """The spans of one request."""

    __slots__ = ("_call", "_here", "_record", "_replaced", "_span", "_tracer", "_upstream")

    def __init__(self, tracer: Tracer, record: Record, given: str | None) -> None:
        """given: the caller's `traceparent`. Its `tracestate`, which may hold any words, goes into no span."""
        self._tracer, self._record = tracer, record
        parent = _PARENT.extract({"traceparent": given}) if given else Context()
        self._replaced = _OWN if parent else _BOTH  # whose trace is not gone on with, its state is nobody's
        self._span = tracer.start_span(attributes.server_name(record), parent, SpanKind.SERVER)
        self._here = set_span_in_context(self._span, parent)
        self._call: Span | None = None
        self._upstream: str | None = None

    @contextmanager
    def compressing(self) -> Iterator[None]:
        """A span of its own. What is raised in it is noted by its type: messages may quote a prompt."""
        span = self._tracer.start_span("compression", self._here)
        try:
            yield
            span.set_attributes(attributes.of_compression(self._record))
        except BaseException as fault:
            _fail(span, type(fault).__name__)
            raise
        finally:
            span.end()

    def towards(self, upstream: Upstream, model: str | None, headers: Headers) -> Headers:
        """Begins the span of a call. Where one is under way, its upstream has failed."""
        self._give_up("fallback")
        told = attributes.of_call(self._record, upstream, model)
        name = attributes.client_name(self._record, told)
        call = self._call = self._tracer.start_span(name, self._here, SpanKind.CLIENT, told)
        self._upstream = upstream.name
        kept = [entry for entry in headers if entry[0] not in self._replaced]
        return [*kept, ("traceparent", _traceparent(call))]

    def end(self) -> None:
        """Ends all that is under way; the answer has been passed on."""
        record = self._record
        if self._call is not None and record.upstream == self._upstream:
            self._call.set_attributes(attributes.of_answer(record))
            if record.error is not None or record.status >= 400:
                _fail(self._call, record.error or str(record.status))
            self._call.end()
        else:
            self._give_up(record.error or "no_answer")
        self._span.set_attributes(attributes.of_request(record))
        if record.error is not None or record.status >= 500:
            # What a client did wrong is no fault of the server's span.
            _fail(self._span, record.error or str(record.status), ours=record.status >= 500)
        self._span.end()

    def _give_up(self, reason: str) -> None:
        if self._call is not None:
            _fail(self._call, reason)
            self._call.end()
            self._call = None


def _fail(span: Span, reason: str, *, ours: bool = True) -> None:
    span.set_attribute("error.type", reason)
    if ours:
        span.set_status(StatusCode.ERROR)


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    trace, own = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return f"00-{trace}-{own}-{context.trace_flags:02x}"
