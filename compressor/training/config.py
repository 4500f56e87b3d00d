"""Everything that decides a training run, besides the data and the base encoder's weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from moosproxy.compressor.records import HELD_OUT, SPLIT_SEED


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run. The shipped checkpoint is the end of the runs in `shipped`.

    mixture: which streams of data, by name (see mixture.NAMED). tokens: encoder tokens to train on, padding not
    counted. batch_tokens: tokens of one step, padding included. beta: weight of L_CS. similarity_floor: None for
    the plain loss, 0 for max(S, 0). relevance_weight: weight of the loss at [CLS]. warmup: share of the steps.
    asked: shares of the tokens in texts that a frozen reader is asked about (see end_to_end), compressed without
    and with the question. answer_aux: weight of all other losses beside that of the answers on these.
    evidence: soft targets inside evidence, of words that match the question, other content words and the rest.
    held_out, split_seed: which titles are kept away from training; the same in every run of a recipe.
    """

    seed: int = 7
    mixture: str = "shipped"
    tokens: int = 4_400_000
    batch_tokens: int = 2048
    lr: float = 1.2e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0
    beta: float = 0.1
    similarity_floor: float | None = None
    relevance_weight: float = 0.2
    dropout: float = 0.0
    asked: tuple[float, float] = (0.0, 0.0)
    answer_aux: float = 0.3
    evidence: tuple[float, float, float] = (1.0, 0.6, 0.25)
    held_out: float = HELD_OUT
    split_seed: int = SPLIT_SEED
    save_every: int = 100

    def __post_init__(self) -> None:
        if self.tokens <= 0 or self.batch_tokens < 512:
            raise ValueError("tokens must be positive and batch_tokens at least 512")
        if min(self.asked) < 0 or sum(self.asked) > 1:
            raise ValueError("asked must be two shares that add up to at most 1")
        if self.beta < 0 or not 0 <= self.warmup < 1 or not 0 <= self.held_out < 1:
            raise ValueError("beta must not be negative; warmup and held_out must lie in [0, 1)")

    def digest(self) -> str:
        """Names the run: a state is resumed only by the same configuration."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step: linear warm-up, then linear decay to 0."""
        rising = max(int(self.warmup * steps), 1)
        if step < rising:
            return self.lr * (step + 1) / rising
        return self.lr * max(steps - step, 0) / max(steps - rising, 1)


def shipped(seed: int = 7) -> tuple[TrainConfig, ...]:
    """The runs that make the shipped checkpoint, each going on from the one before.

    First everything at once, then questions above all, then what a reader still answers from what is left.
    """
    return (
        TrainConfig(seed=seed),
        TrainConfig(
            seed=seed + 1, mixture="polish", tokens=2_600_000, lr=8e-5, warmup=0.03, evidence=(0.8, 0.5, 0.2)
        ),
        TrainConfig(
            seed=seed + 2,
            mixture="answers",
            tokens=1_000_000,
            lr=5e-5,
            evidence=(0.8, 0.5, 0.2),
            asked=(0.5, 0.25),
        ),
    )


def distilled(seed: int = 7) -> TrainConfig:
    """The run that gives a shallower encoder a deeper one's scores."""
    return TrainConfig(seed=seed + 3, mixture="distil", tokens=4_000_000, lr=1.5e-4, beta=0.0)
