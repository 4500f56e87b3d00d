"""steps.jsonl beside a compressor in training: its steps, and how it does on texts that it never learns from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from torch import Tensor

from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.training.batches import Batch, Source
from moosproxy.compressor.soft.training.learning import loss_behind, loss_of

_SEED: Final = 3_000_017
_CONTEXTS: Final = 8


class Journal:
    """A line every so many steps. held: where questions come from that training leaves out, if any are asked."""

    def __init__(self, path: Path, held: Sequence[Source], length: int, asked: int) -> None:
        """length: tokens of a held-out context; asked: questions about it at the most."""
        self._path = path
        self._batches = [source.questions(_CONTEXTS, length, asked, Random(_SEED)) for source in held]

    def begin(self, compressor: SoftCompressor) -> None:
        """The line of step 0, with what the model does behind the whole text and behind none."""
        self._path.unlink(missing_ok=True)
        bounds = {"full": self._bound(compressor.base, True), "none": self._bound(compressor.base, False)}
        self.write(compressor, {"step": 0} | ({"bounds": bounds} if self._batches else {}))

    def write(self, compressor: SoftCompressor, line: dict[str, Any]) -> None:
        """Appends `line` with the held-out loss and share of tokens right, by ratio."""
        held = {str(ratio): self._held(compressor, ratio) for ratio in compressor.config.ratios if self._batches}
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line | {"held": held}) + "\n")

    def _held(self, compressor: SoftCompressor, ratio: int) -> dict[str, float]:
        return self._asked(compressor.base, lambda batch: loss_of(compressor, batch, ratio, "go_on"))

    def _bound(self, base: FrozenModel, full: bool) -> dict[str, float]:
        return self._asked(base, lambda batch: loss_behind(base, batch, [batch.context] if full else []))

    @torch.no_grad()
    def _asked(self, base: FrozenModel, ask: Callable[[Batch], tuple[Tensor, float]]) -> dict[str, float]:
        found = [ask(batch.to(base.device)) for batch in self._batches]
        loss, right = (sum(float(each[index]) for each in found) / max(1, len(found)) for index in (0, 1))
        return {"loss": round(loss, 4), "right": round(right, 4)}


def curve(folder: Path) -> dict[str, Any]:
    """What steps.jsonl beside a compressor tells, to be kept with results: `curve`, lines of step, held-out loss
    and share right at the lowest ratio; `bounds`. Empty where nothing was held out."""
    path = folder / "steps.jsonl"
    read = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = [line for line in map(json.loads, read) if line.get("held")]
    if not lines:
        return {}
    lowest = min(lines[0]["held"], key=int)
    points = [[line["step"], line["held"][lowest]["loss"], line["held"][lowest]["right"]] for line in lines]
    return {"curve": points, "bounds": lines[0].get("bounds", {})}
