"""Kept spans, made ready to cut the same text again and again: the in-process form of an answer.

It holds offsets, white space and marks, never a word of the text.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from moosproxy.compressor import KeptSpans


class Limit(NamedTuple):
    """The kind of text that kept a ratio below the asked one, and its share of the text in percent."""

    kind: str
    percent: int


Kinds = tuple[tuple[str, int, int], ...]
"""Kinds of text in a text, each with its tokens before and after; they add up to the text's."""


def scaled(kinds: Mapping[str, tuple[int, int]], before: int, after: int) -> Kinds:
    """Estimated tokens by kind, made to add up to counted ones."""
    out: list[tuple[str, int, int]] = []
    came = sum(each for each, _ in kinds.values())
    sent = sum(each for _, each in kinds.values())
    seen = [0, 0]
    told = [0, 0]
    for kind, sizes in kinds.items():
        seen = [seen[0] + sizes[0], seen[1] + sizes[1]]
        upto = [before * seen[0] // max(came, 1), after * seen[1] // max(sent, 1)]
        out.append((kind, upto[0] - told[0], upto[1] - told[1]))
        told = upto
    return tuple(out) if came and sent else ()


@dataclass(frozen=True, slots=True)
class Cut:
    """How a text is shortened; applies many times faster than KeptSpans.

    starts, ends: offsets of the slices, each with what stands between it and the next where the text itself has
    that beside it. places, joints: before which slices the other joints stand, and which of `spaces` they are.
    wire: the kept spans as bytes, for the shared cache.
    """

    tokens_before: int
    tokens_after: int
    starts: array[int]
    ends: array[int]
    places: array[int]
    joints: array[int]
    spaces: tuple[str, ...]
    wire: bytes
    limit: Limit | None = None
    kinds: Kinds = ()
    known: list[int] = field(default_factory=list, compare=False, repr=False)
    """Tokens that are left out at least, once somebody has counted them."""

    @classmethod
    def of(
        cls,
        text: str,
        kept: KeptSpans,
        tokens_before: int,
        tokens_after: int,
        limit: Limit | None = None,
        kinds: Kinds = (),
    ) -> Self:
        """Check the spans against the text they are for. Raises ValueError if they cannot be the text's."""
        spans = kept.spans
        if not spans or spans[-1][1] > len(text):
            raise ValueError("kept spans: none, or beyond the end of the text")
        if not 0 < tokens_after <= tokens_before:
            raise ValueError("kept spans: more tokens after than before")
        slices, others = _joined(text, spans, kept.joints(text))
        table: dict[str, int] = {}
        joints = array("I", [table.setdefault(joint, len(table)) for _, joint in others])
        cut = cls(
            tokens_before,
            tokens_after,
            array("I", [start for start, _ in slices]),
            array("I", [end for _, end in slices]),
            array("I", [place for place, _ in others]),
            joints,
            tuple(table),
            kept.to_bytes(),
            limit,
            kinds,
        )
        if not any(text[start:end].strip() for start, end in spans):
            raise ValueError("kept spans: nothing but white space is left")
        return cut

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        offsets = len(self.starts) + len(self.joints)
        return (
            500 + offsets * self.starts.itemsize * 2 + len(self.wire) + 60 * (len(self.spaces) + len(self.kinds))
        )

    def apply(self, text: str) -> str:
        """The compressed text; equal to that of the kept spans."""
        out = [text[start:end] for start, end in zip(self.starts, self.ends, strict=True)]
        if self.places:
            out.append("")
            for place, joint in zip(self.places, self.joints, strict=True):
                out[place] = self.spaces[joint] + out[place]
        return "".join(out)


def _joined(
    text: str, spans: Sequence[tuple[int, int]], joints: Sequence[str]
) -> tuple[list[tuple[int, int]], list[tuple[int, str]]]:
    """As few slices as will do, and the joints that are in none of them, by the slice that they stand before."""
    slices: list[tuple[int, int]] = []
    others: list[tuple[int, str]] = []
    before = joints[0]
    for (start, end), behind in zip(spans, joints[1:], strict=True):
        if before and text.endswith(before, 0, start):
            start, before = start - len(before), ""
        if behind and text.startswith(behind, end):
            end, behind = end + len(behind), ""
        if before:
            others.append((len(slices), before))
        if slices and not before and slices[-1][1] == start:
            slices[-1] = slices[-1][0], end
        else:
            slices.append((start, end))
        before = behind
    if before:
        others.append((len(slices), before))
    return slices, others
