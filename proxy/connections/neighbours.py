"""Who may call a proxy without keys: programs of this machine, and no page of somebody else's in a browser on it.

Any page can send requests to this machine, and take a name that leads here; what its browser says of it tells.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache

from moosproxy.proxy.errors import Forbidden
from moosproxy.proxy.settings import Settings

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{0,5})?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_MOST_CHARS = 300
_FIX = (
    "Call it by http://127.0.0.1 or http://localhost, put the name into MOOS_ALLOWED_HOSTS, "
    "or make a key with `moos key new --create --team NAME --config FILE`."
)


class Neighbours:
    """The names by which a proxy without keys may be called, and of pages that may call it."""

    def __init__(self, settings: Settings) -> None:
        self._names = frozenset({settings.host.lower(), *settings.allowed_names})

    def check(self, method: str, fields: Mapping[str, str]) -> None:
        """Raises Forbidden. fields: headers by lower-case name. No browser leaves out `Host`."""
        host = fields.get("host")
        if host is not None and not _known(host, self._names):
            raise Forbidden(
                f"This proxy has no keys, so it answers to names of this machine alone. {_FIX}",
                code="host_not_allowed",
            )
        origin = fields.get("origin")
        if origin is not None:
            foreign = not _known_page(origin, self._names)
        else:
            foreign = fields.get("sec-fetch-site") == "cross-site" and not _opens(method, fields)
        if foreign:
            raise Forbidden(
                f"This proxy has no keys, so pages of other sites may not send requests to it. {_FIX}",
                code="origin_not_allowed",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_here(host: str) -> bool:
    """Whether a `Host` header has a name of this machine."""
    return _known(host, frozenset())


def _opens(method: str, fields: Mapping[str, str]) -> bool:
    """Whether somebody follows a link to a page of ours, which the site with the link cannot read."""
    opened = (fields.get("sec-fetch-mode"), fields.get("sec-fetch-dest"))
    return method in ("GET", "HEAD") and opened == ("navigate", "document")


def _known(host: str, names: frozenset[str]) -> bool:
    return len(host) <= _MOST_CHARS and _is_known(host, names)


def _known_page(origin: str, names: frozenset[str]) -> bool:
    return len(origin) <= _MOST_CHARS and _is_known_page(origin, names)


@lru_cache(maxsize=256)
def _is_known(host: str, names: frozenset[str]) -> bool:
    found = _HOST.fullmatch(host.lower())
    name = (found[1] or found[2]) if found else ""
    return is_loopback(name) or name in names


@lru_cache(maxsize=256)
def _is_known_page(origin: str, names: frozenset[str]) -> bool:
    """`null` is what a page that hides where it is from sends."""
    scheme = _SCHEME.match(origin.lower())
    return scheme is not None and _is_known(origin[scheme.end() :], names)
