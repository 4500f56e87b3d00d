"""The commands' work: from options to models, sources and results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from moosproxy.compressor import Compressor
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation import evaluate as evaluation
from moosproxy.compressor.soft.evaluation import hard as hard_compression
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.training.batches import Source, WorldSource
from moosproxy.compressor.soft.training.texts import SUFFIX, TextSource, other_paragraphs, paragraphs
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
    more: tuple[Path, ...]
    templates: bool
    device: str


def base(folder: Path, dtype: str, device: str) -> tuple[FrozenModel, Any]:
    """The frozen model and its tokenizer; raises SoftError."""
    if not folder.exists():
        raise SoftError(
            f"there is no {folder}: make one with `moos train soft base --out {folder}`, or name a GGUF"
        )
    return load(folder, dtype, device)


def sources(tokenizer: Any, data: Path | None, *, held: bool, templates: bool = True) -> list[Source]:
    """What a compressor is trained on: the invented world, and questions on real text where a folder is given.

    held: the same kinds of questions about names, values and titles that training leaves out. templates: False for
    real text alone. Raises SoftError where nothing is left.
    """
    found: list[Source] = [WorldSource(tokenizer, World("held_out" if held else "train"))] if templates else []
    if data is not None:
        found.append(TextSource(tokenizer, paragraphs(data, held=held)))
    if not found:
        raise SoftError("--no-templates leaves nothing to learn from: give --data a folder with qa_spans.jsonl.gz")
    return found


def evaluate(choice: Choice, say: Callable[[str], None]) -> None:
    """Measures what is not measured yet."""
    model, tokenizer = base(choice.base, "float32", choice.device)
    questions = {
        name: evaluation.asked(source, choice.questions, choice.length)
        for name, source in _parts(choice, tokenizer).items()
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


def _parts(choice: Choice, tokenizer: Any) -> dict[str, Source]:
    """What is asked about, by name. Raises SoftError where it is nothing."""
    found = evaluation.templates(tokenizer) if choice.templates else {}
    if choice.data is not None:
        found[evaluation.TEXT] = TextSource(tokenizer, paragraphs(choice.data, held=True))
    for file in choice.more:
        found[file.name.removesuffix(SUFFIX)] = TextSource(tokenizer, other_paragraphs(file))
    if not found:
        raise SoftError("--no-templates leaves nothing to ask: give --data or --more")
    return found


def _hard(
    bench: evaluation.Bench, ratios: tuple[int, ...], results: evaluation.Results, say: Callable[[str], None]
) -> None:
    with Compressor.load() as compressor:
        for part in bench.questions:
            for method, ratio in product((evaluation.HARD, evaluation.BLIND), ratios):
                if (part, method, ratio, 0) not in results.cells:
                    cell = hard_compression.measure(bench, part, ratio, compressor, method)
                    results.add(cell)
                    say(evaluation.line(cell))
