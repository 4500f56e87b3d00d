"""Server-sent events of chat completions, back to the objects in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.upstreams.base import Answer, UpstreamFault

_LONGEST = 16 * 1024 * 1024


async def chunks(answer: Answer) -> AsyncGenerator[dict[str, Any], None]:
    """Every object up to [DONE] or the end. Raises UpstreamFault for what is no such stream."""
    rest = b""
    while data := await answer.read():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            found = _value(line)
            if found is None:
                continue
            if found == b"[DONE]":
                return
            yield _object(found)
        if len(rest) > _LONGEST:
            raise UpstreamFault("protocol", "an event of its answer is too long to be read")
    if (found := _value(rest)) not in (None, b"[DONE]"):
        yield _object(found or b"")


def _value(line: bytes) -> bytes | None:
    """What the line brings: comments, names of events and empty lines bring nothing."""
    return line[5:].strip() if line.startswith(b"data:") else None


def _object(document: bytes) -> dict[str, Any]:
    try:
        found = any_json.loads(document)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UpstreamFault("protocol", "an event of its answer is no JSON object")
    return found
