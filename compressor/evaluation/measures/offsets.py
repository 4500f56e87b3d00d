"""What of the original's spans is still there, by offset: exact, and blind to chance repetitions elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from moosproxy.compressor.evaluation.measures.statistics import Counts
from moosproxy.compressor.kept import KeptSpans, Span


class Survival:
    """Looks up spans of the original in what was kept."""

    def __init__(self, kept: KeptSpans):
        self._starts = [start for start, _ in kept.spans]
        self._ends = [end for _, end in kept.spans]

    def whole(self, start: int, end: int) -> bool:
        """Whether no character of the span is missing."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and end <= self._ends[at]

    def share(self, start: int, end: int) -> float:
        """Share of the span's characters that were kept; 1 for an empty span."""
        if end <= start:
            return 1.0
        at = max(bisect_right(self._starts, start) - 1, 0)
        there = 0
        while at < len(self._starts) and self._starts[at] < end:
            there += max(0, min(self._ends[at], end) - max(self._starts[at], start))
            at += 1
        return there / (end - start)

    def count(self, spans: Iterable[Span]) -> Counts:
        """How many spans are whole, out of how many."""
        found = [self.whole(*span) for span in spans]
        return float(sum(found)), float(len(found))

    def words(self, text: str, spans: Sequence[Span]) -> Counts:
        """Of the words at `spans`, weighted alike, how many are whole."""
        return self.count(span for span in spans if text[span[0] : span[1]].strip())
