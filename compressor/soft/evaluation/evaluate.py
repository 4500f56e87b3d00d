"""Answers behind soft memory, beside hard compression, the full context and none; kept cell by cell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from torch import Tensor

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.evaluation.answering import (
    Asked,
    Prefix,
    answers,
    exact,
    f1,
    holds,
    normalised_exact,
    normalised_f1,
)
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import about, check, load, stored_bytes
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.reading import Piece
from moosproxy.compressor.soft.training.batches import IGNORED, Source, WorldSource
from moosproxy.compressor.soft.training.journal import curve
from moosproxy.compressor.soft.training.world import World

FULL, NONE, HARD = "full context", "no context", "hard compression"
BLIND: Final = "hard compression, question unknown"
FOREIGN: Final = " of another text"
"""Behind a compressor's name: memory of the text before this one. What is right then was not read."""
NAMES, WORDING, TEXT = "new names and values", "new names, values and wording", "real text"
_SEED: Final = 2_000_003
_LONGEST: Final = 24


@dataclass(frozen=True, slots=True)
class Cell:
    """One method at one ratio on one part, question by question.

    realised: tokens of the contexts / vectors or tokens read in their place. seconds: until each first token, and
    held: bytes of keys and values by then, where questions were asked one by one. holds: if the reference stands
    in the answer, however long that is.
    """

    part: str
    method: str
    ratio: int
    seed: int
    realised: float
    exact: list[float]
    f1: list[float]
    seconds: list[float] = field(default_factory=list)
    held: float = 0.0
    holds: list[float] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.part, self.method, self.ratio, self.seed


class Results:
    """Cells on disk, so that whatever was worked out once is not done again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.facts: dict[str, Any] = {}
        self.cells: dict[tuple[str, str, int, int], Cell] = {}
        if path.is_file():
            stored = json.loads(path.read_text(encoding="utf-8"))
            self.facts = stored["facts"]
            self.cells = {cell.key: cell for cell in (Cell(**each) for each in stored["cells"])}

    def add(self, cell: Cell) -> None:
        """Keeps a cell and writes the file."""
        self.cells[cell.key] = cell
        self.save()

    def save(self) -> None:
        """Writes the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        stored = {"facts": self.facts, "cells": [asdict(cell) for cell in self.cells.values()]}
        self._path.write_text(json.dumps(stored), encoding="utf-8")


def templates(tokenizer: Any) -> dict[str, Source]:
    """Questions about the invented world; none of it was seen in training."""
    return {
        NAMES: WorldSource(tokenizer, World("held_out", "train")),
        WORDING: WorldSource(tokenizer, World("held_out", "held_out")),
    }


def asked(source: Source, count: int, length: int) -> list[Asked]:
    """`count` contexts of `length` tokens with one question each, the same on every call."""
    batch = source.questions(count, length, 1, Random(_SEED))
    words = batch.asked or ("",) * count
    before = () if batch.before is None else tuple(batch.before[0].tolist())
    columns = (batch.context.tolist(), batch.tail.tolist(), batch.labels.tolist(), batch.references, words)
    return [
        Asked(tuple(context), _question(tail, labels), said, before, each)
        for context, tail, labels, said, each in zip(*columns, strict=True)
    ]


def _question(tail: list[int], labels: list[int]) -> tuple[int, ...]:
    """What stands before the answer. The token that pads may stand in a template too."""
    return tuple(tail[: next(at for at, label in enumerate(labels) if label != IGNORED)])


@dataclass(frozen=True, slots=True)
class Bench:
    """A model to ask and the questions, by part."""

    base: FrozenModel
    tokenizer: Any
    questions: dict[str, list[Asked]]

    def measure(self, part: str, method: str, ratio: int, seed: int, prefix: Prefix) -> Cell:
        """Asks every question of a part behind `prefix`; about real text one by one, and timed."""
        read: list[float] = []

        def counted(contexts: Any) -> Sequence[Any]:
            pieces = prefix(contexts)
            read.extend([_length(pieces)] * contexts.shape[0])
            return pieces

        given = self.questions[part]
        real = any(each.words for each in given)
        alone = {"batch": 1, "longest": _LONGEST} if real else {}
        found = answers(self.base, given, counted, self._decode, **alone)
        pairs = [(answer.text, each.reference) for answer, each in zip(found, given, strict=True)]
        right, words = (normalised_exact, normalised_f1) if real else (exact, f1)
        length = sum(len(each.context) for each in given)
        return Cell(
            part,
            method,
            ratio,
            seed,
            length / sum(read) if sum(read) else 0.0,
            [right(*pair) for pair in pairs],
            [round(words(*pair), 4) for pair in pairs],
            [round(answer.seconds, 4) for answer in found] if real else [],
            sum(answer.held for answer in found) / len(found) if real else 0.0,
            [holds(*pair) for pair in pairs] if real else [],
        )

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids)
        return text


def soft_prefix(compressor: SoftCompressor, ratio: int) -> Prefix:
    """Memory of the context and the marker that follows it."""
    return lambda contexts: [compressor.compress(contexts, ratio), compressor.marker("go_on")]


def run(
    bench: Bench, folders: Sequence[Path], ratios: Sequence[int], results: Results, say: Callable[[str], None]
) -> None:
    """Measures every cell that `results` lacks. Raises SoftError before the first one if a folder does not fit."""
    for folder in folders:
        check(folder, bench.base)
    for part in bench.questions:
        for method, prefix in ((FULL, lambda contexts: [contexts]), (NONE, lambda contexts: [])):
            if (part, method, 1, 0) not in results.cells:
                results.add(bench.measure(part, method, 1, 0, prefix))
                say(line(results.cells[part, method, 1, 0]))
    for folder in folders:
        for cell in _trained(bench, folder, ratios, results):
            results.add(cell)
            say(line(cell))


def _trained(bench: Bench, folder: Path, ratios: Sequence[int], results: Results) -> Iterator[Cell]:
    facts = about(folder)
    method, seed = name(facts), int(facts["training"].get("seed", 0))
    results.facts.setdefault("training", {})[method] = (
        facts["training"] | {"config": facts["config"], "bytes": stored_bytes(folder)} | curve(folder)
    )
    wanted = [
        (part, each, ratio)
        for part, each in _kinds(bench, method)
        for ratio in ratios
        if ratio in facts["config"]["ratios"] and (part, each, ratio, seed) not in results.cells
    ]
    if wanted:
        compressor = load(folder, bench.base)
        for part, each, ratio in wanted:
            used = bench if each == method else replace(bench, questions={part: _rotated(bench.questions[part])})
            yield used.measure(part, each, ratio, seed, soft_prefix(compressor, ratio))


def _kinds(bench: Bench, method: str) -> Iterator[tuple[str, str]]:
    """Each part with the method's name, and real text once more with memory of another text."""
    for part, questions in bench.questions.items():
        yield part, method
        if any(each.words for each in questions):
            yield part, method + FOREIGN


def _rotated(questions: Sequence[Asked]) -> list[Asked]:
    """Each question about the context of the one before."""
    before = [questions[-1], *questions[:-1]]
    return [replace(each, context=other.context) for each, other in zip(questions, before, strict=True)]


def _length(pieces: Sequence[Piece]) -> int:
    """Tokens or vectors of what stands in the context's place."""
    first = pieces[0] if pieces else None
    return first.tokens if isinstance(first, Memory) else first.shape[1] if isinstance(first, Tensor) else 0


def name(facts: dict[str, Any]) -> str:
    """What a compressor's results are filed under: method and form, and what was unusual in its training."""
    repeat = facts["training"].get("repeat")
    task = "" if repeat is None else " with autoencoding" if repeat else " without autoencoding"
    config = SoftConfig.from_json(facts["config"])
    alone = f" at {config.ratios[0]}x alone" if len(config.ratios) == 1 else ""
    return config.name + task + alone


def line(cell: Cell) -> str:
    """A cell in one line."""
    share = 100 * sum(cell.exact) / len(cell.exact)
    words = 100 * sum(cell.f1) / len(cell.f1)
    return f"{cell.part}  {cell.method} {cell.ratio}x seed {cell.seed}: EM {share:.1f}  F1 {words:.1f}"
