"""The encoder as an ONNX graph whose weights are external data inside model.safetensors.

So a checkpoint holds its weights once, in the file that Hugging Face loads, and the runtimes read the same bytes.
The graph is written by hand rather than traced: it is small, has no framework version in it, and its names are
those of the weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Grid:
    """255 equal steps from `low` to `high` for a linear layer's input divided by `divisor`, shape (in,)."""

    low: float
    high: float
    divisor: npt.NDArray[np.float32]

    @property
    def step(self) -> float:
        """Distance of two neighbours on the grid."""
        return (self.high - self.low) / 255


# By the name of the linear layer.
Grids = Mapping[str, Grid]

_NUMPY = {"F16": np.float16, "F32": np.float32}
_TYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT, "BF16": TensorProto.BFLOAT16}
OPSET = 20
# The domain of onnxruntime's own operators.
CONTRIB = "com.microsoft"


class _Graph:
    """Nodes and initialisers under construction; every method returns the name of its output."""

    def __init__(self, weights: Path, grids: Grids | None):
        with weights.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            self.tensors = json.loads(file.read(header_size))
        self.path, self.base = weights, 8 + header_size
        self.grids = grids or {}
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def weight(self, name: str, *, transpose: bool = False) -> str:
        """A tensor of the safetensors file as fp32, transposed where ONNX wants (in, out)."""
        out = f"{name}.t" if transpose else f"{name}.f"
        if name not in self.initializers:
            self.initializers[name] = self._external(name)
            self.nodes.append(helper.make_node("Cast", [name], [f"{name}.f"], to=TensorProto.FLOAT))
            if transpose:
                self.nodes.append(helper.make_node("Transpose", [f"{name}.f"], [out], perm=[1, 0]))
        return out

    def rows(self, out: str, name: str, indices: str) -> str:
        """Rows of a table as fp32. Only they are turned: the whole of word embeddings would take 47 MB."""
        self.initializers[name] = self._external(name)
        return self.op("Cast", out, self.op("Gather", f"{out}.rows", name, indices), to=TensorProto.FLOAT)

    def _external(self, name: str) -> onnx.TensorProto:
        entry = self.tensors[name]
        start, end = entry["data_offsets"]
        tensor = TensorProto(name=name, data_type=_TYPES[entry["dtype"]], dims=entry["shape"])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.path.name), ("offset", self.base + start), ("length", end - start)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def constant(self, name: str, value: Any) -> str:
        self.initializers.setdefault(name, numpy_helper.from_array(np.array(value), name))
        return name

    def op(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, name: str, x: str, prefix: str) -> str:
        weight = self.weight(f"{prefix}.weight", transpose=True)
        if prefix in self.grids:
            grid = self.grids[prefix]
            weight = self._quantized_weight(name, weight, f"{prefix}.weight", grid)
            x = self._quantized(x, grid)
        product = self.op("MatMul", f"{name}.matmul", x, weight)
        return self.op("Add", name, product, self.weight(f"{prefix}.bias"))

    def _quantized(self, x: str, grid: Grid) -> str:
        """An activation through 8 bits with one fixed scale: the same whatever else is in the batch."""
        if any(node.output[0] == f"{x}.dq" for node in self.nodes):  # queries, keys and values share theirs
            return f"{x}.dq"
        if np.ptp(grid.divisor) > 0:
            x_divided = self.op("Mul", f"{x}.divided", x, self.constant(f"{x}.inverse", 1 / grid.divisor))
        else:
            x_divided = x
        zero = self.constant(f"{x}.zero", np.uint8(round(-grid.low / grid.step)))
        step = self.constant(f"{x}.scale", np.float32(grid.step))
        self.op("QuantizeLinear", f"{x}.q", x_divided, step, zero)
        return self.op("DequantizeLinear", f"{x}.dq", f"{x}.q", step, zero)

    def _quantized_weight(self, name: str, weight: str, source: str, grid: Grid) -> str:
        """A weight (in, out) times the divisor, through 8 bits, symmetric, one scale for each output."""
        entry = self.tensors[source]
        start, end = entry["data_offsets"]
        with self.path.open("rb") as file:
            file.seek(self.base + start)
            values = np.frombuffer(file.read(end - start), _NUMPY[entry["dtype"]]).reshape(entry["shape"])
        scale = np.maximum(np.abs(values.astype(np.float32) * grid.divisor).max(axis=1) / 127, 1e-8)
        step = self.constant(f"{name}.wscale", scale.astype(np.float32))
        zero = self.constant(f"{name}.wzero", np.zeros(len(scale), np.int8))
        # Not QuantizeLinear: the runtimes fold these once at load, and that one takes them a second.
        taken = self.constant(f"{name}.divisor", grid.divisor[:, np.newaxis].astype(np.float32))
        weight = self.op("Mul", f"{name}.wtaken", weight, taken)
        weight = self.op("Div", f"{name}.wscaled", weight, step)
        weight = self.op("Cast", f"{name}.wq", self.op("Round", f"{name}.wround", weight), to=TensorProto.INT8)
        return self.op("DequantizeLinear", f"{name}.wdq", weight, step, zero, axis=1)

    def layer_norm(self, name: str, x: str, prefix: str, epsilon: float) -> str:
        scale, bias = self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")
        return self.op("LayerNormalization", name, x, scale, bias, axis=-1, epsilon=epsilon)


def bert_token_classifier(
    weights: Path, config: dict[str, Any], grids: Grids | None = None, *, fused: bool = False
) -> onnx.ModelProto:
    """Graph of a BertForTokenClassification; the layers named in `grids` compute in 8 bits.

    fused: attention is onnxruntime's own operator, which never writes the scores of a whole window to memory. It
    does so only without a mask, so the graph has none, and its windows must not be padded.
    Inputs input_ids, token_type_ids, and attention_mask unless fused: int64 (batch, length).
    Outputs logits (batch, length, labels), hidden (batch, length, width): last hidden state before the head.
    """
    g = _Graph(weights, grids)
    epsilon, heads = config["layer_norm_eps"], config["num_attention_heads"]
    width = config["hidden_size"]
    x = _embeddings(g, epsilon)
    mask = None if fused else _mask(g)
    for layer in range(config["num_hidden_layers"]):
        x = _layer(g, x, mask, layer, heads, width // heads, epsilon)
    g.op("Identity", "hidden", x)
    logits = g.linear("logits.out", x, "classifier")
    g.op("Identity", "logits", logits)
    shape = ["batch", "length"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "token_type_ids", *(() if fused else ("attention_mask",)))
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, "labels"]),
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [*shape, width]),
    ]
    graph = helper.make_graph(g.nodes, "moos", inputs, outputs, list(g.initializers.values()))
    operators = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid(CONTRIB, 1)] if fused else [])
    return helper.make_model(graph, opset_imports=operators, ir_version=9)


def _embeddings(g: _Graph, epsilon: float) -> str:
    prefix = "bert.embeddings"
    words = g.rows("emb.word", f"{prefix}.word_embeddings.weight", "input_ids")
    types = g.rows("emb.type", f"{prefix}.token_type_embeddings.weight", "token_type_ids")
    shape = g.op("Shape", "emb.shape", "input_ids")
    length = g.op("Gather", "emb.length", shape, g.constant("index1", np.int64(1)))
    positions = g.op(
        "Range", "emb.range", g.constant("zero", np.int64(0)), length, g.constant("step", np.int64(1))
    )
    place = g.rows("emb.position", f"{prefix}.position_embeddings.weight", positions)
    total = g.op("Add", "emb.sum", g.op("Add", "emb.words_types", words, types), place)
    return g.layer_norm("emb.norm", total, f"{prefix}.LayerNorm", epsilon)


def _mask(g: _Graph) -> str:
    mask = g.op("Cast", "mask.float", "attention_mask", to=TensorProto.FLOAT)
    mask = g.op("Unsqueeze", "mask.4d", mask, g.constant("axes12", np.array([1, 2], np.int64)))
    mask = g.op("Sub", "mask.inverse", g.constant("one", np.float32(1)), mask)
    return g.op("Mul", "mask.bias", mask, g.constant("minus", np.float32(-1e4)))


def _layer(g: _Graph, x: str, mask: str | None, layer: int, heads: int, size: int, epsilon: float) -> str:
    source, name = f"bert.encoder.layer.{layer}", f"l{layer}"
    parts = [
        g.linear(f"{name}.{part}", x, f"{source}.attention.self.{part}") for part in ("query", "key", "value")
    ]
    if mask is None:
        context = g.op("MultiHeadAttention", f"{name}.context.merged", *parts, domain=CONTRIB, num_heads=heads)
    else:
        context = _attention(g, name, parts, mask, heads, size)
    attended = g.linear(f"{name}.attended", context, f"{source}.attention.output.dense")
    residual = g.op("Add", f"{name}.residual1", attended, x)
    x = g.layer_norm(f"{name}.norm1", residual, f"{source}.attention.output.LayerNorm", epsilon)
    inner = g.linear(f"{name}.inner", x, f"{source}.intermediate.dense")
    outer = g.linear(f"{name}.outer", g.op("Gelu", f"{name}.gelu", inner), f"{source}.output.dense")
    residual = g.op("Add", f"{name}.residual2", outer, x)
    return g.layer_norm(f"{name}.norm2", residual, f"{source}.output.LayerNorm", epsilon)


def _attention(g: _Graph, name: str, parts: Sequence[str], mask: str, heads: int, size: int) -> str:
    """Attention in standard operators. parts: queries, keys, values, each (batch, length, width)."""
    split = g.constant("split.heads", np.array([0, 0, heads, size], np.int64))

    def per_head(part: str, perm: list[int]) -> str:
        return g.op("Transpose", f"{part}.perm", g.op("Reshape", f"{part}.heads", part, split), perm=perm)

    query, key, value = (
        per_head(part, perm) for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = g.op("MatMul", f"{name}.scores", query, key)
    scores = g.op("Mul", f"{name}.scaled", scores, g.constant("scale", np.float32(size**-0.5)))
    weights = g.op("Softmax", f"{name}.softmax", g.op("Add", f"{name}.masked", scores, mask), axis=-1)
    context = g.op("MatMul", f"{name}.context", weights, value)
    context = g.op("Transpose", f"{name}.context.perm", context, perm=[0, 2, 1, 3])
    merge = g.constant("merge.heads", np.array([0, 0, heads * size], np.int64))
    return g.op("Reshape", f"{name}.context.merged", context, merge)
