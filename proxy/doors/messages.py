"""`/v1/messages`, Anthropic's door: blocks in messages, tool results among what the user says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.bodies.splice import Path
from moosproxy.proxy.doors.base import (
    Body,
    Door,
    Standing,
    check_model,
    check_objects,
    kind_of,
    listed,
    openai_rates,
    operation,
    text_of,
    words,
)
from moosproxy.proxy.errors import Told

# Anthropic's names of errors, by status; others are `api_error` or `invalid_request_error`.
_ERRORS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class _Place:
    """Where a block stands, and who speaks there."""

    __slots__ = ("answers", "label", "message", "path", "role")

    def __init__(
        self, path: Path, message: int | str, role: str, label: int | str | None = None, answers: str | None = None
    ) -> None:
        self.path = path
        self.message = message
        self.role = role
        self.label = label
        self.answers = answers

    def part(self, text: str, *steps: str) -> TextPart:
        """The text at the end of the steps."""
        return TextPart((*self.path, *steps), self.message, self.label, self.role, text, self.answers)

    def inner(self, number: int, *steps: str) -> _Place:
        """The place of the block with this number in the list at the end of the steps."""
        label = number if self.label is None else f"{self.label}.{number}"
        return _Place((*self.path, *steps, number), self.message, self.role, label, self.answers)


def texts(body: Body) -> list[TextPart]:
    """The system prompt, text blocks, what tools answered, and documents and search results that are text.

    Never thinking, signatures, tool calls, images, or anything that citations count the characters of.
    """
    found = list(_contents(body.get("system"), _Place(("system",), "system", "system")))
    for index, message in enumerate(turns(body)):
        if isinstance(message, dict):
            place = _Place(("messages", index, "content"), index, text_of(message.get("role")))
            found += _contents(message.get("content"), place)
    return found


def turns(body: Body) -> list[Any]:
    """The messages."""
    return listed(body.get("messages"))


def _contents(content: Any, place: _Place) -> Iterator[TextPart]:
    """A text, or the texts of a list of blocks."""
    if isinstance(content, str):
        yield place.part(content)
        return
    for number, block in enumerate(listed(content)):
        yield from _block(block, place.inner(number))


def _block(block: Any, place: _Place) -> Iterator[TextPart]:
    kind = kind_of(block)
    if kind == "text":
        if isinstance(block.get("text"), str) and not block.get("citations"):
            yield place.part(block["text"], "text")
    elif kind == "tool_result":
        yield from _tool_result(block, place)
    elif kind in ("document", "search_result") and not _cited(block):
        yield from _document(block, place) if kind == "document" else _flat(block, place)


def _tool_result(block: dict[str, Any], place: _Place) -> Iterator[TextPart]:
    answered = _Place(place.path, place.message, "tool", place.label, text_of(block.get("tool_use_id")))
    content = block.get("content")
    if isinstance(content, str):
        yield answered.part(content, "content")
        return
    for number, inner in enumerate(listed(content)):
        if kind_of(inner) != "tool_result":  # which cannot stand in itself
            yield from _block(inner, answered.inner(number, "content"))


def _document(block: dict[str, Any], place: _Place) -> Iterator[TextPart]:
    source = block.get("source")
    kind = kind_of(source)
    if kind == "text" and isinstance(source, dict) and isinstance(source.get("data"), str):
        yield place.part(source["data"], "source", "data")
    elif kind == "content" and isinstance(source, dict):
        inside = _Place((*place.path, "source"), place.message, place.role, place.label, place.answers)
        yield from _flat(source, inside)


def _flat(holder: dict[str, Any], place: _Place) -> Iterator[TextPart]:
    """The texts under `content`: a string, or text blocks and nothing deeper."""
    content = holder.get("content")
    if isinstance(content, str):
        yield place.part(content, "content")
    for number, inner in enumerate(listed(content)):
        if kind_of(inner) == "text":
            yield from _block(inner, place.inner(number, "content"))


def _cited(block: dict[str, Any]) -> bool:
    """Whether the answer may point at characters of the block, which must then be those that the client has."""
    citations = block.get("citations")
    return bool(citations.get("enabled")) if isinstance(citations, dict) else citations is not None


def calls(message: Any) -> Iterator[tuple[str, str]]:
    """The tool calls of a message."""
    for block in listed(message.get("content")) if isinstance(message, dict) else ():
        if kind_of(block) == "tool_use":
            yield text_of(block.get("id")), words(block.get("input"))


def _check(body: Body) -> None:
    check_model(body)
    check_objects(body, "messages", "messages")


def error(told: Told, request_id: str) -> bytes:
    """Anthropic's error object."""
    kind = _ERRORS.get(told.status, "invalid_request_error" if told.status < 500 else "api_error")
    fault = {"type": kind, "message": told.message}
    return orjson.dumps({"type": "error", "error": fault, "request_id": request_id})


def _event(told: Told, request_id: str) -> bytes:
    return b"event: error\ndata: " + error(told, request_id) + b"\n\n"


def _rates(standings: Iterable[Standing], now: float) -> list[tuple[bytes, bytes]]:
    """Anthropic's names beside OpenAI's."""
    standings = list(standings)
    found = openai_rates(standings, now)
    for unit, limit, left, resets in standings:
        again = datetime.fromtimestamp(resets, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for name, value in (("limit", limit), ("remaining", left), ("reset", again)):
            found.append((f"anthropic-ratelimit-{unit}-{name}".encode(), str(value).encode()))
    return found


_BODY = {
    "type": "object",
    "required": ["messages"],
    "properties": {"messages": {"type": "array"}, "system": {"type": ["string", "array"]}},
}

DOOR = Door(
    root="messages",
    paths=frozenset({"/messages", "/messages/count_tokens"}),
    pages={
        "/v1/messages": {
            "post": operation("Anthropic's messages; long ones are shortened as the policy says", _BODY)
        },
        "/v1/messages/count_tokens": {"post": operation("Counts what would be sent", _BODY)},
    },
    texts=texts,
    turns=turns,
    calls=calls,
    main="messages",
    beside=frozenset({"tools", "container", "mcp_servers"}),
    check=_check,
    error=error,
    event=_event,
    rates=_rates,
)
