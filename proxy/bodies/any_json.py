"""JSON that orjson refuses although it is valid: lone surrogates, numbers beyond a double."""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(document: bytes) -> Any:
    """Raises ValueError where the document is no JSON."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        return json.loads(document)


def dumps(value: Any) -> bytes:
    """Lone surrogates as the escapes that they came as."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
