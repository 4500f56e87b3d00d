"""steps.jsonl beside a compressor in training: its steps, and how it does on texts that it never learns from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import torch

from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.training.batches import Source
from moosproxy.compressor.soft.training.learning import loss_of

_SEED: Final = 3_000_017
_CONTEXTS: Final = 8


class Journal:
    """A line every so many steps. held: where questions come from that training leaves out, if any are asked."""

    def __init__(self, path: Path, held: Sequence[Source], length: int, asked: int) -> None:
        """length: tokens of a held-out context; asked: questions about it at the most."""
        self._path = path
        self._batches = [source.questions(_CONTEXTS, length, asked, Random(_SEED)) for source in held]

    def write(self, compressor: SoftCompressor, line: dict[str, Any]) -> None:
        """Appends `line` with the held-out loss and share of tokens right, by ratio."""
        held = {str(ratio): self._held(compressor, ratio) for ratio in compressor.config.ratios if self._batches}
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line | {"held": held}) + "\n")

    @torch.no_grad()
    def _held(self, compressor: SoftCompressor, ratio: int) -> dict[str, float]:
        device = compressor.base.device
        found = [loss_of(compressor, batch.to(device), ratio, "go_on") for batch in self._batches]
        loss, right = (sum(float(each[index]) for each in found) / len(found) for index in (0, 1))
        return {"loss": round(loss, 4), "right": round(right, 4)}
