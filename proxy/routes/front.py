"""The door: sends each request to the relay, to the compress endpoint or to the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from moosproxy.proxy import headers
from moosproxy.proxy.errors import InvalidKey, NotFound
from moosproxy.proxy.routes import pages
from moosproxy.proxy.routes.auth import authenticate
from moosproxy.proxy.routes.compress import compress
from moosproxy.proxy.routes.guard import Exchange, Handler, guarded
from moosproxy.proxy.routes.relay import relay
from moosproxy.proxy.services import Services

# What OpenAI's API has at its root: these work without /v1 in front, as some clients configure it.
_ROOTS = frozenset(
    {
        "assistants",
        "audio",
        "batches",
        "chat",
        "completions",
        "compress",
        "containers",
        "conversations",
        "embeddings",
        "evals",
        "files",
        "fine_tuning",
        "images",
        "models",
        "moderations",
        "responses",
        "threads",
        "uploads",
        "vector_stores",
        "videos",
    }
)
# Names for log and metrics: a fixed set, so that a caller cannot fill either.
_NAMED = frozenset({"/chat/completions", "/completions", "/embeddings", "/responses", "/models", "/compress"})
_SLASHES = re.compile(r"/{2,}")
_CUT = re.compile(r"[/;]")
_DECODINGS = 5
_OPEN = frozenset({"/", "/healthz", "/readyz"})


class Front:
    """The ASGI application."""

    def __init__(self, pages: ASGIApp, services: Callable[[], Services], page_paths: frozenset[str]) -> None:
        self._pages = pages
        self._services = services
        self._page_paths = page_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": "not served"})
            return
        page = scope["path"].rstrip("/") or "/"
        if page in self._page_paths:
            await self._page({**scope, "path": page}, receive, send)
            return
        path, handle = route(scope.get("raw_path") or scope["path"].encode())
        endpoint = path if path in _NAMED else "other"
        await guarded(self._services(), scope, receive, send, path, endpoint, handle)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Where keys are configured, only health needs none, and readiness tells a stranger no details."""
        try:
            authenticate(self._services().policies.current, headers.readable(scope["headers"]))
        except InvalidKey as fault:
            if scope["path"] not in _OPEN:
                answer = Response(fault.envelope(), fault.status, media_type="application/json")
                await answer(scope, receive, send)
                return
            scope[pages.STRANGER] = True
        await self._pages(scope, receive, send)


@lru_cache(maxsize=256)
def route(raw: bytes) -> tuple[str, Handler]:
    """The path behind /v1 as it came, still percent-encoded, and who serves it."""
    path = _SLASHES.sub("/", raw.partition(b"?")[0].decode("latin-1")).rstrip("/")
    if path == "/v1" or path.startswith("/v1/"):
        path = path[3:]
    elif path.split("/")[1:2] == [] or path.split("/")[1] not in _ROOTS:
        return path, _not_found
    segments = path.split("/")[1:]
    # A dot segment would climb out of the upstream's base path.
    if not segments or _climbs(path):
        return path, _not_found
    if path == "/compress":
        return path, compress
    return path, relay


def _climbs(path: str) -> bool:
    """Whether the path leaves its folder for any reader: some decode more than once, or cut at semicolons."""
    for _ in range(_DECODINGS):
        path, before = unquote(path), path
        if path == before:
            break
    else:
        return True
    return "\\" in path or any(segment in (".", "..") for segment in _CUT.split(path))


async def _not_found(exchange: Exchange) -> None:
    raise NotFound("Nothing is served at this path. The API lives under /v1, its documentation at /docs.")
