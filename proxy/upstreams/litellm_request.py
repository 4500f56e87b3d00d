"""What the litellm SDK cannot send. Knows chat completions, and neither litellm nor a connection."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from moosproxy.proxy.errors import BadRequest

# Only a body with one of these may hold what is looked for.
_HINTS = re.compile(rb"\\u[dD][89a-fA-F]|[eE]\+?[0-9]{3}|[0-9.]{300}")
_NAMED = 4
"""Steps into the body that an error names: what is deeper is the caller's text, such as a tool's schema."""

Path = tuple[str | int, ...]


def parsed(body: bytes) -> dict[str, Any]:
    """The request. Raises BadRequest, naming the field, for what would end in an error of the SDK's own."""
    try:
        request: dict[str, Any] = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The request body is nested too deeply.", code="invalid_json") from None
    if _HINTS.search(body) is None:
        return request
    for path, value in _values(request):
        if isinstance(value, float) and not math.isfinite(value):
            raise _unsent(path, "holds a number that is too large for this model's upstream")
        if isinstance(value, str) and not _encodes(value):
            raise _unsent(path, "holds a lone surrogate, which this model's upstream cannot be sent")
    return request


def _values(request: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every value with its place, and every key. Without recursion: bodies may be deeper than the stack."""
    waiting: list[tuple[Path, Any]] = [((), request)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            yield from ((path, key) for key in value)
            waiting += [((*path, key)[:_NAMED], entry) for key, entry in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, index)[:_NAMED], entry) for index, entry in enumerate(value)]
        else:
            yield path, value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unsent(path: Path, why: str) -> BadRequest:
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    name = name or "The request body"
    return BadRequest(f"{name} {why}", param=name if path else None, code="invalid_value")
