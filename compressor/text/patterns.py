"""Patterns of the library regex that keep the interpreter lock while they match.

Left to itself the library gives the lock away for the microseconds of each match. A waiting thread is woken
every time, finds the lock taken again, and never waits long enough to ask for it: between matches that are
some ten microseconds apart an event loop stood still for up to seconds (CPython 3.11, regex 2026.11.15). Who
computes for long still gives way every switch interval, as anything written in Python does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

_KEEP = False
_WHOLE = False  # partial and overlapped matches are not for us


class Pattern:
    """A compiled pattern. Its methods are those of the library, without what is not used here."""

    __slots__ = ("_made", "pattern")

    def __init__(self, pattern: str, flags: int = 0) -> None:
        """Raises regex.error for what is no pattern."""
        self._made = regex.compile(pattern, flags)
        self.pattern = pattern

    def match(self, string: str, pos: int | None = None, endpos: int | None = None) -> regex.Match[str] | None:
        """A match that begins at pos."""
        return self._made.match(string, pos, endpos, _WHOLE, _KEEP)

    def fullmatch(self, string: str, pos: int | None = None, endpos: int | None = None) -> regex.Match[str] | None:
        """A match of everything between pos and endpos."""
        return self._made.fullmatch(string, pos, endpos, _WHOLE, _KEEP)

    def search(self, string: str, pos: int | None = None, endpos: int | None = None) -> regex.Match[str] | None:
        """The first match."""
        return self._made.search(string, pos, endpos, _WHOLE, _KEEP)

    def finditer(
        self, string: str, pos: int | None = None, endpos: int | None = None
    ) -> Iterator[regex.Match[str]]:
        """The matches in order."""
        found: Iterator[regex.Match[str]] = self._made.finditer(string, pos, endpos, _WHOLE, _WHOLE, _KEEP)
        return found

    def findall(self, string: str, pos: int | None = None, endpos: int | None = None) -> list[str]:
        """What is matched, or the group where there is one. Patterns with more groups give tuples."""
        found: list[str] = self._made.findall(string, pos, endpos, _WHOLE, _KEEP)
        return found

    def split(self, string: str, maxsplit: int = 0) -> list[str]:
        """What stands between matches."""
        found: list[str] = self._made.split(string, maxsplit, _KEEP)
        return found

    def sub(self, repl: str | Callable[[regex.Match[str]], str], string: str, count: int = 0) -> str:
        """The string with matches replaced."""
        found: str = self._made.sub(repl, string, count, None, None, _KEEP)
        return found
