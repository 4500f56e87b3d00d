"""What goes upstream for a request: its own bytes, with the texts that changed and the model's name in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moosproxy.policies.model import Upstream
from moosproxy.policies.resolve import Decision
from moosproxy.proxy import headers
from moosproxy.proxy.bodies.splice import Path, splice
from moosproxy.proxy.cache.store import off_loop
from moosproxy.proxy.observing.tracing import UNTOLD, Trace
from moosproxy.proxy.routes.guard import Exchange
from moosproxy.proxy.upstreams.base import Call
from moosproxy.proxy.upstreams.pool import CallFor
from moosproxy.proxy.upstreams.soft_told import SoftWish

_LONG_BODY = 256 * 1024
"""Bytes of a body that is searched in a thread: with many small messages that takes its time."""


def calls(
    exchange: Exchange,
    decision: Decision,
    replacements: Mapping[Path, str],
    parsed: dict[str, Any] | None,
    trace: Trace = UNTOLD,
    soft: SoftWish | None = None,
) -> CallFor:
    """What each upstream of the route would be sent. trace: is told of each, for calls that are made.

    soft: what is asked of a model that can compress softly.
    """
    model = parsed.get("model") if parsed is not None else None
    credentials = exchange.caller.forwards_key(decision.policy)
    own_keys = exchange.caller.own_keys
    stays = own_keys.in_header if own_keys is not None else None
    read = exchange.record.method == "POST"  # what is stored is fetched as it is
    outgoing = headers.outgoing(exchange.scope["headers"], with_credentials=credentials, stays=stays, read=read)
    query = exchange.scope["query_string"].decode("latin-1")

    async def call_for(upstream: Upstream) -> Call:
        changes = replacements
        name = upstream.model_for(model) if isinstance(model, str) else None
        if name != model and name is not None:
            changes = {**replacements, ("model",): name}
        body = exchange.body
        if changes:
            body = await off_loop(len(body) > _LONG_BODY, lambda: splice(exchange.body, changes))
        exchange.record.tried = upstream.name
        sent = trace.towards(upstream, name, outgoing)
        return Call(exchange.record.method, exchange.way.path, query, sent, body, name, exchange.caller.team, soft)

    return call_for
