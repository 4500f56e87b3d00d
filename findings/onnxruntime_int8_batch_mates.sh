#!/usr/bin/env bash
# onnxruntime 1.31.1, quantize_dynamic.
# Most expect: rows of a batch are independent, so a row gives the same output alone and beside any other row.
# Seen: activations get one scale for the whole tensor. One row with large values widens the grid for all, and the
#   small values of its neighbours fall onto a few levels. The float graph does not care.
# So: whoever caches, compares or reproduces results of such a model runs one item a call, or quantises statically.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
"${PYTHON:-python3}" -m venv "$room/venv" || exit 2
"$room/venv/bin/pip" install -q onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 || exit 2
cd "$room"
venv/bin/python - <<'PYTHON'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

logging.disable(logging.WARNING)
random = np.random.default_rng(0)
weights = random.normal(size=(64, 8)).astype(np.float32)
row = random.normal(size=(1, 64)).astype(np.float32)
mate = 30 * random.normal(size=(1, 64)).astype(np.float32)

graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "one_layer",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 8])],
    [numpy_helper.from_array(weights, "w")],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "float.onnx")
quantize_dynamic("float.onnx", "int8.onnx", weight_type=QuantType.QInt8)


def moved(file):
    """By how much the row's output changes when the other row stands beside it."""
    run = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run
    alone, beside = (run(None, {"x": batch})[0][0] for batch in (row, np.concatenate([row, mate])))
    return np.abs(alone - beside).max()


exact, rounded, size = moved("float.onnx"), moved("int8.onnx"), np.abs(row @ weights).max()
print(f"onnxruntime {onnxruntime.__version__}, one layer, outputs up to {size:.1f}")
print("expected: a row's output depends on the row alone")
print(f"seen: beside a row of larger values it moves by {rounded:.2f} in 8 bits, by {exact:.2f} in float")
if exact > 1e-3 or rounded < 0.5:
    sys.exit("changed: the two graphs no longer differ in this")
PYTHON
