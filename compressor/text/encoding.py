"""Text to encoder pieces, aligned with words. Training and serving both come through here.

Knows the tokenizer, not the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from moosproxy.compressor.text import words

IntArray = npt.NDArray[np.int32]

# Tokenised at once: bounds the memory of the tokenizer's own objects on texts of any length.
SECTION_CHARS = 16_384
SECTIONS_PER_BATCH = 8


@dataclass(frozen=True)
class Encoding:
    """A text as pieces and words; all arrays hold offsets into the text or into each other.

    ids, piece_starts, piece_ends: shape (pieces,).
    word_starts, word_ends: shape (words,).
    """

    ids: IntArray
    piece_starts: IntArray
    piece_ends: IntArray
    word_starts: IntArray
    word_ends: IntArray

    @cached_property
    def word_pieces(self) -> tuple[IntArray, IntArray]:
        """First and one past the last piece that overlaps each word, each shape (words,).

        Empty for a word that the tokenizer dropped; words may share a piece (unknown runs, SentencePiece).
        """
        first = np.searchsorted(self.piece_ends, self.word_starts, side="right")
        last = np.searchsorted(self.piece_starts, self.word_ends, side="left")
        return first.astype(np.int32), np.maximum(first, last).astype(np.int32)

    @cached_property
    def piece_words(self) -> IntArray:
        """The word in which each piece starts (the next one if it starts between two), shape (pieces,)."""
        word = np.searchsorted(self.word_ends, self.piece_starts, side="right")
        return np.minimum(word, max(len(self.word_starts) - 1, 0)).astype(np.int32)

    @cached_property
    def word_costs(self) -> IntArray:
        """Pieces charged to each word, shape (words,), at least one: also where an unknown run hides them."""
        if not len(self.word_starts):
            return np.zeros(0, np.int32)
        return np.maximum(np.bincount(self.piece_words, minlength=len(self.word_starts)), 1).astype(np.int32)


class TextEncoder:
    """A fast tokenizer and the special tokens that its encoder expects."""

    def __init__(self, tokenizer: Tokenizer, *, first: int, separator: int, pad: int, pair: tuple[int, ...]):
        """first, separator, pad: ids of special tokens. pair: the separators between question and text."""
        self.tokenizer = tokenizer
        self.first, self.separator, self.pad, self.pair = first, separator, pad, pair

    @classmethod
    def from_file(cls, path: Path) -> TextEncoder:
        """Reads tokenizer.json; the special tokens come from the ids that an empty pair is wrapped in."""
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        padding = tokenizer.padding
        tokenizer.no_padding()
        wrapped = tokenizer.encode("a", "a")
        special = np.flatnonzero(wrapped.special_tokens_mask)
        if len(special) < 3:
            raise ValueError("the tokenizer adds no special tokens around a pair of texts")
        ids = [wrapped.ids[i] for i in special]
        pad = tokenizer.token_to_id("[PAD]") or tokenizer.token_to_id("<pad>")
        if pad is None:
            pad = padding["pad_id"] if padding else 0
        return cls(tokenizer, first=ids[0], separator=ids[-1], pad=pad, pair=tuple(ids[1:-1]))

    def encode(self, text: str) -> Encoding:
        """Pieces (no special tokens) and words of the whole text, whatever its length."""
        ids: list[npt.NDArray[np.int32]] = []
        offsets: list[npt.NDArray[np.int32]] = []
        sections = list(_sections(text))
        for at in range(0, len(sections), SECTIONS_PER_BATCH):
            batch = sections[at : at + SECTIONS_PER_BATCH]
            encoded = self.tokenizer.encode_batch([text[s:e] for s, e in batch], add_special_tokens=False)
            for (start, _), pieces in zip(batch, encoded, strict=True):
                ids.append(np.array(pieces.ids, dtype=np.int32))
                offsets.append(np.array(pieces.offsets, dtype=np.int32).reshape(-1, 2) + start)
        all_ids = np.concatenate(ids) if ids else np.zeros(0, np.int32)
        spans = np.concatenate(offsets) if offsets else np.zeros((0, 2), np.int32)
        starts, ends = words.find(text)
        return Encoding(all_ids, spans[:, 0].copy(), spans[:, 1].copy(), starts, ends)


def _sections(text: str) -> Iterator[tuple[int, int]]:
    """Spans of bounded length that cover the text, cut before a space, else before a line end, else anywhere.

    The white space goes to the later section: there SentencePiece sees a word start as it would in one piece.
    """
    start, size = 0, len(text)
    while start < size:
        end = min(start + SECTION_CHARS, size)
        if end < size:
            floor = start + SECTION_CHARS // 2
            cut = text.rfind(" ", floor, end)
            if cut <= floor:
                cut = text.rfind("\n", floor, end)
            end = cut if cut > floor else end
        yield start, end
        start = end
