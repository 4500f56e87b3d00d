"""Ends an answer of tool calls before one that has come already: small models begin anew. In the child."""

from __future__ import annotations

import json

_BEGIN, _END = "<tool_call>", "</tool_call>"


class Repeats:
    """Holds back what is so far the same as an earlier call; the text is calls as the grammar writes them."""

    def __init__(self) -> None:
        self._calls: list[str] = []
        self._current = ""
        self._shown = 0

    def feed(self, text: str) -> tuple[str, bool]:
        """The text that is safe to show, and whether a call has come again, which is not shown."""
        self._current += text
        out = ""
        while (size := _whole(self._current)) is not None:
            call, rest = self._current[:size], self._current[size:]
            if call.strip() in self._calls:
                return out, True
            out += call[self._shown :]
            self._calls.append(call.strip())
            self._current, self._shown = rest, 0
        begun = self._current.lstrip()
        if not any(call.startswith(begun) for call in self._calls):
            out += self._current[self._shown :]
            self._shown = len(self._current)
        return out, False

    def rest(self) -> str:
        """What was held back, of an answer that was cut off."""
        held, self._shown = self._current[self._shown :], len(self._current)
        return held


def _whole(text: str) -> int | None:
    """Where the first call ends. Its arguments may hold the closing tag as well."""
    at = text.find(_END)
    while at >= 0:
        if _is_json(text[:at].strip().removeprefix(_BEGIN)):
            return at + len(_END)
        at = text.find(_END, at + 1)
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
