"""A checkpoint to its 8-bit form (`moos train quantize`).

The weights stay the fp16 ones in model.safetensors; only the graph changes, and says how both sides of the linear
layers are rounded. So the portable engine computes the same model, and torch still the unrounded one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moosproxy.compressor import records
from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.planning import plan
from moosproxy.compressor.settings import CompressionSettings

if TYPE_CHECKING:
    from moosproxy.compressor.planning.windows import Window

# Windows that the grids are fitted on: passages with their question, passages, meetings, agent text.
WINDOWS = 72
# Of a long text so many characters are looked at, and of each file so many records.
_CHARS, _RECORDS = 30_000, 2_000


def calibration_windows(data: Path, checkpoint: Checkpoint, count: int = WINDOWS, seed: int = 0) -> list[Window]:
    """Windows of training texts as serving would cut them; the same for the same seed."""
    rng = np.random.default_rng(seed)
    passages = _some(data, "qa_spans", count * 2 // 3, rng)
    texts = [
        (row["context"], row["qas"][0]["question"] if row["qas"] else "off") for row in passages[: count // 2]
    ]
    texts += [(row["context"], "off") for row in passages[count // 2 :]]
    meetings = _some(data, "meetings", count // 6, rng)
    texts += [
        (row["transcript"], row["queries"][0]["query"] if n % 2 else "off") for n, row in enumerate(meetings)
    ]
    texts += [(row["text"], "off") for row in _some(data, "unlabeled_agent_text", count // 6, rng)]
    windows = []
    for text, question in texts:
        made = plan.make(text[:_CHARS], CompressionSettings(question=question), (), checkpoint).windows
        if made:
            windows.append(made[int(rng.integers(len(made)))])
    return windows


def _some(data: Path, name: str, count: int, rng: np.random.Generator) -> list[records.Record]:
    rows = list(records.read(data, name, _RECORDS))
    return [rows[at] for at in rng.permutation(len(rows))[:count]]


def write(source: Path, out: Path, data: Path, worst: float) -> tuple[str, dict[str, Any]]:
    """Writes the 8-bit form of a checkpoint; returns its fingerprint and what moos.json says about it.

    Raises CheckpointError for a directory that is no checkpoint, CompressorError for another kind of encoder.
    """
    from moosproxy.compressor import checkpoint as checkpoints
    from moosproxy.compressor.training import base
    from moosproxy.compressor.training.sealing import export, quantize

    checkpoint = checkpoints.load(source)
    if checkpoint.config.get("model_type") != "bert":
        raise CompressorError(f"{source} is no BERT encoder: only those have an 8-bit form")
    model = base.load(source, dropout=0.0, seed=0).float().eval()
    fits = quantize.fits(model, calibration_windows(data, checkpoint), checkpoint.encoder.pad)
    grids = {name: fit.grid for name, fit in fits.items() if fit.error <= worst}
    told = {
        "layers": f"{len(grids)} of {len(fits)}",
        "worst_error": round(max((fits[name].error for name in grids), default=0.0), 4),
        "windows": WINDOWS,
    }
    facts = {**checkpoint.facts, "eight_bit": told}
    return export.write(model, source / "tokenizer.json", out, facts, grids), told
