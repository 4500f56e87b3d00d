"""`/v1/chat/completions`, OpenAI's first door for conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.doors.base import (
    Body,
    Door,
    check_model,
    check_objects,
    kind_of,
    listed,
    operation,
    text_of,
    words,
)

_TEXT_TYPES = frozenset({"text", "input_text"})
_ANSWERING = frozenset({"tool", "function"})


def texts(body: Body) -> list[TextPart]:
    """The contents of all messages. Tools, ids, names, refusals, images and the like are not texts."""
    return [part for index, message in enumerate(turns(body)) for part in _texts(index, message)]


def turns(body: Body) -> list[Any]:
    """The messages."""
    return listed(body.get("messages"))


def _texts(index: int, message: Any) -> Iterator[TextPart]:
    if not isinstance(message, dict):
        return
    role = text_of(message.get("role"))
    answers = text_of(message.get("tool_call_id") or message.get("name")) if role in _ANSWERING else None
    content = message.get("content")
    path = ("messages", index, "content")
    if isinstance(content, str):
        yield TextPart(path, index, None, role, content, answers)
        return
    for number, part in enumerate(listed(content)):
        if kind_of(part) in _TEXT_TYPES and isinstance(part.get("text"), str):
            yield TextPart((*path, number, "text"), index, number, role, part["text"], answers)


def calls(message: Any) -> Iterator[tuple[str, str]]:
    """The id (for the old form the name) of each tool call of a message, and its arguments as words."""
    if not isinstance(message, Mapping):
        return
    for call in listed(message.get("tool_calls")):
        if isinstance(call, Mapping) and isinstance(call.get("function"), Mapping):
            yield text_of(call.get("id")), words(text_of(call["function"].get("arguments")))
    if isinstance(old := message.get("function_call"), Mapping):
        yield text_of(old.get("name")), words(text_of(old.get("arguments")))


def _check(body: Body) -> None:
    check_model(body)
    check_objects(body, "messages", "messages")


DOOR = Door(
    root="chat",
    paths=frozenset({"/chat/completions"}),
    pages={
        "/v1/chat/completions": {
            "post": operation(
                "OpenAI's chat completions; long messages are shortened as the policy says",
                {"type": "object", "required": ["messages"], "properties": {"messages": {"type": "array"}}},
            )
        }
    },
    texts=texts,
    turns=turns,
    calls=calls,
    main="messages",
    beside=frozenset({"tools", "functions"}),
    check=_check,
)
