"""The page's files as they lie in the wheel, under a policy that lets a browser load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, Request, Response

_FOLDER = Path(__file__).parents[2] / "ui"
_EXAMPLE = Path(__file__).parents[2] / "commands" / "demo_document.md"
_ROOT = "/ui"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
}
HEADERS = {
    # Trusted Types without a policy: no script may make HTML out of a string, so no text can become markup.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # asked for each time, and sent once: see the tag
}


class Asset(NamedTuple):
    """One file, ready to be sent."""

    body: bytes
    kind: str
    tag: str


def read() -> dict[str, Asset]:
    """Every file by its path. Raises OSError."""
    found = {_ROOT: _asset(_FOLDER / "index.html"), f"{_ROOT}/example.txt": _asset(_EXAMPLE)}
    for file in sorted(_FOLDER.rglob("*")):
        if file.suffix in _KINDS and file.name != "index.html":
            found[f"{_ROOT}/{file.relative_to(_FOLDER).as_posix()}"] = _asset(file)
    return found


def _asset(file: Path) -> Asset:
    body = file.read_bytes()
    return Asset(body, _KINDS[file.suffix], f'"{hashlib.sha256(body).hexdigest()[:24]}"')


def add(app: FastAPI) -> frozenset[str]:
    """Serves the files; gives their paths. Raises OSError."""
    assets = read()

    async def asset(request: Request) -> Response:
        found = assets[request.scope["path"]]
        headers = {**HEADERS, "etag": found.tag}
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found.body, media_type=found.kind, headers=headers)

    for path in assets:
        app.add_api_route(path, asset, methods=["GET", "HEAD"], include_in_schema=False)
    return frozenset(assets)
