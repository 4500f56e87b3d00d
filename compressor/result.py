"""What a compression gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moosproxy.compressor.kept import KeptSpans, Span


@dataclass(frozen=True, slots=True)
class WordScore:
    """One word of the original with its metric m, for heat maps and audits."""

    start: int
    end: int
    score: float
    kept: bool
    protected: bool


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """The outcome of one compression.

    text: the compressed text, always kept.apply(original).
    tokens_before, tokens_after: of the whole text, counted with `tokenizer`.
    target_ratio: the ratio that selection aimed at; below the asked one when `eased`.
    protected: tokens that protection kept, by kind. restored: words that verification put back, by kind.
    kinds: tokens before and after of each kind of text, estimated; empty where words were the unit.
    question: the span of the text that was used as the question, or None.
    timings: seconds per stage.
    words: per-word scores, only when asked for.
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
    question: Span | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    words: Sequence[WordScore] | None = None

    @property
    def ratio(self) -> float:
        """tokens_before / tokens_after of the whole text; 1 for an empty one."""
        return self.tokens_before / self.tokens_after if self.tokens_after else 1.0
