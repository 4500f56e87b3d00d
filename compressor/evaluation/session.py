"""One run from its options: loads what is asked for, measures, writes results.json with the facts of the run."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from moosproxy.compressor import records
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation import methods, run, slim
from moosproxy.compressor.evaluation.commit import commit
from moosproxy.compressor.evaluation.judging.judges import ApiJudge, Judge, ReaderJudge
from moosproxy.compressor.evaluation.measures.lexicon import DocumentFrequencies
from moosproxy.compressor.evaluation.progress import bars
from moosproxy.compressor.evaluation.reporting.results import Results
from moosproxy.compressor.evaluation.reporting.store import Store
from moosproxy.compressor.evaluation.tasks import TASKS
from moosproxy.compressor.settings import CompressionSettings

# Texts that document frequencies are counted over, in chunks of this many characters.
FREQUENCY_CHUNK = 1500


@dataclass(frozen=True)
class Choice:
    """The options of `moos eval run`; None or empty means the default."""

    data: Path | None
    checkpoint: Path | None
    rival: Path | None
    reader: Path | None
    api: tuple[str, str, str | None] | None
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    ratios: tuple[float, ...]
    limit: int | None
    out: Path
    engine: str
    threads: int | None


def evaluate(choice: Choice) -> None:
    """Measures every chosen task and writes choice.out/results.json. Raises CompressorError."""
    data = records.data_directory(choice.data)
    unknown = set(choice.tasks) - set(TASKS)
    if unknown:
        raise CompressorError(f"unknown task {', '.join(sorted(unknown))}; known: {', '.join(TASKS)}")
    judge = _judge(choice)
    compressor = Compressor.load(choice.checkpoint, engine=choice.engine, threads=choice.threads)
    rival = None
    if choice.rival:
        rival = Compressor.load(choice.rival, engine=choice.engine, threads=choice.threads)
    with Store(choice.out / "store.db") as store, bars() as progress:
        every = [
            method
            for method in _methods(data, compressor, rival)
            if not choice.methods or method.name.startswith(choice.methods)
        ]
        if not every:
            raise CompressorError(f"no method is named like {', '.join(choice.methods)}")
        one = run.Run(data, store, judge, choice.ratios or run.RATIOS, choice.limit)
        one.results = _continued(choice.out, _facts(choice, data, compressor, rival, judge))
        for name in choice.tasks or TASKS:
            one.results.sums.pop(name, None)
            one.task(TASKS[name], every, progress)
            one.results.save(choice.out / "results.json")
            progress.console.print(name)
    click.echo(f"{choice.out / 'results.json'}; `moos eval report` writes the tables")


def _continued(out: Path, facts: dict[str, Any]) -> Results:
    """The results of a former run of the same checkpoint, rival, judge and data, or none."""
    same = ("checkpoint", "rival", "judge", "data", "limit", "metric")
    try:
        former = Results.load(out / "results.json")
    except CompressorError:
        return Results(facts)
    if any(former.facts.get(key) != facts[key] for key in same):
        return Results(facts)
    return Results(facts, former.sums)


def _judge(choice: Choice) -> Judge | None:
    if choice.api:
        return ApiJudge(*choice.api)
    if choice.reader:
        import torch

        from moosproxy.compressor.evaluation.judging.reader import Reader

        if choice.threads:
            torch.set_num_threads(choice.threads)
        return ReaderJudge(Reader.load(choice.reader))
    return None


def _methods(data: Path, compressor: Compressor, rival: Compressor | None) -> list[methods.Method]:
    encoder = compressor.checkpoint.encoder
    found: list[methods.Method] = [
        methods.RandomWords(encoder),
        methods.HeadAndTail(encoder),
        methods.IdfPruning(encoder, frequencies(data)),
        methods.LexicalSentences(encoder),
    ]
    if slim.installed():
        found.append(slim.Llmslim(encoder))
    if rival:
        by_rival = methods.Scorer(rival)
        found += [methods.Rival(by_rival, forced=True), methods.Rival(by_rival, forced=False)]
    scorer = methods.Scorer(compressor)
    modes = (False, True) if compressor.checkpoint.question_aware else (False,)
    for words in (True, False):
        found += [methods.Ours(scorer, aware=aware, words=words) for aware in modes]
    return found


def frequencies(data: Path) -> DocumentFrequencies:
    """Document frequencies over the training texts: paragraphs, meetings and agent text."""

    def chunks(text: str) -> list[str]:
        return [text[at : at + FREQUENCY_CHUNK] for at in range(0, len(text), FREQUENCY_CHUNK)]

    texts = [row["context"] for row in records.read(data, "train/qa_spans")]
    for row in records.read(data, "train/meetings"):
        texts += chunks(row["transcript"])
    for row in records.read(data, "train/unlabeled_agent_text"):
        texts += chunks(row["text"])
    return DocumentFrequencies(texts)


def _facts(
    choice: Choice, data: Path, compressor: Compressor, rival: Compressor | None, judge: Judge | None
) -> dict[str, Any]:
    """What identifies the run."""
    sources = data / "SOURCES.json"
    return {
        "checkpoint": compressor.fingerprint,
        "training": dict(compressor.checkpoint.facts),
        "rival": rival.fingerprint if rival else None,
        "rival training": dict(rival.checkpoint.facts) if rival else {},
        "engine": type(compressor.engine).__name__,
        "metric": _metric(CompressionSettings()),
        "judge": judge.name if judge else None,
        "data": hashlib.sha256(sources.read_bytes()).hexdigest()[:16] if sources.exists() else None,
        "commit": commit(),
        "limit": choice.limit,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }


def _metric(settings: CompressionSettings) -> str:
    reading = settings.outlier
    return f"alpha {settings.alpha:g}, {reading.scope} {reading.stat}, {reading.sided}-sided, {reading.norm}"
