"""What a compression gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moosproxy.compressor import heat_map
from moosproxy.compressor.heat_map import WordScore
from moosproxy.compressor.kept import KeptSpans, Span

NEAR = 0.9
"""A ratio counts as reached from this share of the asked one."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What a quality floor came to.

    asked: the least share of answers kept. ratio: the one that was taken, None where no ratio meets the floor and
    the text stays whole. predicted: the share at that ratio, 1 where the text stays whole.
    group: of the calibration. known: whether it has such texts; else the worst of all groups decided.
    """

    asked: float
    ratio: float | None
    predicted: float
    group: str
    known: bool


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """The outcome of one compression.

    text: the compressed text, always kept.apply(original).
    tokens_before, tokens_after: of the whole text, counted with `tokenizer`.
    target_ratio: the ratio that selection aimed at; below the asked one when `eased`.
    protected: tokens that protection kept, by kind. restored: words that verification put back, by kind.
    kinds: tokens before and after of each kind of text, estimated; empty where words were the unit.
    alone: the model did not run: less than the settings' min_savings could be saved, or every word is needed.
    every_word: what is asked of the text, to translate it or to count in it, cannot be done with a shorter one.
    question: the span of the text that was used as the question, or None.
    floor: what the settings' quality came to, None where they ask for none.
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
    kinds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    alone: bool = False
    every_word: bool = False
    question: Span | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    words: Sequence[WordScore] | None = None
    original: str | None = field(default=None, repr=False, compare=False)
    floor: Floor | None = None

    @property
    def ratio(self) -> float:
        """tokens_before / tokens_after of the whole text; 1 for an empty one."""
        return self.tokens_before / self.tokens_after if self.tokens_after else 1.0

    @property
    def limited_by(self) -> tuple[str, float] | None:
        """The kind of text that kept the ratio more than a tenth below the asked one, and its share of the text.

        The kind that holds the most tokens beyond its part of the budget. None where the ratio was reached, where
        every word is needed, and where words were the unit.
        """
        if not self.kinds or self.every_word or self.ratio >= NEAR * self.asked_ratio:
            return None
        kind = max(self.kinds, key=lambda name: self.kinds[name][1] - self.kinds[name][0] / self.asked_ratio)
        return kind, self.kinds[kind][0] / max(sum(before for before, _ in self.kinds.values()), 1)

    def summary(self) -> str:
        """One line: tokens before and after, the true ratio, what was protected and put back, and the time."""
        parts = [f"{self.tokens_before} -> {self.tokens_after} tokens ({self.tokenizer}), {self.ratio:.2f}x"]
        if self.protected:
            parts.append("protected " + _counts(self.protected))
        if self.restored:
            parts.append("put back " + _counts(self.restored))
        if self.eased:
            parts.append(f"eased from {self.asked_ratio:g}x to {self.target_ratio:.2f}x")
        if self.every_word:
            parts.append("whole: what is asked needs every word")
        if self.floor:
            parts.append(_told(self.floor))
        if limit := self.limited_by:
            parts.append(f"limited by {limit[0]}, {limit[1]:.0%} of the text")
        parts.append(f"{sum(self.timings.values()) * 1000:.0f} ms")
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        if self.original is None or self.words is None:
            return heat_map.plain(self.text, self.summary())
        return heat_map.fragment(self.original, self.words, self.summary())


def _told(floor: Floor) -> str:
    texts = f"{floor.group}{'' if floor.known else ' (not in the calibration: the worst group decides)'}"
    if floor.ratio is None:
        return f"whole: no ratio keeps {floor.asked:g} of the answers; {texts}"
    return f"{floor.ratio:g}x keeps {floor.predicted:.3f} of the answers; {texts}"


def _counts(counts: Mapping[str, int]) -> str:
    items = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {count}" for kind, count in items[:5]) + (", ..." if len(items) > 5 else "")
