"""A checkpoint with fewer layers that gives the scores of a deeper one (`moos train distil`).

The student begins as the teacher's embeddings, first layers and head, and learns the teacher's p of every piece,
its relevance at [CLS], and its last hidden states, of which the outlier score is made. No labels are needed, so
text of every kind teaches (after DistilBERT, Sanh et al. 2019, section 3).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moosproxy.compressor import checkpoint as checkpoints
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.hardware import keep_freed_memory
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training import base
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.data.collate import collate
from moosproxy.compressor.training.loss import NORM_EPS, soft_cross_entropy
from moosproxy.compressor.training.recipe import HF_FOLDER, Say, earlier_facts, save, trained
from moosproxy.compressor.training.sealing import export
from moosproxy.compressor.training.train import Losses, Report, Trainer, forward

# Weight of the squared distance of hidden states, relative to their spread, beside the cross entropy of p.
HIDDEN = 0.3
# Weight of the squared distance of logits: p near 0 and 1 has no slope left, but words are ranked there too.
LOGITS = 0.02


@dataclass(kw_only=True)
class DistilTrainer(Trainer):
    """A run whose targets are what the frozen teacher says of the same pieces."""

    teacher: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self.teacher.to(self.device).eval().requires_grad_(False)

    def item_losses(self, numbers: list[int]) -> tuple[Losses, int]:
        """The losses of some items, and their tokens."""
        batch = collate([self.items[number] for number in numbers], self.encoder.pad).to(self.device)
        with torch.no_grad():
            wanted_hidden, wanted = forward(self.teacher, batch)
        hidden, logits = forward(self.model, batch)
        mask = batch.mask.float()
        ce = soft_cross_entropy(logits, _preserve(wanted), mask)
        relevance = soft_cross_entropy(logits[:, 0], _preserve(wanted[:, 0]), batch.asked)
        apart = (_difference(logits) - _difference(wanted)).square()
        distance = _spread_distance(hidden.float(), wanted_hidden.float(), mask)
        total = ce + self.config.relevance_weight * relevance + HIDDEN * distance
        total = total + LOGITS * (apart * mask).sum() / mask.sum()
        return Losses(total, ce, relevance, distance), int(batch.mask.sum())


def _difference(logits: Tensor) -> Tensor:
    return logits[..., 1].float() - logits[..., 0].float()


def _preserve(logits: Tensor) -> Tensor:
    return _difference(logits).sigmoid()


def _spread_distance(hidden: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """Mean squared distance of the states over the pieces, relative to how far the wanted ones lie apart."""
    weight = mask.unsqueeze(-1)
    mean = (wanted * weight).sum((0, 1)) / mask.sum().clamp_min(NORM_EPS)
    spread = ((wanted - mean).square() * weight).sum()
    return ((hidden - wanted).square() * weight).sum() / spread.clamp_min(NORM_EPS)


def shallow(teacher: Any, layers: int) -> Any:
    """A copy with the first layers only. Raises CompressorError unless that leaves 1 to all but one."""
    depth = teacher.config.num_hidden_layers
    if not 1 <= layers < depth:
        raise CompressorError(f"the teacher has {depth} layers: --layers must be 1 to {depth - 1}")
    student = copy.deepcopy(teacher)
    student.bert.encoder.layer = student.bert.encoder.layer[:layers]
    student.config.num_hidden_layers = layers
    student.requires_grad_(True)
    student.get_input_embeddings().requires_grad_(False)
    return student


def run(
    source: Path,
    data: Path,
    out: Path,
    folder: Path,
    layers: int,
    config: TrainConfig,
    start: Path | None = None,
    *,
    report: Report = lambda progress: None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Distils the checkpoint in `source` into `out`, its state in `folder`; goes on where a run stopped.

    start: an earlier run's student in Hugging Face form, to learn on with other texts (another seed).
    Returns the facts that moos.json holds. Raises CompressorError for an encoder that is not BERT or too shallow.
    """
    keep_freed_memory()
    checkpoint = checkpoints.load(source)
    if checkpoint.config.get("model_type") != "bert":
        raise CompressorError(f"{source} is no BERT encoder: only those can be distilled")
    encoder = TextEncoder.from_file(source / "tokenizer.json")
    slices = mixture.load(data, config.held_out, config.split_seed)
    streams = mixture.Streams(slices.train, encoder, config.seed)
    items = mixture.collect(streams, mixture.NAMED[config.mixture], config.tokens)
    teacher = base.load(source, dropout=0.0, seed=config.seed).float()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    student = shallow(teacher, layers) if start is None else base.load(start, dropout=0.0, seed=config.seed)
    trainer = DistilTrainer(student, encoder, items, config, device, teacher=teacher)
    told = trained(trainer, slices, folder, report=report, say=say)
    told["question_aware"] = bool(checkpoint.facts.get("question_aware"))
    told["distilled"] = {"from": checkpoint.fingerprint, "layers": student.config.num_hidden_layers}
    if start is not None:
        told["distilled"]["before"] = earlier_facts(start)
    told["before"] = {k: v for k, v in checkpoint.facts.items() if k not in ("files", "eight_bit")}
    save(trainer.model, source / "tokenizer.json", folder / HF_FOLDER, told)
    say(f"fingerprint {export.write(trainer.model, source / 'tokenizer.json', out, told)}")
    return told
