"""What a compression gives back, and the compact form of it that a cache may keep: offsets, never text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from moosproxy.compressor import heat_map
from moosproxy.compressor.heat_map import WordScore

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class KeptSpans:
    """Character spans of the original that survive, ascending, disjoint, end exclusive."""

    spans: tuple[Span, ...]

    def apply(self, text: str) -> str:
        """The compressed text: the slices in order, joined by the white space that the gap between them held.

        A gap becomes a blank line if it held one, else a line break, else a space; a gap without white space
        becomes a space only where two words would otherwise run together.
        """
        out: list[str] = []
        previous = -1
        for start, end in self.spans:
            if previous >= 0:
                out.append(_joint(text, previous, start))
            out.append(text[start:end])
            previous = end
        return "".join(out)

    def to_bytes(self) -> bytes:
        """Alternating gap and slice lengths as LEB128 integers."""
        out = bytearray()
        position = 0
        for start, end in self.spans:
            for value in (start - position, end - start):
                while value > 0x7F:
                    out.append(value & 0x7F | 0x80)
                    value >>= 7
                out.append(value)
            position = end
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Inverse of to_bytes. Raises ValueError on anything that to_bytes cannot have written."""
        values: list[int] = []
        value = shift = 0
        for byte in data:
            value |= (byte & 0x7F) << shift
            if byte & 0x80:
                shift += 7
                if shift > 56:
                    raise ValueError("kept spans: an integer is too long")
                continue
            values.append(value)
            value = shift = 0
        if shift or len(values) % 2:
            raise ValueError("kept spans: the data end in the middle of a span")
        spans: list[Span] = []
        position = 0
        for gap, length in zip(values[::2], values[1::2], strict=True):
            if length == 0 or (spans and gap == 0):
                raise ValueError("kept spans: an empty span or two that touch")
            spans.append((position + gap, position + gap + length))
            position += gap + length
        return cls(tuple(spans))


def _joint(text: str, left: int, right: int) -> str:
    gap = text[left:right]
    breaks = gap.count("\n")
    if breaks:
        newline = "\r\n" if "\r\n" in gap else "\n"
        blank = breaks > 1 and any(not line.strip() for line in gap.split("\n")[1:-1])
        return newline * 2 if blank else newline
    if any(character.isspace() for character in gap):
        return " "
    return " " if _spaced(text[left - 1]) and _spaced(text[right]) else ""


def _spaced(character: str) -> bool:
    """Whether two such characters side by side would read as one word."""
    return character.isalnum() and not "\u2e80" <= character <= "\uffdc"


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """The outcome of one compression.

    text: the compressed text, always kept.apply(original).
    tokens_before, tokens_after: of the whole text, counted with `tokenizer`.
    target_ratio: the ratio that selection aimed at; below the asked one when `eased`.
    protected: tokens that protection kept, by kind. restored: words that verification put back, by kind.
    question: the span of the text that was used as the question, or None.
    timings: seconds per stage.
    words: per-word scores, and original: the text they lie in; both only when asked for, so that nobody who keeps
        results keeps the long texts alive unawares.

    In a notebook it shows the original as a heat map, or the compressed text where there are no words.
    """

    text: str
    kept: KeptSpans
    tokens_before: int
    tokens_after: int
    tokenizer: str
    asked_ratio: float
    target_ratio: float
    eased: bool
    fingerprint: str
    protected: Mapping[str, int] = field(default_factory=dict)
    restored: Mapping[str, int] = field(default_factory=dict)
    question: Span | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    words: Sequence[WordScore] | None = None
    original: str | None = field(default=None, repr=False, compare=False)

    @property
    def ratio(self) -> float:
        """tokens_before / tokens_after of the whole text; 1 for an empty one."""
        return self.tokens_before / self.tokens_after if self.tokens_after else 1.0

    def summary(self) -> str:
        """One line: tokens before and after, the true ratio, what was protected and put back, and the time."""
        parts = [f"{self.tokens_before} -> {self.tokens_after} tokens ({self.tokenizer}), {self.ratio:.2f}x"]
        if self.protected:
            parts.append("protected " + _counts(self.protected))
        if self.restored:
            parts.append("put back " + _counts(self.restored))
        if self.eased:
            parts.append(f"eased from {self.asked_ratio:g}x to {self.target_ratio:.2f}x")
        parts.append(f"{sum(self.timings.values()) * 1000:.0f} ms")
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        if self.original is None or self.words is None:
            return heat_map.plain(self.text, self.summary())
        return heat_map.fragment(self.original, self.words, self.summary())


def _counts(counts: Mapping[str, int]) -> str:
    items = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {count}" for kind, count in items[:5]) + (", ..." if len(items) > 5 else "")
