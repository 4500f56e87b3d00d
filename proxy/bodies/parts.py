"""Where the text lies in a request body, and how a changed text gets back to its place.

Knows the shapes of `/v1/chat/completions` and `/v1/completions`, no policy and no compression. A shape that it
does not know is left alone: the upstream judges it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

TEXT_TYPES = frozenset({"text", "input_text"})

PROMPT_ROLE = "user"
"""Role of a `/v1/completions` prompt, which has none of its own."""


BYTES_PER_TOKEN = 4
"""Of UTF-8: about right for English, Cyrillic (two letters) and CJK (a character and a third) alike."""

SAMPLED_CHARS = 65_536
"""A longer text that is not ASCII is judged by as much of it, in slices from all over."""


class TextPart(NamedTuple):
    """One text of a request.

    message: index in `messages`, or in the list of prompts (0 where the prompt is one string).
    part: index in the message's content array, None where the content is one string.
    """

    message: int
    part: int | None
    role: str
    text: str


def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: cheap at any length, and the same in every process."""
    if text.isascii():
        return -(-len(text) // BYTES_PER_TOKEN)
    if len(text) <= SAMPLED_CHARS:
        return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
    step = -(-len(text) // 64)
    sample = "".join(text[at : at + SAMPLED_CHARS // 64] for at in range(0, len(text), step))
    return estimate_tokens(sample) * len(text) // len(sample)


def find_parts(body: Mapping[str, Any]) -> list[TextPart]:
    """Every text of a message or prompt, in order. Tools, ids, names, images and the like are not text parts."""
    messages = body.get("messages")
    if messages is not None:
        return list(_message_parts(messages)) if isinstance(messages, list) else []
    prompt = body.get("prompt")
    prompts = prompt if isinstance(prompt, list) else [prompt]
    return [
        TextPart(index, None, PROMPT_ROLE, text) for index, text in enumerate(prompts) if isinstance(text, str)
    ]


def _message_parts(messages: list[Any]) -> Iterator[TextPart]:
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        role = message.get("role")
        role = role if isinstance(role, str) else ""
        content = message.get("content")
        if isinstance(content, str):
            yield TextPart(index, None, role, content)
        elif isinstance(content, list):
            for number, part in enumerate(content):
                if _is_text(part):
                    yield TextPart(index, number, role, part["text"])


def _is_text(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        return False
    kind = part.get("type")
    return isinstance(kind, str) and kind in TEXT_TYPES


def replace_parts(body: dict[str, Any], changes: Sequence[tuple[TextPart, str]]) -> dict[str, Any]:
    """A new top-level dict with the given texts in their places. The old body and all other values are shared.

    The parts must come from find_parts of the same body.
    """
    out = dict(body)
    if not changes:
        return out
    if body.get("messages") is None:
        out["prompt"] = _replace_prompts(body["prompt"], changes)
    else:
        out["messages"] = _replace_contents(body["messages"], changes)
    return out


def _replace_prompts(prompt: str | list[Any], changes: Sequence[tuple[TextPart, str]]) -> str | list[Any]:
    if isinstance(prompt, str):
        return changes[0][1]
    prompts = list(prompt)
    for part, text in changes:
        prompts[part.message] = text
    return prompts


def _replace_contents(old: list[Any], changes: Sequence[tuple[TextPart, str]]) -> list[Any]:
    new = list(old)
    for part, text in changes:
        before, message = old[part.message], new[part.message]
        if message is before:
            message = new[part.message] = dict(before)
        if part.part is None:
            message["content"] = text
            continue
        if message["content"] is before["content"]:
            message["content"] = list(before["content"])
        message["content"][part.part] = {**before["content"][part.part], "text": text}
    return new
