"""Trains a soft compressor for a frozen model: first on text, then on questions. Seeded, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Final

import torch
from torch.nn import utils

from moosproxy.compressor.soft.config import Method, SoftConfig
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import build, save
from moosproxy.compressor.soft.models.methods import SoftCompressor, Task
from moosproxy.compressor.soft.training.batches import Batch, Source
from moosproxy.compressor.soft.training.journal import Journal
from moosproxy.compressor.soft.training.learning import autoencoding, loss_of
from moosproxy.compressor.soft.training.muon import Muon

# How much of what each method is trained on before questions is autoencoding: SAC goes without it, as published;
# ICAE mixes in continuation with probability 0.4; IC-Former, the 500xCompressor and EPL do nothing else.
_REPEAT: Final[dict[Method, float]] = {"sac": 0.0, "icae": 0.6, "icformer": 1.0, "500x": 1.0, "epl": 1.0}


@dataclass(frozen=True, slots=True)
class SoftTraining:
    """One run. text_steps: optimiser steps of autoencoding and continuation; steps: of questions.

    lengths: tokens of a context, drawn for each step like the ratio. tokens: of a step's contexts. asked:
    questions a context. lr: peak rate of AdamW; muon: that of Muon for the matrices, 0 for AdamW alone. Both rise
    over `warmup` steps and fall over the last third. repeat: share of the steps on text that are autoencoding,
    None for what was published of the method. every: steps between two lines of steps.jsonl, and two states kept.
    distil: share of the loss on questions that is the divergence from what the model does behind the text.
    """

    steps: int = 500
    text_steps: int = 100
    lengths: tuple[int, ...] = (102, 204)
    tokens: int = 2048
    asked: int = 8
    lr: float = 1e-4
    muon: float = 0.0
    repeat: float | None = None
    warmup: int = 20
    clip: float = 2.0
    seed: int = 0
    every: int = 50
    distil: float = 0.0


@dataclass(frozen=True, slots=True)
class SoftStep:
    """How far a run is. right: share of the asked tokens that the model would have said."""

    step: int
    steps: int
    task: Task
    ratio: int
    loss: float
    right: float


def train(
    base: FrozenModel,
    sources: Sequence[Source],
    config: SoftConfig,
    training: SoftTraining,
    out: Path,
    report: Callable[[SoftStep], None],
    held: Sequence[Source] = (),
) -> SoftCompressor:
    """Trains a compressor and saves it to `out`. An unfinished run found there goes on where it was.

    held: sources of questions that are no part of the training, asked now and then for steps.jsonl.
    """
    torch.manual_seed(training.seed)
    compressor = build(base, config)
    optimizers = _optimizers(compressor, training)
    total = training.text_steps + training.steps
    first = _resume(out / "state.pt", compressor, optimizers)
    out.mkdir(parents=True, exist_ok=True)
    journal = Journal(out / "steps.jsonl", held, training.lengths[0], training.asked)
    if not first:
        journal.begin(compressor)
    for step in range(first, total):
        batch, ratio, task = _draw(base, sources, config, training, step)
        # Positions that move have arrived when half of the run is over.
        compressor.moved = min(1.0, 2 * step / total)
        asks = step >= training.text_steps
        loss, right = loss_of(compressor, batch, ratio, task, training.distil if asks else 0.0)
        loss.backward()  # type: ignore[no-untyped-call]
        utils.clip_grad_norm_(compressor.parameters(), training.clip)
        scale = min(1.0, (step + 1) / training.warmup, 3 * (total - step) / total)
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen = SoftStep(step + 1, total, task, ratio, loss.item(), right)
        report(seen)
        if (step + 1) % training.every == 0:
            states = [each.state_dict() for each, _ in optimizers]
            state = {"step": step + 1, "weights": compressor.state_dict(), "optimizers": states}
            torch.save(state, out / "state.pt")
        if (step + 1) % training.every == 0 or step + 1 == total:
            journal.write(compressor, asdict(seen))
    compressor.moved = 1.0
    save(compressor, out, {**asdict(training), "lengths": list(training.lengths)})
    (out / "state.pt").unlink(missing_ok=True)
    return compressor


def rates(config: SoftConfig) -> tuple[float, float]:
    """Peak rates of AdamW and of Muon for the matrices (0: AdamW for all) where none are given.

    The published one, and for pooled starts those with which IC-Former and ICAE learned on the small model.
    """
    return (1e-3, 0.007) if config.method != "sac" and config.form.start == "pooled" else (1e-4, 0.0)


Optimizers = list[tuple[torch.optim.Optimizer, float]]
"""Each with its peak learning rate."""


def _optimizers(compressor: SoftCompressor, training: SoftTraining) -> Optimizers:
    """AdamW for everything, as published, or Muon for the matrices: several times quicker on a small model."""
    weights = list(compressor.named_parameters())
    # Rows of digests, memory tokens, anchors and markers are vectors of their own, no matrix.
    matrices = {name for name, value in weights if value.ndim == 2 and name.startswith(("lora.", "blocks."))}
    inner = [value for name, value in weights if training.muon and name in matrices]
    rest = [value for name, value in weights if not (training.muon and name in matrices)]
    found: Optimizers = [(torch.optim.AdamW(rest, lr=training.lr, weight_decay=0.0), training.lr)]
    if inner:
        found.append((Muon(inner, lr=training.muon, weight_decay=0.0), training.muon))
    return found


def _resume(path: Path, compressor: SoftCompressor, optimizers: Optimizers) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    compressor.load_state_dict(state["weights"])
    for (optimizer, _), former in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(former)
    return int(state["step"])


def _draw(
    base: FrozenModel, sources: Sequence[Source], config: SoftConfig, training: SoftTraining, step: int
) -> tuple[Batch, int, Task]:
    """The step's batch depends on seed and step alone, so that every method learns from the same texts."""
    rng = Random(training.seed * 1_000_003 + step)
    total = training.text_steps + training.steps
    # Low ratios are learned soonest and teach most of what the higher ones need: these join one by one over the
    # first half, and the last four stay, the lower ones drawn more often.
    known = sorted(config.ratios)[: 1 + len(config.ratios) * 2 * step // total][-4:]
    ratio = rng.choices(known, [each**-0.5 for each in known])[0]
    length, source = rng.choice(training.lengths), rng.choice(sources)
    size = max(1, training.tokens // length)
    repeats = _REPEAT[config.method] if training.repeat is None else training.repeat
    goes_on = rng.random() < 1 - repeats
    if step >= training.text_steps:
        return source.questions(size, length, training.asked, rng).to(base.device), ratio, "go_on"
    batch = source.continuation(size, length, rng)
    if goes_on:
        return batch.to(base.device), ratio, "go_on"
    return autoencoding(batch.context, base.config.eos_token_id).to(base.device), ratio, "repeat"
