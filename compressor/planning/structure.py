"""Line markers that carry structure: bullets, list numbers, quote marks, table bars, speaker names.

A marker is kept exactly if something else of its line is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import regex

from moosproxy.compressor.planning.windows import LINE_END
from moosproxy.compressor.text.encoding import IntArray
from moosproxy.compressor.text.patterns import Pattern

BoolArray = npt.NDArray[np.bool_]

_MARKER = Pattern(
    r"""^[ \t]*+(?:
          [-*+•‣◦]\ | (?:>\ ?)++ | \#{1,6}\                       # bullet, quote, heading
        | (?:\d{1,3}|[A-Za-z])[.)]\                               # list number
        | \p{Lu}[\w.'’-]*+(?:\ [\p{L}\d(][\w.'’)-]*+){0,3}\ ?:    # speaker
    )""",
    regex.VERBOSE | regex.MULTILINE,
)
_BARS = Pattern(r"^[ \t]*+\|.*\|[ \t]*+$", regex.MULTILINE)


def markers(text: str, starts: IntArray, ends: IntArray) -> BoolArray:
    """Whether each word is (part of) the marker of its line, shape (words,)."""
    mask = np.zeros(len(starts), bool)
    spans = [match.span() for match in _MARKER.finditer(text)]
    if spans:
        mask |= covered(spans, starts, ends)
    for row in _BARS.finditer(text):
        low, high = np.searchsorted(starts, row.span())
        for word in range(low, high):
            mask[word] |= text[starts[word]] == "|"
    return mask


def covered(spans: list[tuple[int, int]], starts: IntArray, ends: IntArray) -> BoolArray:
    """Whether each word overlaps one of the spans (in any order), shape (words,). Linear in words and spans."""
    if not spans:
        return np.zeros(len(starts), bool)
    bounds = np.array(spans, np.int64)
    bounds = bounds[bounds[:, 1] > bounds[:, 0]]
    first = np.searchsorted(ends, bounds[:, 0], side="right")
    last = np.searchsorted(starts, bounds[:, 1], side="left")
    depth = np.zeros(len(starts) + 1, np.int64)
    np.add.at(depth, first, 1)
    np.add.at(depth, np.maximum(first, last), -1)
    return np.cumsum(depth[:-1]) > 0


def with_markers(kept: BoolArray, marker: BoolArray, strength: npt.NDArray[np.int8]) -> BoolArray:
    """`kept` with each line's marker kept exactly if another word of the line is, shape (words,)."""
    line = np.concatenate(([0], np.cumsum(strength[:-1] >= LINE_END)))
    alive = np.zeros(int(line[-1]) + 1, bool)
    alive[line[kept & ~marker]] = True
    return np.where(marker, alive[line], kept)
