"""The way of a request through the proxy: read, decide, shorten, send on, pass the answer back byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any
from urllib.parse import unquote

from moosproxy.policies.faults import NoRouteError
from moosproxy.policies.fields.endpoints import reaches
from moosproxy.policies.model import Policy
from moosproxy.policies.overrides import Applied, Requested, apply_overrides
from moosproxy.policies.resolve import Decision, RequestFacts
from moosproxy.proxy import headers
from moosproxy.proxy.bodies.splice import Path
from moosproxy.proxy.errors import BadRequest, Forbidden, NotFound, Told
from moosproxy.proxy.rewriting.control_group import carries_on, side_of
from moosproxy.proxy.rewriting.conversation import asked_before
from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten
from moosproxy.proxy.rewriting.soft.softening import Softening, is_soft
from moosproxy.proxy.routes import limiting, local
from moosproxy.proxy.routes.guard import Exchange
from moosproxy.proxy.routes.outgoing import calls
from moosproxy.proxy.routes.reading import parse_json
from moosproxy.proxy.upstreams.base import Answer, OwnError, UpstreamFault
from moosproxy.proxy.upstreams.usage import UsageReader

_NO_WISHES = Requested()
_MODEL_CHARS = 200
_CACHE_MARK = b'"cache_control"'
_STREAM_HEADERS = ((b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no"))


async def relay(exchange: Exchange) -> None:
    """Serves any request under /v1."""
    _keep_keys_here(exchange)
    door = exchange.way.door
    parsed = await _parsed(exchange)
    model = _model(exchange.way.path, parsed)
    if model:
        exchange.record.model = model[:_MODEL_CHARS]
    decision, applied = decide(exchange, model)
    _allow(exchange, decision.policy)
    replacements: Mapping[Path, str] = {}
    softening: Softening | None = None
    if parsed is None or door.texts is None or exchange.way.path not in door.paths:
        exchange.record.unseen = True
    elif is_soft(decision):
        softening = _softening(exchange, parsed, decision, applied)
        replacements = await _shorten_first(exchange, parsed, decision, applied, softening)
    else:
        counted = await local.counted(exchange.services, decision, parsed.get("model"))
        with exchange.trace.compressing():
            replacements = (await _shorten(exchange, parsed, counted, overrides(applied))).changes
    await limiting.charge(exchange, parsed)
    answer = await _send(exchange, decision, replacements, parsed, softening)
    try:
        await _pass_back(exchange, answer)
    finally:
        await answer.close()


def _keep_keys_here(exchange: Exchange) -> None:
    """Raises BadRequest where a key of this proxy would leave it in the address."""
    own_keys, scope = exchange.caller.own_keys, exchange.scope
    if own_keys is None:
        return
    if own_keys.inside(exchange.way.path.encode("latin-1", "replace")) or own_keys.inside(scope["query_string"]):
        raise BadRequest(
            "A key of this proxy stands in the request's address, where logs on its way would keep it. Send it as "
            "`Authorization: Bearer sk-moos-...` or `x-api-key: ...` alone, and have this key replaced.",
            code="key_in_address",
        )


def _allow(exchange: Exchange, policy: Policy) -> None:
    """Raises Forbidden where the team may not reach the endpoint. Who needs no key has the account alone."""
    method, plain = exchange.record.method, exchange.way.plain
    if exchange.caller.team is None or reaches(policy.endpoints, method, plain):
        return
    raise Forbidden(
        f"This team's policy does not allow {method} at this path. All teams share one account at the provider, "
        "so what is stored there needs an entry in the policy's `endpoints`; ask whoever runs this proxy."
    )


async def _parsed(exchange: Exchange) -> dict[str, Any] | None:
    """The body if it is a JSON object; None where nothing of it concerns us. Raises BadRequest."""
    if exchange.record.method != "POST":
        return None
    door = exchange.way.door
    if exchange.way.path in door.paths:
        parsed = await parse_json(exchange.body)
        if not isinstance(parsed, dict):
            raise BadRequest("The request body must be a JSON object.", code="invalid_type")
        door.check(parsed)
        return parsed
    if not exchange.headers.get("content-type", "").strip().lower().startswith("application/json"):
        return None
    try:
        parsed = await parse_json(exchange.body)
    except BadRequest:
        return None  # an endpoint that we do not know: the upstream judges its body
    return parsed if isinstance(parsed, dict) else None


def _model(path: str, parsed: dict[str, Any] | None) -> str | None:
    if parsed is not None:
        model = parsed.get("model")
        return model if isinstance(model, str) else None
    return unquote(path.removeprefix("/models/")) if path.startswith("/models/") else None


def decide(exchange: Exchange, model: str | None) -> tuple[Decision, Applied]:
    """The route and the policy with the request's wishes in it. Raises NotFound, BadRequest."""
    record = exchange.record
    facts = RequestFacts(exchange.caller.team, model, exchange.way.plain, exchange.headers)
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


def _softening(exchange: Exchange, body: dict[str, Any], decision: Decision, applied: Applied) -> Softening:
    record = exchange.record

    def take(rewritten: Rewritten, seconds: float) -> None:
        record.take(rewritten)
        record.upstream_s -= seconds  # the model's time, but compression all the same

    ratio = headers.asked_ratio(exchange.headers)
    door = exchange.way.door
    parts = door.find(body)
    known = asked_before(door, body, parts) if decision.policy.question == "auto" else [None] * len(parts)
    return Softening(parts, known, decision.policy, ratio, take, bypass=applied.bypass)


async def _shorten_first(
    exchange: Exchange, body: dict[str, Any], decision: Decision, applied: Applied, softening: Softening
) -> Mapping[Path, str]:
    """Where the policy shortens the texts that become memory. The request's own ratio is that of the memory."""
    soft = decision.policy.soft
    if softening.wish is None or soft is None or not soft.shorten_first:
        return {}
    with exchange.trace.compressing():
        rewritten = await _shorten(exchange, body, decision, overrides(applied)._replace(ratio=None))
    softening.shortened(rewritten)
    return rewritten.changes


async def _shorten(exchange: Exchange, body: dict[str, Any], decision: Decision, wished: Overrides) -> Rewritten:
    """The texts that changed, by their place in the body."""
    rewriter, team, policy = exchange.services.rewriter, exchange.caller.team, decision.policy
    asked = met(exchange, body, decision, wished)
    figures = await local.speeds(exchange.services, decision, body.get("model"))
    worth = figures.worth if figures is not None else None
    rewritten = await rewriter.rewrite(body, policy, team, asked, worth, exchange.way.door)
    if policy.fit_context and policy.enabled and not (policy.shadow or asked.bypass):
        rewritten = await local.fitted(exchange, body, decision, asked, rewritten)
    exchange.record.take(rewritten)
    exchange.record.read_per_s = figures.read_per_s if figures is not None else 0.0
    if rewritten.openings and exchange.way.door.root == "messages":
        exchange.record.marked = _CACHE_MARK in exchange.body
        exchange.record.marked_to_end = exchange.record.marked and _marks_its_end(body)
    return rewritten


def _marks_its_end(body: dict[str, Any]) -> bool:
    """Whether a message's last block asks the provider to cache everything up to it."""
    messages = body.get("messages")  # of any form: whoever answers checks it
    last = messages[-1] if isinstance(messages, list) and messages else None
    blocks = last.get("content") if isinstance(last, dict) else None
    block = blocks[-1] if isinstance(blocks, list) and blocks else {}
    return bool(body.get("cache_control") or (isinstance(block, dict) and block.get("cache_control")))


def met(exchange: Exchange, body: dict[str, Any], decision: Decision, asked: Overrides) -> Overrides:
    """With the side of the control group, and the least that the provider caches where the policy heeds it."""
    policy, record = decision.policy, exchange.record
    off = exchange.services.settings.compressor == "off"
    if off or not policy.enabled or policy.shadow or asked.bypass or policy.ratio == asked.ratio == 1:
        return asked
    record.arm = "compressed"
    if policy.holdout:
        side = side_of(exchange.way.door, body, policy)
        record.arm = "off" if side is None else "holdout" if side.holdout else "compressed"
        record.conversation = side.number if side is not None else None
        # What was begun on the side of those held out must not be shortened later on, and nobody can tell.
        if side.holdout if side is not None else carries_on(exchange.way.door, body):
            return asked._replace(holdout=True)
    if policy.cost_aware:
        least = exchange.services.prices.cache_least(decision.upstreams[0], body.get("model"))
        asked = asked._replace(cache_least=least)
    return asked


async def _send(
    exchange: Exchange,
    decision: Decision,
    replacements: Mapping[Path, str],
    parsed: dict[str, Any] | None,
    softening: Softening | None,
) -> Answer:
    record = exchange.record
    soft = softening.wish if softening is not None else None
    call_for = calls(exchange, decision, replacements, parsed, exchange.trace, soft)
    began = perf_counter()
    try:
        answer, record.upstream = await exchange.services.pool.send(decision.upstreams, call_for)
    finally:
        record.upstream_s += perf_counter() - began
    if isinstance(answer, OwnError):
        answer.reshape(exchange.shaped(answer.told))
    elif softening is not None:
        softening.close()
    return answer


async def _pass_back(exchange: Exchange, answer: Answer) -> None:
    record = exchange.record
    raw = answer.headers
    names = dict(raw)
    record.stream = names.get(b"content-type", b"").strip().lower().startswith(b"text/event-stream")
    if record.stream:
        raw = raw + [header for header in _STREAM_HEADERS if header[0] not in names]
    await exchange.start(answer.status, raw)
    reader = UsageReader(answer.headers)
    try:
        rest = await _stream(exchange, answer, reader)
    except UpstreamFault as fault:
        record.error = f"upstream_{fault.reason}"
        if record.stream and b"content-encoding" not in names and exchange.at_event_boundary:
            told = Told(502, fault.message, "api_error", None, "upstream_broken")
            await exchange.finish(exchange.way.door.event(told, record.request_id))
        return  # else the server closes the connection, so the client sees that the answer is not whole
    finally:
        _note_usage(exchange, reader)
    await exchange.finish(rest)


def _note_usage(exchange: Exchange, reader: UsageReader) -> None:
    """Of an answer that broke off, too: nobody gets it cheaper by leaving before its end."""
    record = exchange.record
    if exchange.ticket is not None:
        exchange.ticket.answered = reader.events
    record.usage = reader.usage()
    if record.usage is not None and record.upstream is not None:
        exchange.services.metrics.usage(record.upstream, record.usage, record.model)


async def _stream(exchange: Exchange, answer: Answer, reader: UsageReader) -> bytes:
    """Sends the answer's chunks as they come; gives the last one back if it is known to be the last."""
    while chunk := await answer.read():
        reader.feed(chunk)
        if answer.ended:
            return chunk
        await exchange.chunk(chunk)
    return b""
