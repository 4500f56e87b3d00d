"""The ablation that decides alpha and the reading of the outlier score: alpha x reading x beta.

Nothing is protected and nothing is verified here: words compete by m alone, at identical realised budgets. The
encoder runs once a text; every reading and every alpha is worked out from its raw outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from moosproxy.compressor import records
from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.checkpoint import load as load_checkpoint
from moosproxy.compressor.engines import Engine, open_engine
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.answers import survives
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.methods import shortened
from moosproxy.compressor.evaluation.planting import held_out, planted
from moosproxy.compressor.kept import Span
from moosproxy.compressor.planning import windows
from moosproxy.compressor.planning.windows import Window
from moosproxy.compressor.scoring import outlier
from moosproxy.compressor.scoring.metric import word_means
from moosproxy.compressor.selection import ranking
from moosproxy.compressor.settings import OutlierReading
from moosproxy.compressor.text.encoding import Encoding

ALPHAS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
RATIOS = (2.0, 3.0, 4.0, 5.0)
DOMAINS = ("questions", "meetings", "agents")
TEXTS = 80
READINGS = {
    "class centroid": OutlierReading("class", "centroid"),
    "class centroid, rank": OutlierReading("class", "centroid", norm="rank"),
    "class centroid, two-sided": OutlierReading("class", "centroid", sided="two"),
    "sequence centroid": OutlierReading("sequence", "centroid"),
    "class RMS per dimension": OutlierReading("class", "perdim_rms"),
    "sequence RMS per dimension": OutlierReading("sequence", "perdim_rms"),
}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """One text with what must survive. spans: planted words; golds: answers, one tuple a question."""

    domain: str
    text: str
    spans: tuple[Span, ...] = ()
    golds: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Scored:
    """A subject with p and, by reading, s_norm of every piece."""

    subject: Subject
    encoding: Encoding
    p: Floats
    s: dict[str, Floats]


@dataclass(frozen=True)
class _Raw:
    start: int
    stop: int
    logits: npt.NDArray[np.float32]
    hidden: npt.NDArray[np.float32]


def ablate(data: Path | None, checkpoints: Sequence[Path], limit: int | None, threads: int | None) -> str:
    """The table as Markdown. checkpoints: one per beta; the bundled one if empty. Raises CompressorError."""
    directory = records.data_directory(data)
    parts = []
    for path in checkpoints or (None,):
        checkpoint = load_checkpoint(path)
        engine = open_engine(checkpoint, "auto", threads)
        subjects = list(_subjects(directory, limit or TEXTS))
        found = [
            _score(one, checkpoint, engine) for one in track(subjects, f"checkpoint {checkpoint.fingerprint}")
        ]
        engine.close()
        beta = checkpoint.facts.get("config", {}).get("beta", "unknown")
        parts.append(f"### beta = {beta} (checkpoint `{checkpoint.fingerprint}`)\n\n{_tables(found)}")
    if not parts:
        raise CompressorError("no checkpoint to ablate")
    return "\n\n".join(parts) + "\n"


def _subjects(data: Path, count: int) -> Iterator[Subject]:
    """Planted texts of each domain, and contexts with their questions' answers: the held-out slice of training."""
    for domain in DOMAINS:
        for text in planted(data, domain, count):
            yield Subject(domain, text.text, text.spans)
    for row in held_out(data, "qa_spans"):
        golds = tuple(tuple(answer["text"] for answer in qa["answers"]) for qa in row["qas"])
        yield Subject("answers", row["context"], golds=golds)


def _score(subject: Subject, checkpoint: Checkpoint, engine: Engine) -> Scored:
    encoding = checkpoint.encoder.encode(subject.text)
    strength = windows.breaks(subject.text, encoding.word_starts, encoding.word_ends)
    ranges = windows.cut(encoding, strength, None, windows.text_limit(None, checkpoint.encoder))
    built = windows.build(checkpoint.encoder, encoding, ranges, None, OutlierReading())

    def raw(
        window: Window,
        logits: npt.NDArray[np.float32],
        hidden: npt.NDArray[np.float32],
        first: npt.NDArray[np.float32],
    ) -> _Raw:
        return _Raw(window.start, window.stop, logits.copy(), hidden.copy())

    p = np.zeros(len(encoding.ids))
    s = {name: np.zeros(len(encoding.ids)) for name in READINGS}
    for out in engine.run(built, raw):
        difference = out.logits[:, 1 - checkpoint.preserve] - out.logits[:, checkpoint.preserve]
        mine = 1 / (1 + np.exp(np.minimum(difference, 80)))
        p[out.start : out.stop] = mine
        for name, reading in READINGS.items():
            s[name][out.start : out.stop] = outlier.normalised(out.hidden, mine.astype(np.float32), reading)
    return Scored(subject, encoding, p, s)


def _tables(found: list[Scored]) -> str:
    """Gains over alpha = 1 by reading and alpha (mean over the ratios), then the diagnostics of each reading."""
    base = {ratio: [_survived(one, one.p, ratio) for one in found] for ratio in RATIOS}
    rows = []
    for name, alpha in itertools.product(READINGS, ALPHAS[1:]):
        gains: dict[str, list[Estimate]] = {}
        for ratio in RATIOS:
            mixed = [_survived(one, alpha * one.p + (1 - alpha) * one.s[name], ratio) for one in found]
            for domain in (*DOMAINS, "answers"):
                chosen = [i for i, one in enumerate(found) if one.subject.domain == domain]
                gain = statistics.difference(
                    np.array([mixed[i] for i in chosen]), np.array([base[ratio][i] for i in chosen])
                )
                gains.setdefault(domain, []).append(gain)
        rows.append(f"| {name} | {alpha:g} | " + " | ".join(_gain(gains[d]) for d in (*DOMAINS, "answers")) + " |")
    level = " | ".join(_level(found, base, domain) for domain in (*DOMAINS, "answers"))
    ratios = "/".join(f"{ratio:g}" for ratio in RATIOS)
    head = [
        f"Survival in % at ratios {ratios} for alpha = 1, and gains over it in points (a star: the 95% interval",
        "of the paired gain leaves out zero). Planted words in held-out texts (in domain: questions; out of it:",
        "meetings, agents) and answers still intact.",
        "",
        "| reading | alpha | planted, questions | planted, meetings | planted, agents | answers intact |",
        "|---|---|---|---|---|---|",
        f"| classifier alone | 1 | {level} |",
    ]
    return "\n".join([*head, *rows, "", _diagnostics(found)])


def _survived(one: Scored, pieces: Floats, ratio: float) -> tuple[float, float]:
    score = word_means(pieces.astype(np.float32), one.encoding)
    costs = one.encoding.word_costs
    kept = ranking.select(score, costs, np.zeros(len(score), bool), costs.sum() / ratio)
    short = shortened(one.subject.text, one.encoding, kept)
    if one.subject.golds:
        answers = [survives(golds, short.text) for golds in one.subject.golds]
        return float(sum(answers)), float(len(answers))
    return Survival(short.kept).count(one.subject.spans)


def _level(found: list[Scored], base: dict[float, list[tuple[float, float]]], domain: str) -> str:
    chosen = [i for i, one in enumerate(found) if one.subject.domain == domain]
    sums = [np.array([base[ratio][i] for i in chosen]).sum(0) for ratio in RATIOS]
    return "/".join(f"{100 * s[0] / s[1]:.0f}" for s in sums)


def _gain(gains: list[Estimate]) -> str:
    return "/".join(f"{100 * g.value:+.1f}{'*' if g.low > 0 or g.high < 0 else ''}" for g in gains)


def _diagnostics(found: list[Scored]) -> str:
    """What each reading measures: rank correlation with p, and how well it tells planted pieces where p < 0.5."""
    lines = ["| reading | Spearman(s, p) | AUC of planted among p < 0.5 |", "|---|---|---|"]
    for name in READINGS:
        correlation = np.mean([_spearman(one.s[name], one.p) for one in found if len(one.p) > 2])
        lines.append(f"| {name} | {correlation:+.2f} | {_auc(found, name):.2f} |")
    return "\n".join(lines)


def _auc(found: list[Scored], name: str) -> float:
    """Chance that a planted piece scores above another one of the same text, both with p < 0.5."""
    wins = pairs = 0.0
    for one in found:
        planted_pieces = np.zeros(len(one.p), bool)
        for start, end in one.subject.spans:
            planted_pieces |= (one.encoding.piece_starts < end) & (one.encoding.piece_ends > start)
        low = one.p < 0.5
        s, rest = one.s[name][planted_pieces & low], np.sort(one.s[name][~planted_pieces & low])
        wins += float(np.searchsorted(rest, s, "left").sum() + np.searchsorted(rest, s, "right").sum()) / 2
        pairs += len(s) * len(rest)
    return wins / pairs if pairs else float("nan")


def _spearman(a: Floats, b: Floats) -> float:
    def ranks(values: Floats) -> Floats:
        return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])
