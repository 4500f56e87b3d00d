"""A text of a request body: where it lies, who speaks it, how long it is, and how a changed one gets back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from moosproxy.proxy.bodies.splice import Path

BYTES_PER_TOKEN = 4
"""Of UTF-8: about right for English, Cyrillic (two letters) and CJK (a character and a third) alike."""

SAMPLED_CHARS = 65_536
"""A longer text that is not ASCII is judged by as much of it, in slices from all over."""


class TextPart(NamedTuple):
    """One text of a request.

    path: keys and indices from the body's root to the string. message: index of the message or item that it
    stands in, or the name of the field where it stands in none. part: its place in there, None where it is all of
    it; `2.0` is the first text inside the third part. answers: id of the call whose result it is.
    """

    path: Path
    message: int | str
    part: int | str | None
    role: str
    text: str
    answers: str | None = None


def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: cheap at any length, and the same in every process."""
    if text.isascii():
        return -(-len(text) // BYTES_PER_TOKEN)
    if len(text) <= SAMPLED_CHARS:
        return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
    step = -(-len(text) // 64)
    sample = "".join(text[at : at + SAMPLED_CHARS // 64] for at in range(0, len(text), step))
    return estimate_tokens(sample) * len(text) // len(sample)


def replaced(body: Mapping[str, Any], changes: Mapping[Path, str]) -> dict[str, Any]:
    """A new top-level dict with the given texts in their places. The old body and all other values are shared.

    The paths must lead to strings of the same body.
    """
    out = dict(body)
    copies: dict[Path, Any] = {(): out}
    for path, text in changes.items():
        for depth in range(1, len(path)):
            if path[:depth] not in copies:
                parent = copies[path[: depth - 1]]
                parent[path[depth - 1]] = copies[path[:depth]] = parent[path[depth - 1]].copy()
        copies[path[:-1]][path[-1]] = text
    return out
