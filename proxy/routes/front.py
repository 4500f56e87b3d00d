"""The hall: sends each request to the relay, to the compress endpoint or to the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote, unquote

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from moosproxy.proxy import doors, headers
from moosproxy.proxy.doors.base import OTHER
from moosproxy.proxy.errors import BadRequest, Forbidden, InvalidKey, MethodNotAllowed, NotFound
from moosproxy.proxy.routes import pages
from moosproxy.proxy.routes.auth import authenticate
from moosproxy.proxy.routes.compress import compress
from moosproxy.proxy.routes.guard import Exchange, Way, guarded
from moosproxy.proxy.routes.relay import relay
from moosproxy.proxy.services import Services

# What OpenAI's API has at its root beside the doors. These work without /v1 in front, as some clients want it.
_ROOTS = frozenset(
    {
        "assistants",
        "audio",
        "batches",
        "compress",
        "containers",
        "conversations",
        "evals",
        "files",
        "fine_tuning",
        "images",
        "moderations",
        "realtime",
        "threads",
        "uploads",
        "vector_stores",
        "videos",
        *doors.ROOTS,
    }
)
# TRACE sends a request back with the keys in it, CONNECT opens a tunnel; what is none of these is no API's.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SLASHES = re.compile(r"/{2,}")
_CUT = re.compile(r"[/;]")
_DECODINGS = 5
_NO_SOCKETS = "WebSockets are not served here; send POST /v1/responses over HTTP, with stream: true for events."


class Front:
    """The ASGI application."""

    def __init__(
        self,
        pages: ASGIApp,
        services: Callable[[], Services],
        page_paths: frozenset[str],
        open_paths: frozenset[str],
    ) -> None:
        """page_paths: what `pages` serves. open_paths: those of them that need no key."""
        self._pages = pages
        self._services = services
        self._page_paths = page_paths
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await _refuse_socket(scope, send)
            return
        page = scope["path"].rstrip("/") or "/"
        if page in self._page_paths:
            await self._page({**scope, "path": page}, receive, send)
            return
        way = route(scope.get("raw_path") or scope["path"].encode())
        if scope["method"] not in _METHODS:
            way = way._replace(handle=_wrong_method)
        elif any(name == b"upgrade" and b"websocket" in value.lower() for name, value in scope["headers"]):
            way = way._replace(handle=_no_socket)
        await guarded(self._services(), scope, receive, send, way)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where keys are configured, few pages need none, and readiness tells a stranger no details.

        Where none are, all are for this machine.
        """
        services, fields = self._services(), headers.readable(scope["headers"])
        policies = services.policies.current
        try:
            if not policies.has_keys:
                services.neighbours.check(scope["method"], fields)
            scope[pages.TEAM] = authenticate(policies, fields).team
        except (InvalidKey, Forbidden) as fault:
            if scope["path"] not in self._open_paths or isinstance(fault, Forbidden):
                answer = Response(fault.envelope(), fault.status, media_type="application/json")
                await answer(scope, receive, send)
                return
            scope[pages.STRANGER] = True
        await self._pages(scope, receive, send)


@lru_cache(maxsize=256)
def route(raw: bytes) -> Way:
    """The way of a request to this address, by its path alone."""
    path = _SLASHES.sub("/", raw.partition(b"?")[0].decode("latin-1")).rstrip("/")
    plain = _plain(path)
    if plain is None or not _in_api(plain) or _climbs(plain):
        return Way(path, path, "other", OTHER, _not_found)
    sent = _sent(path, plain)
    plain = plain.removeprefix("/v1") if plain.startswith("/v1/") else plain
    if plain == "/compress":
        return Way(plain, plain, plain, OTHER, compress)
    # A spelling of a door's path, however encoded, is that path.
    sent = plain if plain in doors.BY_PATH else sent
    return Way(sent, plain, doors.name_of(plain), doors.door_of(plain), relay)


def _sent(path: str, plain: str) -> str:
    """The path behind /v1 as it came, since only the upstream knows what an escape in it means."""
    if path.startswith("/v1/"):
        return path[3:]
    return quote(plain[3:]) if plain.startswith("/v1/") else path


def _plain(path: str) -> str | None:
    """The path without any percent-encoding and doubled slashes; None where it is encoded beyond reason."""
    for _ in range(_DECODINGS):
        path, before = unquote(path), path
        if path == before:
            return _SLASHES.sub("/", path).rstrip("/")
    return None


def _in_api(plain: str) -> bool:
    first, _, rest = plain.removeprefix("/").partition("/")
    return bool(rest) if first == "v1" else first in _ROOTS


def _climbs(plain: str) -> bool:
    """Whether a dot segment would climb out of the upstream's base path for any reader: some cut at semicolons."""
    return "\\" in plain or any(segment in (".", "..") for segment in _CUT.split(plain))


async def _not_found(exchange: Exchange) -> None:
    raise NotFound("Nothing is served at this path. The API lives under /v1, its documentation at /docs.")


async def _wrong_method(exchange: Exchange) -> None:
    raise MethodNotAllowed(f"This method is not served here; there are {', '.join(sorted(_METHODS))}.")


async def _refuse_socket(scope: Scope, send: Send) -> None:
    """For servers that speak the protocol themselves."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1000, "reason": _NO_SOCKETS})
        return
    fault = BadRequest(_NO_SOCKETS, code="websocket_not_supported")
    head = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": fault.status, "headers": head})
    await send({"type": "websocket.http.response.body", "body": fault.envelope()})


async def _no_socket(exchange: Exchange) -> None:
    raise BadRequest(_NO_SOCKETS, code="websocket_not_supported")
