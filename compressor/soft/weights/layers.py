"""From the tensors of a GGUF file to the weights of Transformers' Llama and Qwen2 models."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize
from torch import Tensor

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.text.gguf_head import Entry, Tensors

_OUTER: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_INNER: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_KEPT: Final = {GGMLQuantizationType.F32: torch.float32, GGMLQuantizationType.BF16: torch.bfloat16}
_MOST = torch.finfo(torch.float16).max


def config(fields: dict[str, Any], tensors: Tensors) -> Any:
    """Transformers' configuration of the model. Raises SoftError where the file does not say enough."""
    from transformers import LlamaConfig, Qwen2Config

    family = fields["general.architecture"]
    shapes = {entry.name: entry.shape for entry in tensors.entries}
    try:
        heads = fields[f"{family}.attention.head_count"]
        width = fields[f"{family}.embedding_length"]
        said = {
            "vocab_size": shapes["token_embd.weight"][-1],
            "hidden_size": width,
            "intermediate_size": fields[f"{family}.feed_forward_length"],
            "num_hidden_layers": fields[f"{family}.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": fields.get(f"{family}.attention.head_count_kv", heads),
            "head_dim": fields.get(f"{family}.attention.key_length", width // heads),
            "max_position_embeddings": fields[f"{family}.context_length"],
            "rms_norm_eps": fields[f"{family}.attention.layer_norm_rms_epsilon"],
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": fields.get(f"{family}.rope.freq_base", 10_000.0),
            },
            # Without a matrix of its own for the output the embeddings serve there as well.
            "tie_word_embeddings": "output.weight" not in shapes,
            # Computed in single precision, unless someone says otherwise; half is for the disk.
            "dtype": "float32",
        }
    except (KeyError, IndexError, ZeroDivisionError) as fault:
        raise SoftError(
            f"the file does not say how large its model is ({fault}); it is no language model"
        ) from None
    if family == "qwen2":
        return Qwen2Config(architectures=["Qwen2ForCausalLM"], **said)
    biased = "blk.0.attn_output.bias" in shapes
    return LlamaConfig(architectures=["LlamaForCausalLM"], attention_bias=biased, **said)


def expected(config: Any) -> set[str]:
    """Names of the weights that such a model has on disk."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        names = set(AutoModelForCausalLM.from_config(config).state_dict())
    return names - ({"lm_head.weight"} if config.tie_word_embeddings else set())


def weights(path: Path, config: Any, tensors: Tensors) -> dict[str, Tensor]:
    """All of them by Transformers' names. Quantised ones become float16, which holds their values."""
    data = np.memmap(path, mode="r")
    return {_name(entry.name): _weight(data, tensors.start, entry, config) for entry in tensors.entries}


def _name(name: str) -> str:
    parts = name.split(".")
    if len(parts) == 2 and parts[0] in _OUTER:
        return f"{_OUTER[parts[0]]}.{parts[1]}"
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in _INNER:
        return f"model.layers.{parts[1]}.{_INNER[parts[2]]}.{parts[3]}"
    return name  # none of the family's: the comparison of names tells it


def _weight(data: Any, start: int, entry: Entry, config: Any) -> Tensor:
    kind = GGMLQuantizationType(entry.kind)
    block, size = GGML_QUANT_SIZES[kind]
    first = start + entry.offset
    raw = np.asarray(data[first : first + prod(entry.shape) // block * size])
    # Rows last in the file's own order; a row holds whole blocks.
    rows = raw.reshape(-1, entry.shape[0] // block * size)
    # A copy: what is single precision in the file would be the file itself, which nobody may write.
    values = np.array(dequantize(rows, kind), dtype=np.float32).reshape(entry.shape[::-1])
    if config.model_type == "llama" and entry.name.split(".")[-2] in ("attn_q", "attn_k"):
        heads = config.num_attention_heads if ".attn_q." in entry.name else config.num_key_value_heads
        values = _unpaired(values, heads)
    weight = torch.from_numpy(np.ascontiguousarray(values))
    if weight.ndim < 2 or weight.abs().max() > _MOST:
        return weight
    return weight.to(_KEPT.get(kind, torch.float16))


def _unpaired(values: Any, heads: int) -> Any:
    """llama.cpp turns neighbouring values of a Llama's queries and keys, Transformers the two halves of a head."""
    pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)
