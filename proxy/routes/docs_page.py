"""The API's description as a page that loads nothing: no script, no font, no address but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code,pre{font:14px/1.4 ui-monospace,monospace;background:#f4f4f4}code{padding:0 .25em}"
    "pre{padding:.75rem;overflow-x:auto}h2{margin-top:2rem;border-top:1px solid #ddd;padding-top:1rem}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}code,pre{background:#262626}a{color:#8bf}}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""What keeps a browser from loading or running anything on the page."""


def page(schema: dict[str, Any]) -> str:
    """HTML of an OpenAPI schema."""
    about = schema["info"]
    parts = [_operation(path, way, told) for path, ways in schema["paths"].items() for way, told in ways.items()]
    title = f"{escape(about['title'])} {escape(about['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>{title}</h1>'
        f"<p>{escape(about.get('summary', ''))} Everything else under <code>/v1</code> is relayed as it comes. "
        'The same for machines: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{''.join(parts)}</body></html>"
    )


def _operation(path: str, way: str, told: dict[str, Any]) -> str:
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    shown = f"<p>Body:</p><pre>{escape(json.dumps(body, indent=2))}</pre>" if body else ""
    name = f"<code>{escape(way.upper())} {escape(path)}</code>"
    return f"<h2>{name}</h2><p>{escape(told.get('summary', ''))}</p>{shown}"
