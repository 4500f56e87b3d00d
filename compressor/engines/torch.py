"""The engine for GPUs (bf16) and for foreign checkpoints without an ONNX graph: torch and transformers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from transformers import AutoModelForTokenClassification

from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.engines.base import Reduce, padded_inputs, padded_length, reduce_outputs
from moosproxy.compressor.errors import CheckpointError
from moosproxy.compressor.planning.windows import Window

T = TypeVar("T")

# On a GPU windows of one padded length share a batch of exactly this many rows (the last is filled up with
# copies), so that the kernels chosen, and with them the rounding, do not depend on how many are waiting.
GPU_BATCH = 64


class TorchEngine:
    """bf16 on a GPU, fp32 on a CPU."""

    name = "torch"
    calls = 1

    def __init__(self, checkpoint: Checkpoint, threads: int):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.bfloat16 if self._device.type == "cuda" else torch.float32
        self.windows = GPU_BATCH if self._device.type == "cuda" else 2
        self.kernels = "bf16 on a GPU" if dtype is torch.bfloat16 else "fp32"
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        try:
            model: Any = AutoModelForTokenClassification.from_pretrained(
                checkpoint.directory, local_files_only=True
            )
        except (OSError, ValueError, KeyError, RuntimeError) as fault:
            reason = str(fault).strip().splitlines()[0]
            raise CheckpointError(f"{checkpoint.directory} cannot be loaded: {reason}") from None
        self._model = model.to(device=self._device, dtype=dtype).eval()
        self._pad, self._types = checkpoint.encoder.pad, int(checkpoint.config.get("type_vocab_size", 1))

    def run(self, windows: Sequence[Window], reduce: Reduce[T]) -> list[T]:
        rows = GPU_BATCH if self._device.type == "cuda" else 1
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, window in enumerate(windows):
            by_length[padded_length(window)].append(index)
        results: list[Any] = [None] * len(windows)
        for indices in by_length.values():
            for at in range(0, len(indices), rows):
                batch = indices[at : at + rows]
                filled = batch + [batch[-1]] * (rows - len(batch))
                logits, hidden = self._forward([windows[i] for i in filled])
                for row, index in enumerate(batch):
                    results[index] = reduce_outputs(windows[index], logits[row], hidden[row], reduce)
        return results

    @torch.inference_mode()
    def _forward(self, windows: list[Window]) -> tuple[Any, Any]:
        inputs = [padded_inputs(window, self._pad, self._types) for window in windows]
        if self._types <= 1:
            for one in inputs:
                del one["token_type_ids"]
        batch = {
            key: torch.from_numpy(np.concatenate([one[key] for one in inputs])).to(self._device)
            for key in inputs[0]
        }
        output = self._model(**batch, output_hidden_states=True)
        return output.logits.float().cpu().numpy(), output.hidden_states[-1].float().cpu().numpy()

    def close(self) -> None:
        del self._model


ENGINE = TorchEngine
