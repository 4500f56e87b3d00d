"""Who looks at the figures, and whose he may see."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy import headers
from moosproxy.proxy.errors import Forbidden
from moosproxy.proxy.routes.auth import authenticate, is_loopback


class Viewer(NamedTuple):
    """team: whose figures are shown, None for everybody's."""

    team: str | None


def may_see(request: Request, policies: PolicySet) -> Viewer:
    """Raises InvalidKey, Forbidden.

    A team's key sees the team. Where no key is needed, the page must have been opened by an address of this
    machine: a name of somebody else's that leads here, or a proxy in front, would let others read.
    """
    caller = authenticate(policies, headers.readable(request.scope["headers"]))
    if not policies.has_keys and not _is_here(request.headers.get("host", "")):
        raise Forbidden(
            "Without keys the figures are shown on this machine alone: open http://127.0.0.1 or http://localhost, "
            "or make a key with `moos key new --create --team NAME --config FILE`."
        )
    return Viewer(caller.team)


def _is_here(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name)
