"""Answers behind soft memory, beside hard compression, the full context and none; kept cell by cell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from torch import Tensor

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.evaluation.answering import Asked, Prefix, answers, exact, f1
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import about, check, load
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.reading import Piece
from moosproxy.compressor.soft.training.batches import IGNORED, Source, WorldSource
from moosproxy.compressor.soft.training.world import World

FULL, NONE, HARD = "full context", "no context", "hard compression"
NAMES, WORDING, TEXT = "new names and values", "new names, values and wording", "real text"
_SEED: Final = 2_000_003


@dataclass(frozen=True, slots=True)
class Cell:
    """One method at one ratio on one part, question by question.

    realised: tokens of the contexts / vectors or tokens read in their place.
    """

    part: str
    method: str
    ratio: int
    seed: int
    realised: float
    exact: list[float]
    f1: list[float]

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


def parts(tokenizer: Any, text: Source | None) -> dict[str, Source]:
    """What questions are about; none of it was seen in training."""
    known: dict[str, Source] = {
        NAMES: WorldSource(tokenizer, World("held_out", "train")),
        WORDING: WorldSource(tokenizer, World("held_out", "held_out")),
    }
    return known | ({TEXT: text} if text is not None else {})


def asked(source: Source, count: int, length: int, pad: int) -> list[Asked]:
    """`count` contexts of `length` tokens with one question each, the same on every call."""
    batch = source.questions(count, length, 1, Random(_SEED))
    rows = zip(batch.context.tolist(), batch.tail.tolist(), batch.labels.tolist(), batch.references, strict=True)
    return [
        Asked(
            tuple(context),
            tuple(t for t, label in zip(tail, labels, strict=True) if label == IGNORED and t != pad),
            said,
        )
        for context, tail, labels, said in rows
    ]


@dataclass(frozen=True, slots=True)
class Bench:
    """A model to ask and the questions, by part."""

    base: FrozenModel
    tokenizer: Any
    questions: dict[str, list[Asked]]

    def measure(self, part: str, method: str, ratio: int, seed: int, prefix: Prefix) -> Cell:
        """Asks every question of a part behind `prefix`."""
        read: list[float] = []

        def counted(contexts: Any) -> Sequence[Any]:
            pieces = prefix(contexts)
            read.extend([_length(pieces)] * contexts.shape[0])
            return pieces

        given = self.questions[part]
        found = answers(self.base, given, counted, self._decode)
        pairs = [(answer, each.reference) for answer, each in zip(found, given, strict=True)]
        length = sum(len(each.context) for each in given)
        return Cell(
            part,
            method,
            ratio,
            seed,
            length / sum(read) if sum(read) else 0.0,
            [exact(*pair) for pair in pairs],
            [f1(*pair) for pair in pairs],
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
    results.facts.setdefault("training", {})[method] = facts["training"] | {"config": facts["config"]}
    wanted = [
        (part, ratio)
        for part in bench.questions
        for ratio in ratios
        if ratio in facts["config"]["ratios"] and (part, method, ratio, seed) not in results.cells
    ]
    if wanted:
        compressor = load(folder, bench.base)
        for part, ratio in wanted:
            yield bench.measure(part, method, ratio, seed, soft_prefix(compressor, ratio))


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
