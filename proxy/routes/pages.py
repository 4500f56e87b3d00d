"""The pages around the API: health, readiness, metrics and documentation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from moosproxy.proxy.doors import DOORS
from moosproxy.proxy.doors.base import operation
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.observing.readiness import Readiness
from moosproxy.proxy.routes import docs_page

PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
OPEN = frozenset({"/", "/healthz", "/readyz"})
"""Need no key."""

STRANGER = "moos.stranger"
"""In the scope of a request that brought no key though keys are configured."""

TEAM = "moos.team"
"""In the scope of a page's request: the team whose figures it may see alone, None for all."""

_COMPRESS = {
    "type": "object",
    "description": "Either messages or text.",
    "properties": {
        "messages": {"type": "array", "items": {"type": "object"}},
        "text": {"type": "string"},
        "role": {"type": "string", "default": "user"},
        "model": {"type": "string"},
        "ratio": {"type": "number", "minimum": 1},
        "alpha": {"type": "number", "minimum": 0, "maximum": 1},
        "policy": {"type": "string", "description": "One of your routes' policies, instead of the model's."},
        "detail": {
            "type": "boolean",
            "default": False,
            "description": "Also say what was kept, what is protected, the marks, and the score of every word.",
        },
    },
}


def make_pages(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]],
    readiness: Callable[[], Readiness],
    metrics: Callable[[], Metrics],
    version: str,
) -> FastAPI:
    """The FastAPI application; its documentation covers the API that plain ASGI serves beside it."""
    app = FastAPI(
        title="moosproxy",
        version=version,
        summary="Drop-in OpenAI-compatible proxy that shortens long prompts.",
        lifespan=lifespan,
        redoc_url=None,
        docs_url=None,  # FastAPI's own page loads its scripts from elsewhere
    )

    @app.get("/", include_in_schema=False)
    async def root() -> dict[str, str]:
        return {"name": "moosproxy", "version": version, "api": "/v1", "docs": "/docs", "ready": "/readyz"}

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", summary="Whether the proxy can do its job, and what is missing or degraded")
    async def readyz(request: Request) -> JSONResponse:
        report = await readiness().report(details=STRANGER not in request.scope)
        return JSONResponse(report, status_code=503 if report["status"] == "unready" else 200)

    @app.get("/metrics", summary="Prometheus metrics; a team's key sees those of its team")
    async def prometheus(request: Request) -> Response:
        figures = metrics().exposition(request.scope.get(TEAM))
        return Response(figures, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(docs_page.page(app.openapi()), headers=docs_page.HEADERS)

    described = app.openapi

    def openapi() -> dict[str, Any]:
        schema = described()
        schema["paths"].update(_api_paths())
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _api_paths() -> dict[str, Any]:
    compress = operation("Shortens messages or a text; nothing goes upstream", _COMPRESS)
    return {path: ways for door in DOORS for path, ways in door.pages.items()} | {
        "/v1/compress": {"post": compress}
    }
