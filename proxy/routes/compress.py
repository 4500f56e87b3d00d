"""POST /v1/compress: messages or a text in, the same shortened out, with counts. Nothing goes upstream."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moosproxy.policies.overrides import Applied, Requested, apply_overrides
from moosproxy.policies.resolve import Decision
from moosproxy.proxy import headers
from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.errors import BadRequest, NotFound
from moosproxy.proxy.routes import local
from moosproxy.proxy.routes.guard import Exchange
from moosproxy.proxy.routes.reading import parse_json
from moosproxy.proxy.routes.relay import decide, overrides, requested
from moosproxy.proxy.scheduling.scheduler import DeadlineMissed, Overloaded

if TYPE_CHECKING:
    from moosproxy.proxy.rewriting.outcome import PartOutcome

_ROLES = ("user", "tool", "system", "developer", "assistant")


async def compress(exchange: Exchange) -> None:
    """Serves the endpoint."""
    if exchange.scope["method"] != "POST":
        raise NotFound("/v1/compress takes POST.")
    body = await parse_json(exchange.body)
    if not isinstance(body, dict):
        raise BadRequest("The request body must be a JSON object.", code="invalid_type")
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise BadRequest("model must be a string.", param="model", code="invalid_type")
    wishes, detail = _wishes(exchange, body), _detail(body)
    decision, _ = decide(exchange, model)
    decision = await local.counted(exchange.services, _with_policy(exchange, body, decision), model)
    applied = apply_overrides(decision.policy, wishes)
    with exchange.trace.compressing():
        if "messages" in body:
            shortened = await _messages(exchange, body, applied)
        else:
            shortened = await _text(exchange, body, applied)
    counts = _counts(exchange)
    if detail:
        counts["detail"] = await _explained(exchange, body, applied)
        counts["cost_usd"] = _cost(exchange, decision, model)
    try:
        answer = any_json.dumps({**shortened, **counts})
    except RecursionError:  # what is read without recursion may be too deep to be written
        raise BadRequest("messages are nested too deeply.", param="messages", code="invalid_value") from None
    await exchange.reply(200, answer)


def _wishes(exchange: Exchange, body: dict[str, Any]) -> Requested:
    """The body's ratio and alpha go before those in the headers. Raises BadRequest."""
    in_headers = requested(exchange.headers)
    ratio = headers.checked_number(body.get("ratio"), "ratio", low=1, high=math.inf, code="invalid_value")
    alpha = headers.checked_number(body.get("alpha"), "alpha", low=0, high=1, code="invalid_value")
    return Requested(
        in_headers.bypass,
        in_headers.ratio if ratio is None else ratio,
        in_headers.alpha if alpha is None else alpha,
    )


def _detail(body: dict[str, Any]) -> bool:
    """Whether the answer is to say what was kept and why. Raises BadRequest."""
    detail = body.get("detail", False)
    if not isinstance(detail, bool):
        raise BadRequest("detail must be true or false.", param="detail", code="invalid_type")
    return detail


def _with_policy(exchange: Exchange, body: dict[str, Any], decision: Decision) -> Decision:
    """The decision with the policy that the body names, one of the caller's own routes. Raises BadRequest."""
    name = body.get("policy")
    if name is None:
        return decision
    own = exchange.services.policies.current.policies_of(exchange.caller.team)
    if not isinstance(name, str) or name not in own:
        known = ", ".join(sorted(own))
        raise BadRequest(f"policy must be one of your routes': {known}.", param="policy", code="invalid_value")
    exchange.record.policy = name
    return replace(decision, policy=own[name])


async def _explained(exchange: Exchange, body: dict[str, Any], applied: Applied) -> list[dict[str, Any]]:
    """What was kept of each text and why; nothing where there is no time for it. Raises BadRequest."""
    asked = body if "messages" in body else _as_messages(body)
    record = exchange.record
    try:
        return await exchange.services.explainer.explain(
            asked, applied.policy, exchange.caller.team, overrides(applied), record.parts
        )
    except (Overloaded, DeadlineMissed):
        return []


def _cost(exchange: Exchange, decision: Decision, model: str | None) -> dict[str, float] | None:
    """Dollars for the prompt's texts before and after, nothing of them cached; None where no price is known."""
    price = exchange.services.prices.of(decision.upstreams[0], model)
    if price is None:
        return None
    before, after = exchange.record.tokens_before, exchange.record.tokens_after
    return {
        "before": before * price.at(before).input / 1e12,
        "after": after * price.at(after).input / 1e12,
    }


async def _messages(exchange: Exchange, body: dict[str, Any], applied: Applied) -> dict[str, Any]:
    messages = body["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadRequest("messages must be an array of objects.", param="messages", code="invalid_type")
    rewriter = exchange.services.rewriter
    rewritten = await rewriter.rewrite(body, applied.policy, exchange.caller.team, overrides(applied))
    exchange.record.take(rewritten)
    return {"object": "compression", "messages": rewritten.body["messages"]}


async def _text(exchange: Exchange, body: dict[str, Any], applied: Applied) -> dict[str, Any]:
    text, role = body.get("text"), body.get("role", "user")
    if not isinstance(text, str):
        raise BadRequest("Give either messages (an array) or text (a string).", param="text", code="invalid_type")
    if role not in _ROLES:
        raise BadRequest(f"role must be one of {', '.join(_ROLES)}.", param="role", code="invalid_value")
    shortened = await _messages(exchange, _as_messages(body), applied)
    return {"object": "compression", "text": shortened["messages"][0]["content"]}


def _as_messages(body: dict[str, Any]) -> dict[str, Any]:
    """A text as the one message of a chat."""
    message = {"role": body.get("role", "user"), "content": body["text"]}
    return {"model": body.get("model"), "messages": [message]}


def _counts(exchange: Exchange) -> dict[str, Any]:
    record = exchange.record
    before, after = record.tokens_before, record.tokens_after
    return {
        "tokens_before": before,
        "tokens_after": after,
        "tokens_saved": before - after,
        "ratio": round(before / after, 3) if after else 1.0,
        "policy": record.policy,
        "parts": [_part(part) for part in record.parts],
    }


def _part(part: PartOutcome) -> dict[str, Any]:
    return {
        "message": part.message,
        "part": part.part,
        "role": part.role,
        "outcome": "compressed" if part.reason is None else "skipped",
        "reason": part.reason,
        "tokens_before": part.tokens_before,
        "tokens_after": part.tokens_after,
        "cache": part.cache,
        "limited_by": part.limit and {"kind": part.limit.kind, "percent": part.limit.percent},
    }
