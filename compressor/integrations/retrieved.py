"""Retrieved texts and the query they were found with: what every integration does, whatever its library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.protect.code import fenced_code
from moosproxy.compressor.settings import CompressionSettings

SETTINGS = CompressionSettings()
_GAP = "\n\n"
_FENCE = re.compile(r"`{3,}|~{3,}")


@dataclass(frozen=True, slots=True)
class Shortened:
    """What is left of one text, and its tokens before and after; an empty text where nothing is."""

    text: str
    tokens_before: int
    tokens_after: int

    @property
    def metadata(self) -> dict[str, float]:
        """Flat and plain, as vector stores want it."""
        return {
            "moos_ratio": round(self.tokens_before / max(self.tokens_after, 1), 3),
            "moos_tokens_before": self.tokens_before,
            "moos_tokens_after": self.tokens_after,
        }


def shorten(
    compressor: Compressor, texts: Sequence[str], query: str, settings: CompressionSettings
) -> list[Shortened]:
    """Shortens texts together, with the query as the question and one budget over all of them.

    So what bears on the query keeps more, and what does not keeps less or nothing: the ratio is that of them all.
    """
    closed = [text + _closing(text) + _GAP for text in texts]
    starts = list(accumulate(map(len, closed), initial=0))
    # Nobody in a retrieved text speaks for the user: the query stands apart.
    settings = replace(settings, question=_question(query), material=True)
    kept = compressor.compress("".join(closed), settings).kept
    left = [_part(kept, at, text) for at, text in zip(starts, texts, strict=False)]
    count = settings.tokenizer
    return [
        Shortened(short, compressor.count(text, count), compressor.count(short, count))
        for text, short in zip(texts, left, strict=True)
    ]


def _closing(text: str) -> str:
    """What ends the code that a text cut into chunks leaves open; else all texts behind it would be code."""
    ends = [(start, end) for start, end in fenced_code(f"{text}{_GAP}.") if end > len(text) + len(_GAP)]
    return "\n" + _FENCE.findall(text[ends[0][0] :])[0] if ends else ""


def _part(kept: KeptSpans, at: int, text: str) -> str:
    """What is kept of the text that starts at this offset, with the marks between its own slices."""
    clipped = [(max(start - at, 0), min(end - at, len(text))) for start, end in kept.spans]
    mine = [index for index, (start, end) in enumerate(clipped) if start < end]
    if not mine:
        return ""
    marks = (replace(mark, index=mark.index - mine[0]) for mark in kept.marks if mine[0] < mark.index <= mine[-1])
    return KeptSpans(tuple(clipped[index] for index in mine), tuple(marks)).apply(text)


def _question(query: str) -> str:
    """The query as a setting; one that reads like a mode is still a question."""
    query = query.strip()
    return f"{query}?" if query in ("auto", "off") else query or "off"
