"""`moos bench stages`: what each stage of compression takes, in processor time, for every kind of text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import click
import numpy as np

from moosproxy.compressor import protect
from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.evaluation.speed import kind_texts
from moosproxy.compressor.kinds.base import Asked
from moosproxy.compressor.kinds.blocks import EDITORS, split
from moosproxy.compressor.planning.plan import VERIFIED, Plan
from moosproxy.compressor.scoring.metric import WindowScores
from moosproxy.compressor.selection.scores import word_scores
from moosproxy.compressor.selection.units.by_units import by_units
from moosproxy.compressor.selection.verify import Verifier
from moosproxy.compressor.settings import CompressionSettings, Kind

_T = TypeVar("_T")

CHARS = 20_000
"""A text of so many characters tells how many of them its kind has in a token."""
STAGES = ("tokenise", "protect", "conditions", "blocks", "edit", "windows", "encoder", "score", "select")
"""conditions: with placeholders; windows: with the question, markers and the counting of words."""
OF_UNITS = ("conditions", "blocks", "edit", "select")
"""Stages that are there because a text is taken apart by kinds into units that stay or go whole."""
_CONDITIONS = frozenset({Kind.CONDITION, Kind.PLACEHOLDER})


@dataclass
class Measured:
    """One text. tokens: pieces of the encoder. seconds: processor time of each stage that ran."""

    tokens: int
    seconds: dict[str, float]

    @property
    def share(self) -> float:
        """Of the stages OF_UNITS in all, in [0, 1]."""
        return sum(self.seconds[stage] for stage in OF_UNITS) / max(sum(self.seconds.values()), 1e-9)

    @property
    def per_token(self) -> float:
        """Microseconds for a token in every stage but the encoder."""
        return 1e6 * (sum(self.seconds.values()) - self.seconds.get("encoder", 0.0)) / max(self.tokens, 1)

    def or_faster(self, other: Measured) -> Measured:
        """Of every stage the faster of two measurements of the same text."""
        return Measured(
            self.tokens, {stage: min(took, other.seconds[stage]) for stage, took in self.seconds.items()}
        )


def bench(
    compressor: Compressor, kinds: Sequence[str], tokens: int, ratio: float, rounds: int, *, encoder: bool
) -> None:
    """Measures a text of each kind and prints a table, then one line of JSON.

    tokens: pieces of the encoder, about. rounds: the fastest of so many counts. encoder: False takes random scores
    in its place, so that a million tokens take seconds.
    """
    settings = CompressionSettings(ratio=ratio)
    click.echo(_row("kind", "tokens", *(f"{stage} ms" for stage in STAGES), "of units", "us/token"))
    told = {}
    for kind in kinds:
        text = sized(compressor.checkpoint, kind, tokens)
        found = measure(compressor, text, settings, encoder=encoder)
        for _ in range(rounds - 1):
            found = found.or_faster(measure(compressor, text, settings, encoder=encoder))
        took = (f"{1000 * found.seconds.get(stage, 0.0):.1f}" for stage in STAGES)
        click.echo(_row(kind, f"{found.tokens}", *took, f"{found.share:.1%}", f"{found.per_token:.1f}"))
        told[kind] = {"tokens": found.tokens, "share": round(found.share, 3), "us": round(found.per_token, 2)}
    click.echo(json.dumps({"bench": "stages", "ratio": ratio, "encoder": encoder, "kinds": told}))


def sized(checkpoint: Checkpoint, kind: str, tokens: int) -> str:
    """A text of a kind of about that many pieces of the encoder. Raises KeyError for an unknown kind."""
    sample = kind_texts.of(kind, CHARS)
    return kind_texts.of(kind, round(tokens * len(sample) / len(checkpoint.encoder.encode(sample).ids)))


def measure(compressor: Compressor, text: str, settings: CompressionSettings, *, encoder: bool) -> Measured:
    """The processor time of every stage on one text. encoder: as in bench().

    What planning does is done once more, stage by stage: what is left of it is windows.
    """
    plan, planning = _timed(lambda: compressor.plan(text, settings))
    seconds = _parts(compressor.checkpoint, text, settings)
    seconds["windows"] = max(planning - sum(seconds.values()), 0.0)
    if encoder:
        scores, seconds["encoder"] = _timed(lambda: compressor.score(plan.windows))
    else:
        scores = _guessed(plan)
    words = plan.encoding.word_starts, plan.encoding.word_ends
    verifier, looking = _timed(lambda: Verifier(text, *words, plan.found))
    score, scoring = _timed(lambda: word_scores(plan, scores, verifier))
    seconds["score"] = looking + scoring
    before = plan.counter.count(text) if plan.counter else int(plan.costs.sum())
    _, seconds["select"] = _timed(lambda: by_units(plan, verifier, score, before))
    return Measured(len(plan.encoding.ids), seconds)


def _parts(checkpoint: Checkpoint, text: str, settings: CompressionSettings) -> dict[str, float]:
    """Seconds of the stages inside of planning that can be run by themselves."""
    sought = settings.protect | VERIFIED
    blocks, splitting = _timed(lambda: split(text))
    return {
        "tokenise": _timed(lambda: checkpoint.encoder.encode(text))[1],
        "protect": _timed(lambda: protect.find(text, sought - _CONDITIONS))[1],
        "conditions": _timed(lambda: protect.find(text, sought & _CONDITIONS))[1],
        "blocks": splitting,
        "edit": _timed(lambda: [EDITORS[block.kind].edit(text, block, Asked()) for block in blocks])[1],
    }


def _guessed(plan: Plan) -> list[WindowScores]:
    """Random scores in the encoder's place, the same for the same plan."""
    dice = np.random.default_rng(0)
    return [
        WindowScores(window.start, window.stop, dice.random(window.stop - window.start, np.float32), None, 0.5)
        for window in plan.windows
    ]


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
    """What the work gives, and the processor time that it took in all threads."""
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def _row(kind: str, *cells: str) -> str:
    return f"{kind:<9}" + "".join(f"{cell:>14}" for cell in cells)
