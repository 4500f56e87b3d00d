"""Control tokens come from the template alone: what a conversation says about them is text. In the child.

Before a template is rendered, every control token's name in the conversation's texts gives way to a character for
private use; the names that are then left in the prompt are the template's. Between those the prompt is read as
text, with the other names put back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import regex

from moosproxy.proxy.upstreams.local.faults import ModelFault

_FIRST, _LAST = 0x100000, 0x10FFFD  # a plane for private use: a template has no use for its characters
_PRIVATE = rf"[\U{_FIRST:08X}-\U{_LAST:08X}]"
_WORDS = regex.compile(r"\w*")
_NAMED = frozenset({"role", "type"})
"""Fields whose plain words a template compares with its own."""
_SPOKEN = ("content", "reasoning_content")


class Marks:
    """The names of a vocabulary's control tokens."""

    def __init__(self, names: Sequence[str], spoken: Collection[str] = ()) -> None:
        """spoken: those that a model itself writes within its answers, so that its messages may hold them."""
        self._names = tuple(sorted((name for name in names if name), key=len, reverse=True))
        names_or_none = "|".join(map(regex.escape, self._names)) or r"(?!)"
        self.split = regex.compile(f"({names_or_none})").split
        """A prompt into text and names, by turns."""
        self._hidden = regex.compile(f"{names_or_none}|{_PRIVATE}")
        self._spoken = frozenset(spoken)
        self._heads = frozenset(name[:size] for name in self._names for size in range(1, len(name)))
        self._tails = frozenset(name[size:] for name in self._names for size in range(1, len(name)))
        self._longest = max(map(len, self._names), default=0)

    def guard(self) -> Guard:
        """For one prompt."""
        return Guard(self)

    def opens(self, text: str) -> bool:
        """Whether the text's end could begin a name that what follows it completes."""
        return any(text[-size:] in self._heads for size in range(1, min(len(text), self._longest) + 1))

    def closes(self, text: str) -> bool:
        """Whether the text's beginning, or all of it, could go on with a name."""
        if any(text[:size] in self._tails for size in range(1, min(len(text), self._longest) + 1)):
            return True
        return any(text in name for name in self._names) if len(text) <= self._longest else False

    def replaced(self, text: str, code: Callable[[str], str], *, by_model: bool) -> str:
        """A code for every name in the text and every private character. by_model: the model has said it."""

        def replacement(found: regex.Match[str]) -> str:
            return found[0] if by_model and found[0] in self._spoken else code(found[0])

        return str(self._hidden.sub(replacement, text))


class Guard:
    """Hides names in the texts of one prompt, and knows what it has hidden."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._codes: dict[str, str] = {}

    def hide(self, value: Any, field: str = "", *, by_model: bool = False) -> Any:
        """The same value with no name of a control token in any of its texts. Raises ModelFault.

        field: where it comes from. by_model: what it says are the model's own words.
        """
        if isinstance(value, str):
            return value if field in _NAMED and _WORDS.fullmatch(value) else self._text(value, by_model)
        if isinstance(value, list):
            return [self.hide(entry, field, by_model=by_model) for entry in value]
        if isinstance(value, dict):
            spoken = _SPOKEN if value.get("role") == "assistant" else ()
            return {
                self._text(name, False): self.hide(entry, name, by_model=name in spoken)
                for name, entry in value.items()
            }
        return value

    def show(self, text: str) -> str:
        """What was hidden, back in its place."""
        return text.translate({ord(code): original for original, code in self._codes.items()})

    def _text(self, text: str, by_model: bool) -> str:
        text = self._marks.replaced(text, self._code, by_model=by_model)
        if not text or _WORDS.fullmatch(text):
            return text  # no control token is a plain word
        # A name may also be put together from a text and what the template writes beside it.
        if self._marks.closes(text):
            text = self._code(text[0]) + text[1:]
        return text[:-1] + self._code(text[-1]) if self._marks.opens(text) else text

    def _code(self, original: str) -> str:
        known = self._codes.get(original)
        if known is None:
            if len(self._codes) > _LAST - _FIRST:
                raise ModelFault("request", "the messages hold too many different private characters", "messages")
            known = self._codes[original] = chr(_FIRST + len(self._codes))
        return known
