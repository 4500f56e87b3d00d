"""The commands' work: from options to models, sources and results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosproxy.compressor import Compressor
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation import evaluate as evaluation
from moosproxy.compressor.soft.evaluation import hard as hard_compression
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.training.batches import Source, WorldSource
from moosproxy.compressor.soft.training.texts import TextSource, paragraphs
from moosproxy.compressor.soft.training.world import World
from moosproxy.compressor.soft.weights.loading import load


@dataclass(frozen=True, slots=True)
class Choice:
    """What `moos eval soft run` was asked for."""

    base: Path
    folders: tuple[Path, ...]
    ratios: tuple[int, ...]
    questions: int
    length: int
    hard: bool
    out: Path
    data: Path | None
    device: str


def base(folder: Path, dtype: str, device: str) -> tuple[FrozenModel, Any]:
    """The frozen model and its tokenizer; raises SoftError."""
    if not folder.exists():
        raise SoftError(
            f"there is no {folder}: make one with `moos train soft base --out {folder}`, or name a GGUF"
        )
    return load(folder, dtype, device)


def training_sources(tokenizer: Any, data: Path | None) -> list[Source]:
    """The invented world, and the questions on real text where a folder is given."""
    world: list[Source] = [WorldSource(tokenizer, World())]
    return world if data is None else [*world, TextSource(tokenizer, paragraphs(data, held=False))]


def held_out_sources(tokenizer: Any, data: Path | None) -> list[Source]:
    """The same kinds of questions about names, values and titles that training leaves out."""
    world: list[Source] = [WorldSource(tokenizer, World("held_out", "train"))]
    return world if data is None else [*world, TextSource(tokenizer, paragraphs(data, held=True))]


def evaluate(choice: Choice, say: Callable[[str], None]) -> None:
    """Measures what is not measured yet."""
    model, tokenizer = base(choice.base, "float32", choice.device)
    text = TextSource(tokenizer, paragraphs(choice.data, held=True)) if choice.data else None
    pad = tokenizer.pad_token_id
    questions = {
        name: evaluation.asked(source, choice.questions, choice.length, pad)
        for name, source in evaluation.parts(tokenizer, text).items()
    }
    bench = evaluation.Bench(model, tokenizer, questions)
    results = evaluation.Results(choice.out / "results.json")
    weights = sum(each.numel() for name, each in model.model.named_parameters() if "lora_" not in name)
    results.facts |= {
        "base": {"name": model.name, "fingerprint": model.fingerprint, "parameters": weights},
        "questions": choice.questions,
        "length": choice.length,
    }
    evaluation.run(bench, choice.folders, choice.ratios, results, say)
    if choice.hard:
        _hard(bench, choice.ratios, results, say)


def _hard(
    bench: evaluation.Bench, ratios: tuple[int, ...], results: evaluation.Results, say: Callable[[str], None]
) -> None:
    with Compressor.load() as compressor:
        for part in bench.questions:
            for ratio in ratios:
                if (part, evaluation.HARD, ratio, 0) not in results.cells:
                    cell = hard_compression.measure(bench, part, ratio, compressor)
                    results.add(cell)
                    say(evaluation.line(cell))
