"""Kept spans, made ready to cut the same text again and again: the in-process form of an answer.

It holds offsets and white space, never a word of the text.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from moosproxy.compressor import KeptSpans


@dataclass(frozen=True, slots=True)
class Cut:
    """How a text is shortened, in about nine bytes a slice; applies five times faster than KeptSpans.

    starts, ends: offsets of the slices. joints: what stands between two slices, as indices into `spaces`.
    """

    tokens_before: int
    tokens_after: int
    starts: array[int]
    ends: array[int]
    joints: bytes
    spaces: tuple[str, ...]

    @classmethod
    def of(cls, text: str, kept: KeptSpans, tokens_before: int, tokens_after: int) -> Self:
        """Check the spans against the text they are for. Raises ValueError if they cannot be the text's."""
        spans = kept.spans
        if not spans or spans[-1][1] > len(text):
            raise ValueError("kept spans: none, or beyond the end of the text")
        if not 0 < tokens_after <= tokens_before:
            raise ValueError("kept spans: more tokens after than before")
        table: dict[str, int] = {}
        joints = bytearray()
        for (_, end), (start, _) in pairwise(spans):
            # The joint depends on the gap and its two neighbours alone, so two tiny slices give it exactly.
            joint = KeptSpans(((end - 1, end), (start, start + 1))).apply(text)[1:-1]
            joints.append(table.setdefault(joint, len(table)))
        starts = array("I", (start for start, _ in spans))
        ends = array("I", (end for _, end in spans))
        cut = cls(tokens_before, tokens_after, starts, ends, bytes(joints), tuple(table))
        if not cut.apply(text).strip():
            raise ValueError("kept spans: nothing but white space is left")
        return cut

    @property
    def kept(self) -> KeptSpans:
        """The spans again, for the shared cache."""
        return KeptSpans(tuple(zip(self.starts, self.ends, strict=True)))

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return 400 + len(self.starts) * self.starts.itemsize * 2 + len(self.joints)

    def apply(self, text: str) -> str:
        """The compressed text; equal to kept.apply(text)."""
        out = [""] * (2 * len(self.starts) - 1)
        out[::2] = [text[start:end] for start, end in zip(self.starts, self.ends, strict=True)]
        out[1::2] = map(self.spaces.__getitem__, self.joints)
        return "".join(out)
