"""GGUF files of small random models, written by hand as llama.cpp's own converter writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

import torch
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from moosproxy.proxy.bench.edge.gguf import train_tokenizer

WORDS = ["the quick brown fox jumps over 1234 lazy dogs, isn't it?\n\nNo: it has  been 56 years."] * 4
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def model(family: str, *, tied: bool = True) -> Any:
    """A model of two layers; its norms and biases are drawn, too, so that a swapped one shows."""
    torch.manual_seed(5)
    shape: dict[str, Any] = {
        "vocab_size": len(vocabulary()[0]),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "tie_word_embeddings": tied,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 50_000.0},
    }
    if family == "llama":
        made: Any = LlamaForCausalLM(LlamaConfig(**shape))
    else:
        made = Qwen2ForCausalLM(Qwen2Config(**shape))
    for name, value in made.named_parameters():
        if "norm" in name or "bias" in name:
            torch.nn.init.normal_(value, 1.0 if "norm" in name else 0.0, 0.2)
    return made.eval()


def vocabulary() -> tuple[list[str], list[int], list[str]]:
    """Tokens, their types and the merges."""
    trained = train_tokenizer(WORDS, 300)
    table = trained.get_vocab()
    tokens = sorted(table, key=table.__getitem__)
    merges = json.loads(trained.to_str())["model"]["merges"]
    types = [1] * len(tokens) + [3] * len(_SPECIAL)
    return [*tokens, *_SPECIAL], types, [" ".join(pair) for pair in merges]


def write(path: Path, made: Any, family: str, quantisation: str = "F32", **said: str) -> Path:
    """The model as a GGUF file. said: further fields with a text."""
    config = made.config
    writer = GGUFWriter(path, family)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    for name, value in said.items():
        writer.add_string(name.replace("__", "."), value)
    _write_words(writer, "llama-bpe" if family == "llama" else "qwen2")
    for name, value in made.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        _write_weight(writer, name, value.numpy(), config, quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_words(writer: Any, cut: str) -> None:
    tokens, types, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(len(tokens) - 3)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_pad_token_id(len(tokens) - 3)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _write_weight(writer: Any, name: str, value: Any, config: Any, quantisation: str) -> None:
    outer = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    stem, _, kind = name.rpartition(".")
    if stem in outer:
        named = f"{outer[stem]}.{kind}"
    else:
        _, _, number, part = stem.split(".", 3)
        named = f"blk.{number}.{_PARTS[part]}.{kind}"
    if config.model_type == "llama" and ("attn_q" in named or "attn_k" in named):
        heads = config.num_attention_heads if "attn_q" in named else config.num_key_value_heads
        # As convert_hf_to_gguf.py permutes them: the halves of a head become neighbours.
        halves = value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:])
        value = halves.swapaxes(1, 2).reshape(value.shape)
    value = np.ascontiguousarray(value)
    if value.ndim == 1 or quantisation == "F32":
        writer.add_tensor(named, value)
        return
    packed = GGMLQuantizationType[quantisation]
    writer.add_tensor(named, quantize(value, packed), raw_dtype=packed)
