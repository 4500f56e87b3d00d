"""The training loop: plan, step, save, resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moosproxy.compressor.hardware import amp
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.data.collate import Batch, collate
from moosproxy.compressor.training.data.items import Item
from moosproxy.compressor.training.loss import classes, layer_similarity, similarity_loss, soft_cross_entropy

STATE = "state.pt"


@dataclass
class Progress:
    """What a run has to tell: the losses are running means."""

    step: int
    steps: int
    tokens: int
    ce: float
    relevance: float
    similarity: float
    answer: float
    lr: float
    seconds: float


Report = Callable[[Progress], None]


@dataclass
class Losses:
    """The parts of one step's loss. total is what is minimised; similarity is None where beta is 0, answer where
    no reader is asked."""

    total: Tensor
    ce: Tensor
    relevance: Tensor
    similarity: Tensor | None
    answer: Tensor | None = None


def losses(model: Any, batch: Batch, config: TrainConfig) -> Losses:
    """CE over pieces, CE at [CLS] where a question was asked, and beta * L_CS on the last hidden states."""
    return classifier_losses(*forward(model, batch), batch, config)


def forward(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """The last hidden states, shape (rows, pieces, width), and the logits of both classes, (rows, pieces, 2)."""
    with amp(batch.ids.device):
        hidden = model.base_model(
            input_ids=batch.ids, token_type_ids=batch.type_ids, attention_mask=batch.mask
        ).last_hidden_state
        return hidden, model.classifier(model.dropout(hidden))


def classifier_losses(hidden: Tensor, logits: Tensor, batch: Batch, config: TrainConfig) -> Losses:
    """The same from what `forward` gave."""
    ce = soft_cross_entropy(logits, batch.target, batch.weight)
    relevance = soft_cross_entropy(logits[:, 0], batch.relevance, batch.asked)
    total = ce + config.relevance_weight * relevance
    if config.beta == 0:
        return Losses(total, ce, relevance, None)
    similarity = similarity_loss(hidden, classes(batch.target, batch.weight), floor=config.similarity_floor)
    return Losses(total + config.beta * similarity, ce, relevance, similarity)


@dataclass
class Trainer:
    """One run. The order of the batches follows from the configuration, so a position is a step number."""

    model: Any
    encoder: TextEncoder
    items: list[Item]
    config: TrainConfig
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        self.model.to(self.device).train()
        self.batches = mixture.batches(self.items, self.config.batch_tokens, self.config.seed)
        self.optimizer = torch.optim.AdamW(
            _groups(self.model, self.config.weight_decay), lr=self.config.lr, fused=True
        )
        self.step = self.tokens = 0
        self.seconds = 0.0
        self.means: dict[str, float] = {}
        torch.manual_seed(self.config.seed)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return len(self.batches)

    def losses(self, step: int) -> tuple[Losses, int]:
        """The losses of one step, and its encoder tokens without padding."""
        return self.item_losses(self.batches[step])

    def item_losses(self, numbers: list[int]) -> tuple[Losses, int]:
        """The losses of some items, and their tokens."""
        chosen = [self.items[number] for number in numbers]
        batch = collate(chosen, self.encoder.pad).to(self.device)
        return losses(self.model, batch, self.config), int(batch.mask.sum())

    def run(self, folder: Path | None, report: Report = lambda progress: None, until: int | None = None) -> None:
        """Trains to the end (or to step `until`), saving its state to the folder every save_every steps."""
        last = self.steps if until is None else min(until, self.steps)
        while self.step < last:
            began = time.monotonic()
            self._train_step()
            self.seconds += time.monotonic() - began
            report(self._progress())
            if folder is not None and (self.step % self.config.save_every == 0 or self.step == last):
                self.save(folder)

    def _train_step(self) -> None:
        rate = self.config.rate(self.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts, tokens = self.losses(self.step)
        parts.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += tokens
        for name in ("ce", "relevance", "similarity", "answer"):
            value = getattr(parts, name)
            if value is not None:
                now = float(value.detach())
                self.means[name] = 0.97 * self.means.get(name, now) + 0.03 * now

    def _progress(self) -> Progress:
        mean = self.means.get
        return Progress(
            step=self.step,
            steps=self.steps,
            tokens=self.tokens,
            ce=mean("ce", 0.0),
            relevance=mean("relevance", 0.0),
            similarity=mean("similarity", 0.0),
            answer=mean("answer", 0.0),
            lr=self.config.rate(self.step - 1, self.steps),
            seconds=self.seconds,
        )

    def save(self, folder: Path) -> None:
        """Writes the state under a new name first: an interrupted save leaves the last one whole."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "config": self.config.digest(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "means": self.means,
        }
        torch.save(state, folder / f"{STATE}.new")
        (folder / f"{STATE}.new").replace(folder / STATE)

    def resume(self, folder: Path) -> bool:
        """Goes on from a saved state, if there is one. Raises ValueError if it is of another configuration."""
        path = folder / STATE
        if not path.is_file():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["config"] != self.config.digest():
            raise ValueError(f"{path} belongs to a run with another configuration; use another folder")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.means = state["means"]
        return True


def _groups(model: Any, decay: float) -> list[dict[str, Any]]:
    """Weights with decay; biases and layer norms without."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1]
    vectors = [p for p in trained if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


@torch.no_grad()
def similarity_by_layer(model: Any, encoder: TextEncoder, items: list[Item], count: int = 48) -> list[float]:
    """S^l of the embeddings and every layer over some items that hold both classes."""
    both = [i for i in items if (i.target[i.weight > 0] >= 0.5).any() and (i.target[i.weight > 0] < 0.5).any()]
    if not both:
        return []
    batch = collate(both[:count], encoder.pad).to(next(model.parameters()).device)
    was_training = model.training
    model.eval()
    with amp(batch.ids.device):
        states = model.base_model(
            input_ids=batch.ids,
            token_type_ids=batch.type_ids,
            attention_mask=batch.mask,
            output_hidden_states=True,
        ).hidden_states
    model.train(was_training)
    return [round(value, 4) for value in layer_similarity(states, classes(batch.target, batch.weight))]


def facts(trainer: Trainer, records: Mapping[str, int], before: list[float], after: list[float]) -> dict[str, Any]:
    """What moos.json tells about the run."""
    return {
        "config": asdict(trainer.config),
        "records": dict(records),
        "steps": trainer.step,
        "tokens": trainer.tokens,
        "seconds": round(trainer.seconds, 1),
        "device": str(trainer.device),
        "layer_similarity_before": before,
        "layer_similarity_after": after,
    }
