"""A compressor without a model: keeps the first word of every `ratio` ones. Deterministic, slow on demand."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from moosproxy.compressor import CompressionResult, CompressionSettings, KeptSpans
from moosproxy.compressor.heat_map import WordScore

WINDOW_WORDS = 64
BOOM = "<boom>"
"""A text with this in it makes score() raise."""
SOLID = "<solid>"
"""A text with this in it has nothing that could be cut."""


@dataclass(frozen=True)
class FakeWindow:
    """A run of words of one text."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class FakePlan:
    """A text, its words and its windows."""

    text: str
    settings: CompressionSettings
    words: list[tuple[int, int]]
    windows: list[FakeWindow]


class FakeCompressor:
    """Has the shape of compressor.Compressor. One word is one token.

    plan_s, score_s: seconds that each call takes at least. gate: score() waits for it.
    skew: which of every n words is kept; two workers that differ here stand for two kinds of CPU.
    scored: the text of every window that score() has seen, batch by batch.
    """

    def __init__(
        self, *, plan_s: float = 0.0, score_s: float = 0.0, skew: int = 0, fingerprint: str = "fake-1"
    ) -> None:
        self.fingerprint = fingerprint
        self.plan_s = plan_s
        self.score_s = score_s
        self.skew = skew
        self.gate = threading.Event()
        self.gate.set()
        self.scored: list[list[str]] = []
        self.planned = 0

    def identity(self, settings: CompressionSettings) -> str:
        """Another one where a quality is asked for."""
        return self.fingerprint if settings.quality is None else f"{self.fingerprint}-calibrated"

    def plan(self, text: str, settings: CompressionSettings, spans: Sequence[tuple[int, int]] = ()) -> FakePlan:
        """Words by white space, windows of 64 words."""
        self.planned += 1
        time.sleep(self.plan_s)
        words = [match.span() for match in re.finditer(r"\S+", text)]
        windows = []
        for at in range(0, len(words), WINDOW_WORDS):
            run = words[at : at + WINDOW_WORDS]
            windows.append(FakeWindow(tuple(range(len(run))), text[run[0][0] : run[-1][1]]))
        return FakePlan(text, settings, words, windows)

    def score(self, windows: Sequence[FakeWindow]) -> list[int]:
        """The number of words of each window."""
        self.scored.append([window.text for window in windows])
        self.gate.wait(10)
        time.sleep(self.score_s)
        if any(BOOM in window.text for window in windows):
            raise RuntimeError("the model fell over")
        return [len(window.ids) for window in windows]

    def finish(self, plan: FakePlan, scores: Sequence[int], *, words: bool = False) -> CompressionResult:
        """Every n-th word, counted over the whole text. words: each with its length as score."""
        assert list(scores) == [len(window.ids) for window in plan.windows]
        step = round(plan.settings.ratio)
        left = plan.words if SOLID in plan.text else plan.words[self.skew :: step]
        stays = set(left)
        kept = KeptSpans(((0, len(plan.text)),)) if SOLID in plan.text else KeptSpans(tuple(left))
        scored = [
            WordScore(start, end, float(end - start), (start, end) in stays, plan.text[start] == "!")
            for start, end in (plan.words if words else ())
        ]
        return CompressionResult(
            text=kept.apply(plan.text),
            kept=kept,
            tokens_before=len(plan.words),
            tokens_after=len(left),
            tokenizer="words",
            asked_ratio=plan.settings.ratio,
            target_ratio=plan.settings.ratio,
            eased=False,
            fingerprint=self.fingerprint,
            words=scored if words else None,
            original=plan.text if words else None,
        )


def prose(words: int, seed: str = "w") -> str:
    """A text of that many words, different for every seed."""
    return " ".join(f"{seed}{number}" for number in range(words))


def report(sentences: int, seed: int = 1) -> str:
    """Dull English with numbers in it, in paragraphs."""
    dice = random.Random(seed)
    people = ["The committee", "Our supplier", "Miss Okafor", "The night shift", "A visitor from Turku"]
    deeds = ["looked at", "postponed", "wrote down", "quietly accepted", "asked about", "did not approve"]
    things = ["the delivery of timber", "the minutes of the last meeting", "a budget of 4,500 euros", "the roof"]
    ends = ["after lunch", "for reasons that nobody recorded", "on 3 March", "as had been agreed before"]
    out = []
    for number in range(sentences):
        line = " ".join(dice.choice(words) for words in (people, deeds, things, ends)) + "."
        out.append(line + ("\n\n" if number % 6 == 5 else " "))
    return "".join(out).strip()
