"""What a text of a conversation was asked for by what stands before it.

A tool's result answers a call, and the call serves the user's last request; a document may follow the request it
is for. All of that is fixed when the text first arrives, so a form that depends on it looks the same in every
later turn. Parts of one message arrive together: a question in one is known to the others. Nothing later is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moosproxy.compressor.planning import question
from moosproxy.proxy.bodies.parts import TextPart

REQUEST_CHARS = 700
"""A user's text of at most so many characters is a request as it stands; of a longer one its question is taken."""
CALL_CHARS = 300
"""So much of a tool call's arguments is read."""
LONG_CHARS = 20_000
"""Longer texts are searched for their question at either end only."""


def asked_before(body: Mapping[str, Any], parts: Sequence[TextPart]) -> list[str | None]:
    """For each text what it was asked for, None where nothing is known. parts: of this body, in order."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return [None] * len(parts)
    calls: dict[str, str] = {}
    request: str | None = None
    found: list[str | None] = []
    read = 0
    for index, group in _by_message(parts):
        for message in messages[read:index]:
            calls.update(_calls(message))
        read = index
        message = messages[index]
        if group[0].role == "user":
            own = [_request(part.text) if len(group) > 1 else None for part in group]
            found += [_first([*own[:at], *own[at + 1 :]]) or request for at in range(len(group))]
            request = next(filter(None, (_request(part.text) for part in reversed(group))), request)
        elif group[0].role in ("tool", "function"):
            call = calls.get(str(message.get("tool_call_id") or message.get("name") or ""))
            found += ["\n".join(filter(None, (request, call))) or None] * len(group)
        else:
            found += [request] * len(group)
    return found


def _by_message(parts: Sequence[TextPart]) -> Iterator[tuple[int, list[TextPart]]]:
    group: list[TextPart] = []
    for part in parts:
        if group and group[0].message != part.message:
            yield group[0].message, group
            group = []
        group.append(part)
    if group:
        yield group[0].message, group


def _first(texts: Sequence[str | None]) -> str | None:
    return next(filter(None, reversed(texts)), None)


def _request(text: str) -> str | None:
    """What a user's text asks for; None where it asks nothing that is told apart from its material."""
    if len(text) <= REQUEST_CHARS:
        return text.strip() or None
    if len(text) > LONG_CHARS:
        text = text[: LONG_CHARS // 2] + "\n\n" + text[-LONG_CHARS // 2 :]
    span = question.find(text)
    return text[span[0] : span[1]][:REQUEST_CHARS] if span else None


def _calls(message: Any) -> Iterator[tuple[str, str]]:
    """The id (for the old form the name) of each tool call of a message, and its arguments as words."""
    if not isinstance(message, Mapping):
        return
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping) and isinstance(call.get("function"), Mapping):
            yield str(call.get("id")), _words(call["function"].get("arguments"))
    if isinstance(old := message.get("function_call"), Mapping):
        yield str(old.get("name")), _words(old.get("arguments"))


def _words(arguments: Any) -> str:
    if not isinstance(arguments, str):
        return ""
    return " ".join(arguments[:CALL_CHARS].translate(str.maketrans('{}[]":,', "       ")).split())
