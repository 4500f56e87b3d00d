"""Who looks at the figures, and whose he may see."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy import headers
from moosproxy.proxy.connections.neighbours import is_here
from moosproxy.proxy.errors import Forbidden
from moosproxy.proxy.routes.auth import authenticate

_PASSED_ON = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""What a proxy in front puts in. Anybody else who does says of himself that he is not here."""


class Viewer(NamedTuple):
    """team: whose figures are shown, None for everybody's."""

    team: str | None


def may_see(request: Request, policies: PolicySet) -> Viewer:
    """Raises InvalidKey, Forbidden.

    A team's key sees the team. Where no key is needed, the page must have been opened by an address of this
    machine: a name of somebody else's that leads here, or a proxy in front, would let others read.
    """
    fields = headers.readable(request.scope["headers"])
    caller = authenticate(policies, fields)
    if not policies.has_keys and not (is_here(fields.get("host", "")) and _PASSED_ON.isdisjoint(fields)):
        raise Forbidden(
            "Without keys the figures are shown on this machine alone: open http://127.0.0.1 or http://localhost, "
            "or make a key with `moos key new --create --team NAME --config FILE`."
        )
    return Viewer(caller.team)
