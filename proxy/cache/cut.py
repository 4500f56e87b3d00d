"""Kept spans, made ready to cut the same text again and again: the in-process form of an answer.

It holds offsets, white space and marks, never a word of the text.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import NamedTuple, Self

from moosproxy.compressor import KeptSpans


class Limit(NamedTuple):
    """The kind of text that kept a ratio below the asked one, and its share of the text in percent."""

    kind: str
    percent: int


@dataclass(frozen=True, slots=True)
class Cut:
    """How a text is shortened, in about twelve bytes a slice; applies five times faster than KeptSpans.

    starts, ends: offsets of the slices. joints: what stands before, between and behind them, as indices into
    `spaces`. wire: the kept spans as bytes, for the shared cache.
    """

    tokens_before: int
    tokens_after: int
    starts: array[int]
    ends: array[int]
    joints: array[int]
    spaces: tuple[str, ...]
    wire: bytes
    limit: Limit | None = None

    @classmethod
    def of(
        cls, text: str, kept: KeptSpans, tokens_before: int, tokens_after: int, limit: Limit | None = None
    ) -> Self:
        """Check the spans against the text they are for. Raises ValueError if they cannot be the text's."""
        spans = kept.spans
        if not spans or spans[-1][1] > len(text):
            raise ValueError("kept spans: none, or beyond the end of the text")
        if not 0 < tokens_after <= tokens_before:
            raise ValueError("kept spans: more tokens after than before")
        table: dict[str, int] = {}
        joints = array("I", (table.setdefault(joint, len(table)) for joint in kept.joints(text)))
        starts = array("I", (start for start, _ in spans))
        ends = array("I", (end for _, end in spans))
        cut = cls(tokens_before, tokens_after, starts, ends, joints, tuple(table), kept.to_bytes(), limit)
        if not any(text[start:end].strip() for start, end in spans):
            raise ValueError("kept spans: nothing but white space is left")
        return cut

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return 400 + len(self.starts) * self.starts.itemsize * 3 + len(self.wire) + 60 * len(self.spaces)

    def apply(self, text: str) -> str:
        """The compressed text; equal to that of the kept spans."""
        out = [""] * (2 * len(self.starts) + 1)
        out[1::2] = [text[start:end] for start, end in zip(self.starts, self.ends, strict=True)]
        out[::2] = map(self.spaces.__getitem__, self.joints)
        return "".join(out)
