"""Pieces to windows: what one forward pass of the encoder sees.

Windows are cut from the text alone, so that a window never depends on what else is scored beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.settings import OutlierReading
from moosproxy.compressor.text.encoding import Encoding, IntArray, TextEncoder

# Strength of the break after a word.
NO_BREAK, SENTENCE_END, LINE_END, PARAGRAPH_END, PASSAGE_END = range(5)

_SENTENCE_MARKS = np.array([ord(mark) for mark in ".!?…。！？؟।;；"], np.uint32)
_FULL_STOPS = np.array([ord(mark) for mark in "。！？"], np.uint32)
_CLOSERS = np.array([ord(mark) for mark in "\"'”’)]}»」』）】"], np.uint32)
# Words looked at together: bounds the memory of the code points.
_BLOCK_WORDS = 32_768

# A window with question and special tokens never exceeds this: MiniLM was pretrained at this length.
WINDOW_PIECES = 256
QUESTION_PIECES = 48
# A passage of at least this many pieces gets windows of its own.
PASSAGE_PIECES = 64


@dataclass(frozen=True)
class Window:
    """One input of the encoder and where its text pieces come from.

    ids, type_ids: shape (length,), special tokens and question included.
    offset: index in ids of the first text piece. start, stop: range of those pieces in the whole text.
    reading: how the outlier score is read, None where alpha = 1 makes it unnecessary.
    """

    ids: IntArray
    type_ids: IntArray
    offset: int
    start: int
    stop: int
    reading: OutlierReading | None = None


def breaks(text: str, starts: IntArray, ends: IntArray) -> npt.NDArray[np.int8]:
    """Strength of the break after each word, shape (words,); the last word ends a passage."""
    strength = np.zeros(len(starts), np.int8)
    for at in range(0, len(starts), _BLOCK_WORDS):
        block = slice(at, min(at + _BLOCK_WORDS, len(starts)))
        following = np.append(starts[at + 1 : block.stop + 1], len(text))[: block.stop - at]
        strength[block] = _block_breaks(text, starts[block], ends[block], following)
    strength[-1:] = PASSAGE_END
    return strength


def _block_breaks(text: str, starts: IntArray, ends: IntArray, following: IntArray) -> npt.NDArray[np.int8]:
    """breaks() of some neighbouring words; following: where the next word of each starts."""
    origin = int(starts[0])
    codes = np.frombuffer(text[origin : int(following[-1])].encode("utf-32-le", "surrogatepass"), np.uint32)
    newlines = np.concatenate(([0], np.cumsum(codes == 10)))
    lines = newlines[following - origin] - newlines[ends - origin]
    last = codes[ends - origin - 1]
    before = codes[np.maximum(ends - origin - 2, 0)]
    ended = np.isin(last, _SENTENCE_MARKS) | (np.isin(last, _CLOSERS) & np.isin(before, _SENTENCE_MARKS))
    # White space must follow, except after marks that are never part of a number or name.
    ended &= (following > ends) | np.isin(last, _FULL_STOPS)
    strength = np.where(ended, SENTENCE_END, NO_BREAK)
    strength = np.where(lines > 0, np.where(lines > 1, PARAGRAPH_END, LINE_END), strength)
    return strength.astype(np.int8)


def cut(
    encoding: Encoding, strength: npt.NDArray[np.int8], skip: npt.NDArray[np.bool_] | None, limit: int
) -> list[tuple[int, int]]:
    """Ranges of pieces, each at most `limit` long, that cover every word not in `skip`.

    A window ends at the strongest break in its second half (the latest of equals), else at a word end, else
    (a word longer than the limit) anywhere. A passage end closes a window that has PASSAGE_PIECES already.
    """
    pieces = len(encoding.ids)
    if not pieces:
        return []
    strength_after = np.zeros(pieces + 1, np.int8)  # of the border before piece i
    word_ends_at = np.searchsorted(encoding.piece_starts, encoding.word_ends, side="left")
    is_word_border = np.zeros(pieces + 1, bool)
    is_word_border[word_ends_at] = True
    np.maximum.at(strength_after, word_ends_at, strength)
    ranges: list[tuple[int, int]] = []
    for start, stop in _runs(encoding, skip):
        passages = np.flatnonzero(strength_after[start + 1 : stop] == PASSAGE_END) + start + 1
        at = start
        while at < stop:
            end = min(at + limit, stop)
            nearest = passages[np.searchsorted(passages, at + PASSAGE_PIECES) :][:1]
            if len(nearest) and nearest[0] <= end:
                end = int(nearest[0])
            elif end < stop:
                end = _best_border(at, end, strength_after, is_word_border)
            ranges.append((at, end))
            at = end
    return ranges


def _runs(encoding: Encoding, skip: npt.NDArray[np.bool_] | None) -> list[tuple[int, int]]:
    """Maximal ranges of pieces whose words are not skipped."""
    pieces = len(encoding.ids)
    if skip is None or not skip.any():
        return [(0, pieces)]
    wanted = np.concatenate(([False], ~skip[encoding.piece_words], [False]))
    edges = np.flatnonzero(wanted[1:] != wanted[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _best_border(at: int, end: int, strength: npt.NDArray[np.int8], is_word_border: npt.NDArray[np.bool_]) -> int:
    half = at + (end - at) // 2
    part = strength[half : end + 1]
    if part.max(initial=0) > NO_BREAK:
        return half + int(np.flatnonzero(part == part.max())[-1])
    borders = np.flatnonzero(is_word_border[at + 1 : end + 1])
    return at + 1 + int(borders[-1]) if len(borders) else end


def build(
    encoder: TextEncoder,
    encoding: Encoding,
    ranges: list[tuple[int, int]],
    question: IntArray | None,
    reading: OutlierReading | None,
) -> list[Window]:
    """Windows over the ranges, with the question's pieces (if any) in front, as in sequence-pair training."""
    if question is None or not len(question):
        head = np.array([encoder.first], np.int32)
        second = 0
    else:
        question = question[:QUESTION_PIECES]
        head = np.concatenate(([encoder.first], question, encoder.pair)).astype(np.int32)
        second = 1
    tail = np.array([encoder.separator], np.int32)
    windows = []
    for start, stop in ranges:
        ids = np.concatenate((head, encoding.ids[start:stop], tail))
        type_ids = np.zeros(len(ids), np.int32)
        type_ids[len(head) :] = second
        windows.append(Window(ids, type_ids, len(head), start, stop, reading))
    return windows


def text_limit(question: IntArray | None, encoder: TextEncoder) -> int:
    """How many text pieces fit into one window beside the question."""
    if question is None or not len(question):
        return WINDOW_PIECES - 2
    return WINDOW_PIECES - 2 - len(encoder.pair) - min(len(question), QUESTION_PIECES)
