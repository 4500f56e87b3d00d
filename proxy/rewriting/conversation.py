"""What a text of a conversation was asked for by what stands before it.

A tool's result answers a call, and the call serves the user's last request; a document may follow the request it
is for. All of that is fixed when the text first arrives, so a form that depends on it looks the same in every
later turn. Parts of one message arrive together: a question in one is known to the others. Nothing later is read.
A system prompt that makes a translator of the model is what everything the user sends is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any

from moosproxy.compressor.planning import question
from moosproxy.compressor.protect.asked.every_word import needs_every_word_to_come
from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.rewriting.asked import MATERIAL_ROLES

_STANDING_ROLES = frozenset({"system", "developer"})
REQUEST_CHARS = 700
"""A user's text of at most so many characters is a request as it stands; of a longer one its question is taken."""
LONG_CHARS = 20_000
"""Longer texts are searched for their question at either end only."""


def asked_before(door: Door, body: Mapping[str, Any], parts: Sequence[TextPart]) -> list[str | None]:
    """For each text what it was asked for, None where nothing is known. parts: of this body at this door."""
    if door.calls is None:
        return [None] * len(parts)
    turns = door.turns(body)
    calls: dict[str, str] = {}
    standing = _standing(parts)
    request: str | None = None
    found: list[str | None] = []
    read = 0
    for place, group in _by_message(parts):
        if isinstance(place, int):
            for message in turns[read : place + 1]:
                calls.update(door.calls(message))
            read = place + 1
        own = list(_requests(group))
        for part in group:
            if part.role == "user" and standing:
                found.append(standing)
            elif part.role == "user":
                found.append(next((text for other, text in own if other is not part), request))
            elif part.role in MATERIAL_ROLES:
                call = calls.get(part.answers) if part.answers else None
                found.append("\n".join(filter(None, (request, call))) or None)
            else:
                found.append(request)
        request = own[0][1] if own else request
    return found


def _standing(parts: Sequence[TextPart]) -> str | None:
    """The instruction before the first turn that needs every word of what will come."""
    before = takewhile(lambda part: part.role in _STANDING_ROLES, parts)
    return next((part.text for part in before if needs_every_word_to_come(part.text)), None)


def _requests(group: Sequence[TextPart]) -> Iterator[tuple[TextPart, str]]:
    """The user's last two texts of a message that ask for something, the later one first."""
    asking = ((part, _request(part.text)) for part in reversed(group) if part.role == "user")
    return islice(((part, text) for part, text in asking if text), 2)


def _by_message(parts: Sequence[TextPart]) -> Iterator[tuple[int | str, list[TextPart]]]:
    group: list[TextPart] = []
    for part in parts:
        if group and group[0].message != part.message:
            yield group[0].message, group
            group = []
        group.append(part)
    if group:
        yield group[0].message, group


def _request(text: str) -> str | None:
    """What a user's text asks for; None where it asks nothing that is told apart from its material."""
    if len(text) <= REQUEST_CHARS:
        return text.strip() or None
    if len(text) > LONG_CHARS:
        text = text[: LONG_CHARS // 2] + "\n\n" + text[-LONG_CHARS // 2 :]
    span = question.find(text)
    return text[span[0] : span[1]][:REQUEST_CHARS] if span else None
