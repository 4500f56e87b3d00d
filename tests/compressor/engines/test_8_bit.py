"""The bundled checkpoint's 8-bit layers give what their numbers say, on processors without VNNI too."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from tests.compressor.test_bundled import DOCUMENT


def probabilities(engine: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    with Compressor.load(engine=engine, threads=1) as compressor:
        plan = compressor.plan(DOCUMENT, CompressionSettings(alpha=1.0))
        return np.concatenate([score.p for score in compressor.score(plan.windows)])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_8_bit_sums_are_not_clipped(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = probabilities(engine)
    plain = onnxruntime.InferenceSession

    def unfused(path: Any, options: Any, **rest: Any) -> Any:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return plain(path.with_name("model.onnx"), options, **rest)

    # Standard operators, nothing fused: each 8-bit number is turned back into fp32 before it is multiplied.
    monkeypatch.setattr(onnxruntime, "InferenceSession", unfused)
    exact = probabilities("onnxruntime")

    assert float(np.abs(scores - exact).mean()) < 0.01
