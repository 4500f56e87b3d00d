"""What only a model on this machine needs on a request's way: is shortening worth it, and does the prompt fit."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

from moosproxy.policies.resolve import Decision
from moosproxy.proxy.rewriting.break_even import Figures, ReadsPrompts
from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten
from moosproxy.proxy.routes.guard import Exchange
from moosproxy.proxy.routes.outgoing import calls
from moosproxy.proxy.services import Services
from moosproxy.proxy.upstreams.crossing.send import as_chat
from moosproxy.proxy.upstreams.window import Counts, Measures, Room


async def speeds(services: Services, decision: Decision, model: Any) -> Figures | None:
    """What break-even knows of the model, None where nothing was or can be measured.

    The route's first upstream decides: the others are asked only when it fails.
    """
    upstream = decision.upstreams[0]
    policy = decision.policy
    if upstream.kind != "llama_cpp" or not (policy.enabled and policy.break_even) or not isinstance(model, str):
        return None
    client = services.pool.client(upstream)
    if not isinstance(client, ReadsPrompts):
        return None
    try:
        return await services.break_even.figures(client, upstream.model_for(model))
    except Exception:  # the model cannot be loaded: the request itself is told why
        return None


async def counted(services: Services, decision: Decision, model: Any) -> Decision:
    """The decision with texts counted as the model that is asked first counts them, unless the policy says how."""
    upstream, policy = decision.upstreams[0], decision.policy
    if policy.tokenizer not in (None, "auto") or upstream.kind != "llama_cpp":
        return decision
    client = services.pool.client(upstream)
    if not isinstance(client, Counts):
        return decision
    try:
        tokenizer = await client.tokenizer(upstream.model_for(model) if isinstance(model, str) else "")
    except Exception:  # no such model, a damaged file: the request itself is told why
        return decision
    if tokenizer is None:
        return decision
    return replace(decision, policy=policy.model_copy(update={"tokenizer": tokenizer}))


async def fitted(
    exchange: Exchange, body: dict[str, Any], decision: Decision, asked: Overrides, usual: Rewritten
) -> Rewritten:
    """The request with as much compression as its model's window needs. Raises ContextTooLong."""
    upstream = decision.upstreams[0]
    client = exchange.services.pool.client(upstream)
    if not isinstance(client, Measures):
        return usual
    spent_ms = 0.0

    harder = decision.policy.model_copy(update={"quality": None})  # what does not fit gets no answer at all

    async def attempt(ratio: float) -> Rewritten:
        nonlocal spent_ms
        found = await exchange.services.rewriter.rewrite(
            body, harder, exchange.caller.team, asked._replace(ratio=ratio), door=exchange.way.door
        )
        spent_ms += found.compression_ms
        return found

    async def measure(rewritten: Rewritten) -> Room | None:
        call_for = calls(exchange, decision, rewritten.changes, body)
        began = perf_counter()
        try:
            return await client.measure(await as_chat(upstream, await call_for(upstream)))
        except Exception:  # no such model, a damaged file, a wrong field: the request itself is told
            return None
        finally:
            exchange.record.upstream_s += perf_counter() - began

    scope = [exchange.caller.team, upstream.name, str(body.get("model")), decision.policy.name]
    policy = decision.policy if asked.ratio is None else decision.policy.model_copy(update={"ratio": asked.ratio})
    found, exchange.record.fit = await exchange.services.fit_context.fit(
        exchange.way.door, body, scope, policy, usual, attempt, measure
    )
    return found._replace(compression_ms=usual.compression_ms + spent_ms)
