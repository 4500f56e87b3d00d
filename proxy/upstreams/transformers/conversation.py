"""Messages as the model's own chat template writes them, with places kept for texts that become soft memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from moosproxy.proxy.bodies.parts import replaced
from moosproxy.proxy.doors.chat import texts


@dataclass(frozen=True, slots=True)
class Long:
    """A text that becomes memory."""

    text: str


def segments(
    body: Mapping[str, Any], is_long: Callable[[str, str], bool], render: Callable[[list[Any]], str]
) -> list[str | Long]:
    """The prompt in order: what the template wrote, and between it the texts for which is_long(role, text) holds.

    render: the chat template, messages -> prompt. A template that drops or repeats a text has it so here, too.
    """
    body = dict(body)
    # Nobody can write this into a message: it is drawn anew for each request.
    secret = uuid4().hex
    long = [part for part in texts(body) if is_long(part.role, part.text)]
    marked = replaced(body, {part.path: f"{secret}-{index}-" for index, part in enumerate(long)})
    prompt = render([_plain(message) for message in marked["messages"]])
    out: list[str | Long] = []
    for number, piece in enumerate(re.split(f"{secret}-([0-9]+)-", prompt)):
        if number % 2:
            out.append(Long(long[int(piece)].text))
        elif piece:
            out.append(piece)
    return out


def _plain(message: Any) -> Any:
    """Text parts as one string: most templates of language models know no lists."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        return message
    texts = [part["text"] for part in message["content"] if isinstance(part, dict) and "text" in part]
    return {**message, "content": "\n".join(texts)}
