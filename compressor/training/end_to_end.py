"""Training through a frozen reader: what matters of a word is whether answers are still found without it.

The compressor's hard selection feeds the reader; the loss is how likely the reader finds the answer in what is
left, bounded so that hopeless questions do not rule. Must not be the reader that judges the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moosproxy.compressor.evaluation.judging.reader import WIDTH_STEP, SpanReader
from moosproxy.compressor.hardware import amp
from moosproxy.compressor.text.encoding import IntArray, TextEncoder
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import asked
from moosproxy.compressor.training.data.asked import AskedText, Read
from moosproxy.compressor.training.data.collate import collate
from moosproxy.compressor.training.data.labels import Bools
from moosproxy.compressor.training.data.mixture import Streams
from moosproxy.compressor.training.gate import TEMPERATURE, BudgetGate, GatedPick, threshold
from moosproxy.compressor.training.train import Losses, Trainer, classifier_losses, forward

# Loss of an answer is -log(FLOOR + (1 - FLOOR) * p): lost answers pull, but not without bound.
FLOOR = 0.1
# Weight of the share of the answer's pieces that are kept: the reader looks at its first and last piece only.
WHOLE_ANSWER = 0.5
# Scale of the logistic noise on scores, in logits: words near the threshold are tried both ways.
NOISE = 0.5
# A dropped word further below the threshold than this many temperatures has a slope of nearly 0: the reader is
# not shown it, which changes nothing for the others and saves time.
NEAR = 4.0
# Pieces of one pass of the reader: attention tensors stay small enough for keep_freed_memory to reuse.
READ_PIECES = 2048
_GONE = 1e-4


@dataclass(frozen=True)
class _Flat:
    """The words of all texts in one row. texts, costs, forced: shape (words,)."""

    scores: Tensor
    texts: Tensor
    costs: Tensor
    forced: Tensor
    first: list[int]


@dataclass(kw_only=True)
class AnswerTrainer(Trainer):
    """A run whose steps on items alternate at random with steps on texts that the reader is asked about."""

    reader: SpanReader
    texts: list[AskedText]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reader.to(self.device).eval().requires_grad_(False)
        rng = np.random.default_rng([self.config.seed, 2])
        plan = [(True, batch) for batch in text_batches(self.texts, self.config.batch_tokens)]
        plan += [(False, batch) for batch in self.batches]
        self.plan = [plan[number] for number in rng.permutation(len(plan))]

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return len(self.plan)

    def losses(self, step: int) -> tuple[Losses, int]:
        """The losses of one step, and its encoder tokens without padding."""
        asked, numbers = self.plan[step]
        if not asked:
            return self.item_losses(numbers)
        texts = [self.texts[number] for number in numbers]
        parts = answer_losses(self.model, self.reader, texts, self.encoder, self.config, step)
        return parts, sum(text.input_pieces for text in texts)


def text_batches(texts: Sequence[AskedText], tokens: int) -> list[list[int]]:
    """Numbers of the texts of every step, in order: encoder inputs of at most so many tokens (or one text)."""
    made: list[list[int]] = [[]]
    used = 0
    for number, text in enumerate(texts):
        if made[-1] and used + text.input_pieces > tokens:
            made.append([])
            used = 0
        made[-1].append(number)
        used += text.input_pieces
    return made if made[-1] else []


def collect(streams: Streams, shares: tuple[float, float], tokens: int) -> list[AskedText]:
    """Texts of both kinds in random order until each kind's share of the tokens is reached."""
    rng = np.random.default_rng([streams.seed, 3])
    texts: list[AskedText] = []
    for kind, share in zip((asked.agnostic, asked.aware), shares, strict=True):
        left, stream = share * tokens, kind(streams.english, rng)
        while left > 0:
            texts.append(next(stream))
            left -= texts[-1].input_pieces
    return [texts[number] for number in rng.permutation(len(texts))]


def answer_losses(
    model: Any,
    reader: SpanReader,
    texts: Sequence[AskedText],
    encoder: TextEncoder,
    config: TrainConfig,
    seed: int,
) -> Losses:
    """The answers' loss plus config.answer_aux times the classifier's own (CE, relevance, beta * L_CS)."""
    device = next(model.parameters()).device
    batch = collate([item for text in texts for item, _ in text.placed], encoder.pad).to(device)
    hidden, logits = forward(model, batch)
    own = classifier_losses(hidden, logits, batch, config)
    flat = _words(logits.float().softmax(-1)[..., 1], texts)
    gates, shown = _gates(flat, texts, np.random.default_rng(seed))
    answer = _read(reader, flat, gates, shown, texts, encoder)
    return replace(own, total=answer + config.answer_aux * own.total, answer=answer)


def _words(p: Tensor, texts: Sequence[AskedText]) -> _Flat:
    """Word scores in logits: those of the mean p over a word's pieces, which serving ranks by."""
    rows, columns, owners, costs, number, forced, first = [], [], [], [], [], [], [0]
    row = 0
    for at, text in enumerate(texts):
        encoding = text.prepared.encoding
        for _, window in text.placed:
            size = window.stop - window.start
            rows.append(np.full(size, row))
            columns.append(np.arange(window.offset, window.offset + size))
            owners.append(encoding.piece_words[window.start : window.stop] + first[-1])
            row += 1
        costs.append(encoding.word_costs)
        forced.append(text.forced)
        number.append(np.full(len(encoding.word_costs), at))
        first.append(first[-1] + len(encoding.word_costs))
    cost = torch.from_numpy(np.concatenate(costs)).to(p.device, torch.float32)
    index = (torch.from_numpy(np.concatenate(x)).to(p.device, torch.long) for x in (rows, columns))
    owner = torch.from_numpy(np.concatenate(owners)).to(p.device, torch.long)
    mean = torch.zeros_like(cost).index_add(0, owner, p[tuple(index)]) / cost
    return _Flat(
        mean.clamp(_GONE, 1 - _GONE).logit(),
        torch.from_numpy(np.concatenate(number)).to(p.device),
        cost,
        torch.from_numpy(np.concatenate(forced)).to(p.device),
        first,
    )


def _gates(flat: _Flat, texts: Sequence[AskedText], rng: np.random.Generator) -> tuple[Tensor, Bools]:
    """Which words are kept, in {0, 1} with BudgetGate's gradient, and which the reader must be shown: kept ones
    and those that a small change would put back. Both of shape (words,)."""
    z = flat.scores.detach().cpu().numpy() + rng.logistic(0.0, NOISE, len(flat.scores)).astype(np.float32)
    kept, taus = np.zeros(len(z), bool), np.zeros(len(z))
    for text, begin, end in zip(texts, flat.first, flat.first[1:], strict=False):
        costs = text.prepared.encoding.word_costs
        chosen = threshold(z[begin:end], costs, text.forced, costs.sum() / text.ratio)
        kept[begin:end], taus[begin:end] = chosen
    device = flat.scores.device
    distance = torch.from_numpy(z - taus).to(device, torch.float32)
    free = (~flat.forced).float()
    gates: Tensor = BudgetGate.apply(  # type: ignore[no-untyped-call]
        flat.scores, torch.from_numpy(kept).to(device), distance, flat.costs, free, flat.texts
    )
    return gates, kept | (z - taus > -NEAR * TEMPERATURE)


@dataclass(frozen=True)
class _Row:
    """One question about one text. ids: input pieces; types: 1 for text. source: the word whose gate a piece has,
    -1 for pieces that are always there. start, end: pieces of the answer. words: those of the answer."""

    ids: IntArray
    types: IntArray
    source: IntArray
    start: int
    end: int
    words: npt.NDArray[np.int64]


def _row(text: AskedText, read: Read, begin: int, shown: Bools, encoder: TextEncoder) -> _Row:
    """begin: number of the text's first word among all words."""
    encoding = text.prepared.encoding
    answer = np.arange(read.first, read.last) + begin
    visible = shown.copy()
    visible[answer] = True
    owners = encoding.piece_words + begin
    pieces = np.flatnonzero(visible[owners])
    head = np.array([encoder.first, *read.question, *encoder.pair])
    ids = np.concatenate((head, encoding.ids[pieces], [encoder.separator]))
    types = np.zeros_like(ids)
    types[len(head) :] = 1
    source = np.full_like(ids, -1)
    source[len(head) : -1] = owners[pieces]
    inside = np.flatnonzero((source >= answer[0]) & (source <= answer[-1]))
    return _Row(ids, types, source, int(inside[0]), int(inside[-1]), answer)


def _read(
    reader: SpanReader, flat: _Flat, gates: Tensor, shown: Bools, texts: Sequence[AskedText], encoder: TextEncoder
) -> Tensor:
    """The bounded loss of an answer, mean over all."""
    rows = [
        _row(text, read, begin, shown, encoder)
        for text, begin in zip(texts, flat.first, strict=False)
        for read in text.reads
    ]
    rows.sort(key=lambda row: len(row.ids))
    lost, at = gates.new_zeros(()), 0
    while at < len(rows):
        size = max(READ_PIECES // len(rows[min(at + 8, len(rows) - 1)].ids), 1)
        part = rows[at : at + size]
        lost = lost + _lost(reader, gates, part, encoder.pad)
        for row in part:
            kept = gates[torch.from_numpy(row.words).to(gates.device)]
            lost = lost + WHOLE_ANSWER * (1 - kept.mean())
        at += size
    return lost / len(rows)


def _lost(reader: SpanReader, gates: Tensor, rows: Sequence[_Row], pad: int) -> Tensor:
    """Sum of the bounded losses of some answers."""
    width = -(-max(len(row.ids) for row in rows) // WIDTH_STEP) * WIDTH_STEP
    ids, types = np.full((len(rows), width), pad, np.int64), np.zeros((len(rows), width), np.int64)
    source = np.full((len(rows), width), len(gates) + 1)  # never there
    allowed = np.zeros((len(rows), width), bool)
    for at, row in enumerate(rows):
        used = len(row.ids)
        ids[at, :used], types[at, :used] = row.ids, row.types
        source[at, :used] = np.where(row.source < 0, len(gates), row.source)
        allowed[at, :used] = row.source >= 0
    allowed[:, 0] = True  # [CLS]: "not in this text"
    device = gates.device
    pool = torch.cat((gates, gates.new_tensor([1.0, 0.0])))
    by_piece = pool[torch.from_numpy(source).to(device)]
    with amp(device):
        logits = reader(torch.from_numpy(ids).to(device), by_piece, torch.from_numpy(types).to(device))
    by_piece = by_piece * torch.from_numpy(allowed).to(device)
    found = [
        GatedPick.apply(side, by_piece, torch.tensor(target, device=device))  # type: ignore[no-untyped-call]
        for side, target in zip(logits, ([r.start for r in rows], [r.end for r in rows]), strict=True)
    ]
    lost: Tensor = -(FLOOR + (1 - FLOOR) * torch.stack(found)).log().sum() / 2
    return lost
