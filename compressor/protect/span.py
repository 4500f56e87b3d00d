"""What a detector finds."""

from __future__ import annotations

from typing import NamedTuple


class ProtectedSpan(NamedTuple):
    """Characters [start, end) of the text that must survive, and the kind that says why.

    kind is a `Kind` value, or "pattern" or "span" for what the caller gave.
    """

    start: int
    end: int
    kind: str
