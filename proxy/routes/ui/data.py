"""What the page asks for: one compact JSON a view."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from moosproxy.proxy.errors import ProxyError
from moosproxy.proxy.ledger.databases.database import LedgerError
from moosproxy.proxy.ledger.sides import Sides
from moosproxy.proxy.ledger.view.last import last_rows
from moosproxy.proxy.ledger.view.sums import View, read_view
from moosproxy.proxy.observing.metrics import several_workers
from moosproxy.proxy.observing.recent import HELD
from moosproxy.proxy.routes.ui import summary
from moosproxy.proxy.routes.ui.viewer import Viewer, may_see
from moosproxy.proxy.services import Services

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_PREFIX = "/ui/data"

Figures = Callable[[Services, Viewer, Request], Awaitable[dict[str, Any]]]


def add(app: FastAPI, services: Callable[[], Services], version: str) -> frozenset[str]:
    """Serves the figures; gives their paths."""

    async def options(services: Services, viewer: Viewer, _: Request) -> dict[str, Any]:
        return {"version": version, **_options(services, viewer)}

    views: dict[str, Figures] = {"options": options, "live": _live, "summary": _summary, "control": _control}
    for name, figures in views.items():
        app.add_api_route(f"{_PREFIX}/{name}", _endpoint(services, figures), include_in_schema=False)
    return frozenset(f"{_PREFIX}/{name}" for name in views)


def _endpoint(services: Callable[[], Services], figures: Figures) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        running = services()
        try:
            told = await figures(running, may_see(request, running.policies.current), request)
        except ProxyError as fault:
            return Response(fault.envelope(), fault.status, _HEADERS, "application/json")
        return Response(orjson.dumps(told), 200, _HEADERS, "application/json")

    return endpoint


def _options(services: Services, viewer: Viewer) -> dict[str, Any]:
    """What the viewer may choose: policies, local models by name; and whether any upstream answers."""
    current = services.policies.current
    rules = current.rules.get(viewer.team, current.rules[None])
    upstreams = [upstream for rule in rules for upstream in rule.decision.upstreams]
    return {
        "team": viewer.team,
        "keys": current.has_keys,
        "policies": [
            {"name": name, "ratio": policy.ratio, "max_ratio": max(policy.ratio, policy.max_ratio)}
            for name, policy in current.policies_of(viewer.team).items()
        ],
        "models": sorted({name for upstream in upstreams for name in (*upstream.models, *upstream.hf_models)}),
        "answers": any(upstream.kind != "echo" for upstream in upstreams),
    }


async def _live(services: Services, viewer: Viewer, _: Request) -> dict[str, Any]:
    """The last requests: of this process, or where there are several of all of them, as the ledger has them."""
    seen = services.recent.last(viewer.team)
    if services.ledger is not None and several_workers():
        with suppress(LedgerError):  # health tells of it
            seen = await last_rows(services.ledger.database, viewer.team, HELD, time.time())
    everybody = viewer.team is None
    return {"in_flight": services.metrics.in_flight if everybody else None, "requests": seen}


async def _summary(services: Services, viewer: Viewer, request: Request) -> dict[str, Any]:
    """The figures of a time, by its groups; all zeros where there is no ledger, or none that can be read."""
    query = request.query_params
    question, kinds = summary.asked(
        query.get("since", "7d"), query.get("by", ",".join(summary.GROUPS)), int(time.time()), viewer.team
    )
    view = None
    if services.ledger is not None:
        with suppress(LedgerError):  # health tells of it
            view = await read_view(services.ledger.database, question)
    return {"ledger": view is not None, **summary.told(view or View(), question, kinds=kinds)}


async def _control(services: Services, viewer: Viewer, request: Request) -> dict[str, Any]:
    """The control group beside the rest. Apart, since it is worked out from single requests."""
    seconds = summary.span_s(request.query_params.get("since", "7d"))
    until = datetime.now(UTC)
    sides: Sequence[Sides] = ()
    if services.ledger is not None:
        with suppress(LedgerError):
            sides = await services.ledger.sides(until - timedelta(seconds=seconds), until, viewer.team)
    return {"policies": summary.control(sides)}
