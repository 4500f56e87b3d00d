"""The default engine: onnxruntime, several windows side by side, each in one thread."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from moosproxy.compressor.checkpoint import FUSED_GRAPH, Checkpoint
from moosproxy.compressor.engines.base import (
    Reduce,
    padded_inputs,
    reduce_outputs,
    sums_8_bit_products_exactly,
    unpadded_inputs,
)
from moosproxy.compressor.errors import CheckpointError
from moosproxy.compressor.planning.windows import Window

T = TypeVar("T")


def session_options() -> Any:
    """Options of a session on this processor (onnxruntime.SessionOptions)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not sums_8_bit_products_exactly():
        # 8-bit kernels that never clip their sums, about a tenth slower. With VNNI or AMX no kernel clips, logits
        # are the same to the last bit, and this would choose kernels that are no faster than fp32.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    return options


class OnnxRuntimeEngine:
    """One session without threads of its own, called from a small pool."""

    name = "onnxruntime"
    windows = 1

    def __init__(self, checkpoint: Checkpoint, threads: int):
        import onnxruntime

        options = session_options()
        exact = sums_8_bit_products_exactly()
        self.kernels = "8-bit kernels for VNNI and AMX" if exact else "8-bit kernels that do not clip"
        fused = checkpoint.directory / FUSED_GRAPH
        path = fused if fused.is_file() else checkpoint.directory / "model.onnx"
        # The arena never gives back its peak, which is small with the fused graph, and it saves some time.
        options.enable_cpu_mem_arena = fused.is_file()
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as fault:  # its own exception types share no public base
            raise CheckpointError(f"{path} cannot be loaded: {str(fault).splitlines()[0]}") from None
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._pad, self._types = checkpoint.encoder.pad, int(checkpoint.config.get("type_vocab_size", 1))
        self.calls = threads + 1  # one waits in the pool, so that no thread of it waits for the caller's next one
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="moos-onnx")

    def run(self, windows: Sequence[Window], reduce: Reduce[T]) -> list[T]:
        def one(window: Window) -> T:
            if "attention_mask" in self._inputs:
                inputs = padded_inputs(window, self._pad, self._types)
            else:
                inputs = unpadded_inputs(window, self._types)
            feed = {name: value for name, value in inputs.items() if name in self._inputs}
            logits, hidden = self._session.run(["logits", "hidden"], feed)
            return reduce_outputs(window, logits[0], hidden[0], reduce)

        return list(self._pool.map(one, windows))

    def close(self) -> None:
        self._pool.shutdown()


ENGINE = OnnxRuntimeEngine
