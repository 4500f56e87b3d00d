"""Answers that survive when a teacher picks the sentences, beside today's scores, at equal budgets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track

from moosproxy.compressor import records
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.critical import sentences
from moosproxy.compressor.evaluation.reporting.results import Results
from moosproxy.compressor.evaluation.reporting.store import Store
from moosproxy.compressor.evaluation.reporting.tables import rows
from moosproxy.compressor.evaluation.teachers.language_model import Floats, LanguageModel
from moosproxy.compressor.evaluation.teachers.opinions import OPINIONS
from moosproxy.compressor.kept import Span
from moosproxy.compressor.scoring.metric import piece_metric, word_means
from moosproxy.compressor.settings import CompressionSettings

RATIOS = (2.0, 3.0, 4.0)
FEWEST = 4
"""Sentences of a text: with fewer there is nothing to choose."""
OURS, CHANCE, FIRST = "today's scores", "chance", "the first ones"
STORE = "opinions.db"
_TASK = "sentences"


@dataclass(frozen=True)
class Subject:
    """A text, its sentences, and where the answers of its questions stand."""

    id: str
    text: str
    spans: tuple[Span, ...]
    answers: tuple[Span, ...]


def subjects(data: Path, limit: int) -> list[Subject]:
    """Paragraphs of the training data's held-out slice, spread over it."""
    found = [
        one for row in records.read(data, "train/qa_spans") if records.held_out(row) and (one := _subject(row))
    ]
    limit = min(limit, len(found))
    return [found[at * len(found) // limit] for at in range(limit)]


def _subject(row: records.Record) -> Subject | None:
    spans = tuple(sentences(row["context"]))
    answers = tuple((qa["answers"][0]["start"], _end(qa["answers"][0])) for qa in row["qas"] if qa["answers"])
    if len(spans) < FEWEST or not answers:
        return None
    return Subject(str(row["id"]), row["context"], spans, answers)


def _end(answer: records.Record) -> int:
    return int(answer["start"]) + len(answer["text"])


@dataclass(frozen=True)
class Said:
    """What a model said of each text, kept on disk: a study that was stopped goes on where it was."""

    store: Store
    digest: str

    def scores(self, name: str, one: Subject, ask: Callable[[], Floats]) -> Floats:
        """The named opinion on each sentence, shape (sentences,); asked for where it is not there yet."""
        said = self.store.get(self.digest, name, one.text)
        if said is None:
            said = ask().astype(np.float64).tobytes()
            self.store.put(self.digest, name, one.text, value=said)
            self.store.commit()
        return np.frombuffer(said)


def measure(model: LanguageModel, said: Said, compressor: Compressor, chosen: Sequence[Subject]) -> Results:
    """Sums by text: answers whose sentence was kept whole."""
    results = Results()
    for one in track(chosen, "texts", transient=True):
        costs = np.array([len(compressor.checkpoint.encoder.encode(one.text[s:e]).ids) for s, e in one.spans])
        for name, scores in _opinions(model, said, compressor, one):
            for ratio in RATIOS:
                kept = pick(scores, costs, costs.sum() / ratio)
                whole = _whole(one, kept)
                results.add(_TASK, name, f"{ratio:g}", "intact", one.id, (float(whole), float(len(one.answers))))
    return results


def _whole(one: Subject, kept: Sequence[bool]) -> int:
    spans = [span for span, stays in zip(one.spans, kept, strict=True) if stays]
    return sum(any(start <= first and last <= end for start, end in spans) for first, last in one.answers)


def _opinions(
    model: LanguageModel, said: Said, compressor: Compressor, one: Subject
) -> Iterator[tuple[str, Floats]]:
    yield OURS, todays(compressor, one.text, one.spans)
    seed = int.from_bytes(hashlib.sha256(one.text.encode()).digest()[:8], "big")
    yield CHANCE, np.random.default_rng(seed).random(len(one.spans))
    yield FIRST, -np.arange(len(one.spans), dtype=np.float64)
    for name, opinion in OPINIONS.items():
        yield name, said.scores(name, one, partial(opinion, model, one.text, one.spans))


def todays(compressor: Compressor, text: str, spans: Sequence[Span]) -> Floats:
    """The mean of m over each sentence's words, no question shown."""
    settings = CompressionSettings(ratio=2, question="off")
    plan = compressor.plan(text, settings)
    pieces = piece_metric(compressor.score(plan.windows), len(plan.encoding.ids), settings.alpha)
    words = word_means(pieces, plan.encoding)
    starts = plan.encoding.word_starts
    inside = [(starts >= start) & (starts < end) for start, end in spans]
    return np.array([words[mask].mean() if mask.any() else 0.0 for mask in inside])


def pick(scores: Floats, costs: Floats, budget: float) -> list[bool]:
    """Best first while they fit; what is too long is passed over."""
    kept = [False] * len(scores)
    left = budget
    for at in np.argsort(-scores, kind="stable"):
        if costs[at] <= left:
            kept[at] = True
            left -= costs[at]
    return kept


def table(results: Results) -> str:
    """Answers kept in percent, and points above today's scores with 95% intervals, paired by text."""

    def cell(name: str, ratio: str) -> str:
        mine, ours = (results.table(_TASK, one, ratio, "intact") for one in (name, OURS))
        assert mine is not None
        assert ours is not None
        share, gain = statistics.share(mine), statistics.difference(mine, ours)
        told = f"{100 * share.value:.1f}"
        return (
            told
            if name == OURS
            else f"{told} ({100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}])"
        )

    ratios = [f"{ratio:g}" for ratio in RATIOS]
    head = ["sentences picked by", *(f"{ratio}x" for ratio in ratios)]
    return rows(head, ([name, *(cell(name, ratio) for ratio in ratios)] for name in results.methods(_TASK)))


def study(
    model: Path,
    data: Path,
    checkpoint: Path | None,
    limit: int,
    out: Path,
    threads: int | None,
    say: Callable[[str], None],
) -> None:
    """Measures and tells; what the model says of each text is kept in out/opinions.db."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with Store(out / STORE) as store, Compressor.load(checkpoint, threads=threads) as compressor:
        chosen = subjects(data, limit)
        results = measure(LanguageModel(model), Said(store, digest), compressor, chosen)
    say(
        f"{model.stem}, {len(chosen)} texts, {sum(len(one.answers) for one in chosen)} answers\n\n{table(results)}"
    )
