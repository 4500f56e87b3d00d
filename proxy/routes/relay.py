"""The way of a request through the proxy: read, decide, shorten, send on, pass the answer back byte for byte."""

from __future__ import annotations

from time import perf_counter
from typing import Any
from urllib.parse import unquote

from moosproxy.policies.faults import NoRouteError
from moosproxy.policies.overrides import Applied, Requested, apply_overrides
from moosproxy.policies.resolve import Decision, RequestFacts
from moosproxy.proxy import headers
from moosproxy.proxy.bodies.splice import Path
from moosproxy.proxy.errors import BadRequest, NotFound, envelope
from moosproxy.proxy.rewriting.outcome import Overrides
from moosproxy.proxy.routes import local
from moosproxy.proxy.routes.guard import Exchange
from moosproxy.proxy.routes.outgoing import calls, changed_texts, is_soft
from moosproxy.proxy.routes.reading import parse_json
from moosproxy.proxy.upstreams.base import Answer, UpstreamFault
from moosproxy.proxy.upstreams.usage import UsageReader

REWRITTEN = frozenset({"/chat/completions", "/completions"})
_JSON_BODIES = REWRITTEN | {"/embeddings", "/responses"}
_NO_WISHES = Requested()
_STREAM_HEADERS = ((b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no"))


async def relay(exchange: Exchange) -> None:
    """Serves any request under /v1."""
    parsed = await _parsed(exchange)
    decision, applied = decide(exchange, _model(exchange.path, parsed))
    replacements: dict[Path, str] = {}
    if parsed is not None and exchange.path in REWRITTEN and not is_soft(decision):
        counted = await local.counted(exchange.services, decision, parsed.get("model"))
        replacements = await _shorten(exchange, parsed, counted, applied)
    answer = await _send(exchange, decision, replacements, parsed)
    try:
        await _pass_back(exchange, answer)
    finally:
        await answer.close()


async def _parsed(exchange: Exchange) -> dict[str, Any] | None:
    """The body if it is a JSON object; None where nothing of it concerns us. Raises BadRequest."""
    if exchange.scope["method"] != "POST":
        return None
    if exchange.path in _JSON_BODIES:
        parsed = await parse_json(exchange.body)
        if not isinstance(parsed, dict):
            raise BadRequest("The request body must be a JSON object.", code="invalid_type")
        _check_types(exchange.path, parsed)
        return parsed
    if not exchange.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        parsed = await parse_json(exchange.body)
    except BadRequest:
        return None  # an endpoint that we do not know: the upstream judges its body
    return parsed if isinstance(parsed, dict) else None


def _check_types(path: str, body: dict[str, Any]) -> None:
    """The few fields that we read ourselves; everything else is the upstream's to judge."""
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise BadRequest("model must be a string.", param="model", code="invalid_type")
    if path != "/chat/completions":
        return
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise BadRequest("messages must be an array of messages.", param="messages", code="invalid_type")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            name = f"messages[{index}]"
            raise BadRequest(f"{name} must be an object.", param=name, code="invalid_type")


def _model(path: str, parsed: dict[str, Any] | None) -> str | None:
    if parsed is not None:
        model = parsed.get("model")
        return model if isinstance(model, str) else None
    return unquote(path.removeprefix("/models/")) if path.startswith("/models/") else None


def decide(exchange: Exchange, model: str | None) -> tuple[Decision, Applied]:
    """The route and the policy with the request's wishes in it. Raises NotFound, BadRequest."""
    record = exchange.record
    facts = RequestFacts(exchange.caller.team, model, exchange.path, exchange.headers)
    try:
        decision = exchange.services.decisions.of(exchange.services.policies.current, facts)
    except NoRouteError:
        raise NotFound(
            "No route of this proxy's policies takes this model here; `moos policy explain` shows the routes.",
            param="model",
            code="model_not_found",
        ) from None
    record.policy, record.route = decision.policy.name, decision.route
    wishes = requested(exchange.headers)
    if wishes is _NO_WISHES:
        return decision, Applied(decision.policy, False, None, None, ())
    return decision, apply_overrides(decision.policy, wishes)


def requested(fields: dict[str, str]) -> Requested:
    """The wishes in the x-moos headers. Raises BadRequest."""
    if headers.WISHES.isdisjoint(fields):
        return _NO_WISHES
    return Requested(headers.asked_bypass(fields), headers.asked_ratio(fields), headers.asked_alpha(fields))


def overrides(applied: Applied) -> Overrides:
    """The same for the rewriter."""
    return Overrides(bypass=applied.bypass, ratio=applied.ratio, alpha=applied.alpha)


async def _shorten(
    exchange: Exchange, body: dict[str, Any], decision: Decision, applied: Applied
) -> dict[Path, str]:
    """The texts that changed, by their place in the body."""
    rewriter, team, policy = exchange.services.rewriter, exchange.caller.team, decision.policy
    asked = overrides(applied)
    worth = await local.worth(exchange.services, decision, body.get("model"))
    rewritten = await rewriter.rewrite(body, policy, team, asked, worth)
    if policy.fit_context and policy.enabled and not (policy.shadow or asked.bypass):
        rewritten = await local.fitted(exchange, body, decision, asked, rewritten)
    exchange.record.take(rewritten)
    if not rewritten.changed:
        return {}
    return changed_texts(body, rewritten.body)


async def _send(
    exchange: Exchange, decision: Decision, replacements: dict[Path, str], parsed: dict[str, Any] | None
) -> Answer:
    record = exchange.record
    call_for = calls(exchange, decision, replacements, parsed)
    began = perf_counter()
    try:
        answer, record.upstream = await exchange.services.pool.send(decision.upstreams, call_for)
    finally:
        record.upstream_s += perf_counter() - began
    return answer


async def _pass_back(exchange: Exchange, answer: Answer) -> None:
    record = exchange.record
    raw = answer.headers
    names = dict(raw)
    record.stream = names.get(b"content-type", b"").startswith(b"text/event-stream")
    if record.stream:
        raw = raw + [header for header in _STREAM_HEADERS if header[0] not in names]
    await exchange.start(answer.status, raw)
    reader = UsageReader(answer.headers)
    try:
        rest = await _stream(exchange, answer, reader)
    except UpstreamFault as fault:
        record.error = f"upstream_{fault.reason}"
        if record.stream and b"content-encoding" not in names and exchange.at_event_boundary:
            error = envelope(fault.message, "api_error", None, "upstream_broken")
            await exchange.finish(b"data: " + error + b"\n\n")
        return  # else the server closes the connection, so the client sees that the answer is not whole
    await exchange.finish(rest)
    record.usage = reader.usage()
    if record.usage is not None and record.upstream is not None:
        exchange.services.metrics.usage(record.upstream, record.usage)


async def _stream(exchange: Exchange, answer: Answer, reader: UsageReader) -> bytes:
    """Sends the answer's chunks as they come; gives the last one back if it is known to be the last."""
    while chunk := await answer.read():
        reader.feed(chunk)
        if answer.ended:
            return chunk
        await exchange.chunk(chunk)
    return b""
