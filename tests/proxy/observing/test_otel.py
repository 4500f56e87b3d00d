"""OpenTelemetry against a real collector: what spans and metrics say, and whose trace they belong to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.settings import Settings
from tests.proxy.answers import USAGE, chunks, completion
from tests.proxy.fakes import BOOM
from tests.proxy.live import LiveProxy, ScriptedUpstream
from tests.proxy.observing.collector import Collector, plain, telling
from tests.proxy.wire import ask, chat, fresh, long_text

CANARY = "canary-8f3a"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
STATE = f"vendor={CANARY}"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


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
