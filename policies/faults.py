"""The errors of this room.

PolicyError        policy files that cannot be used; carries every fault found
NoRouteError       no route of a good set takes this request
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of a file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. reason never quotes a secret."""

    file: str
    path: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.reason}" if self.path else f"{place}: {self.reason}"


def show_path(path: KeyPath) -> str:
    """A key path as people write it: routes[0].match.model."""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to append to a reason, or nothing when no known name is close."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


class PolicyError(Exception):
    """Policy files that cannot be used. str() has one line per fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class NoRouteError(LookupError):
    """The set has routes, and none of them takes this request."""
