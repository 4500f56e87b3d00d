"""An engine for x86 beside the default one: OpenVINO, one single-threaded stream for each thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from moosproxy.compressor.checkpoint import Checkpoint
from moosproxy.compressor.engines.base import Reduce, padded_inputs, reduce_outputs, sums_8_bit_products_exactly
from moosproxy.compressor.errors import CheckpointError
from moosproxy.compressor.planning.windows import Window

T = TypeVar("T")


class OpenVinoEngine:
    """Windows go to as many streams as there are threads; each stream computes one window in one thread."""

    name = "openvino"
    calls, windows = 1, 16

    def __init__(self, checkpoint: Checkpoint, threads: int):
        import openvino

        core = openvino.Core()
        precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            # 8-bit layers in 8 bits only where their sums are exact; elsewhere the same graph in fp32.
            "LP_TRANSFORMS_MODE": sums_8_bit_products_exactly(),
        }
        try:
            model = core.read_model(checkpoint.directory / "model.onnx")
            compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as fault:
            reason = str(fault).strip().splitlines()[-1]
            raise CheckpointError(f"{checkpoint.directory / 'model.onnx'} cannot be loaded: {reason}") from None
        self.precision = self.kernels = precision
        self._pad, self._types = checkpoint.encoder.pad, int(checkpoint.config.get("type_vocab_size", 1))
        self._queue: Any = openvino.AsyncInferQueue(compiled, threads)
        self._queue.set_callback(_deliver)
        self._lock = threading.Lock()

    def run(self, windows: Sequence[Window], reduce: Reduce[T]) -> list[T]:
        results: list[Any] = [None] * len(windows)
        # The longest first: no stream then waits long for another one's last window.
        order = sorted(range(len(windows)), key=lambda index: -len(windows[index].ids))
        with self._lock:  # the queue has one set of requests; callers take turns
            for index in order:
                window = windows[index]
                inputs = padded_inputs(window, self._pad, self._types)
                self._queue.start_async(inputs, (results, index, window, reduce))
            self._queue.wait_all()
        for result in results:
            if isinstance(result, _Failure):
                raise result.error
        return results

    def close(self) -> None:
        self._queue = None


class _Failure:
    """An exception on its way from the stream's thread to the caller's."""

    def __init__(self, error: BaseException):
        self.error = error


def _deliver(request: Any, job: tuple[list[Any], int, Window, Reduce[Any]]) -> None:
    results, index, window, reduce = job
    try:
        logits = np.asarray(request.get_tensor("logits").data)[0]
        hidden = np.asarray(request.get_tensor("hidden").data)[0]
        results[index] = reduce_outputs(window, logits, hidden, reduce)
    except Exception as fault:  # an exception must not unwind into the runtime's thread
        results[index] = _Failure(fault)


ENGINE = OpenVinoEngine
