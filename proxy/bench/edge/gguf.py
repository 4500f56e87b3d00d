"""GGUF files of Qwen2's architecture with random weights: as large and as slow as the real ones, and no cleverer.

How long llama.cpp takes depends on shapes and quantisation, never on values. Needs the `gguf` package.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from moosproxy.proxy.bench.edge.template import CHAT_TEMPLATE

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKS = ("<tool_call>", "</tool_call>")
MIDDLE = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
_SPREAD = 0.02

# As Qwen2 cuts text before byte pairs are merged.
_WORDS = "|".join(
    [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A transformer's sizes. vocabulary: None for as many tokens as the tokenizer has."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    context: int = 32768
    vocabulary: int | None = 151_936


SHAPES = {
    "0.5b": Shape(width=896, layers=24, heads=14, kv_heads=2, inner=4864),
    "1.5b": Shape(width=1536, layers=28, heads=12, kv_heads=2, inner=8960),
}


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE tokenizer of Qwen2's kind, without the special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_gguf(
    path: Path,
    shape: Shape,
    tokenizer: Tokenizer,
    quantisation: str = "Q8_0",
    *,
    seed: int = 0,
    template: str | None = CHAT_TEMPLATE,
    pooling: int | None = None,
    sampling: Mapping[str, float] | None = None,
    middle: bool = False,
) -> None:
    """Writes the file. quantisation: F32, Q8_0 or Q4_0. pooling: for a model with embeddings (3: last token).

    sampling: the recommended values, by the last part of their keys. middle: with tokens for filling it in.
    """
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "qwen2")
    writer.add_name("random weights")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    if pooling is not None:
        writer.add_uint32("qwen2.pooling_type", pooling)
    for name, value in (sampling or {}).items():
        writer.add_float32(f"general.sampling.{name}", value)
    size = _add_vocabulary(writer, tokenizer, shape.vocabulary, MIDDLE if middle else ())
    if template is not None:
        writer.add_chat_template(template)
    _add_weights(writer, shape, size, quantisation, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any, tokenizer: Tokenizer, wanted: int | None, more: Sequence[str]) -> int:
    """Returns how many tokens there are. more: further control tokens."""
    table = tokenizer.get_vocab()
    tokens = sorted(table, key=table.__getitem__)
    types = [_NORMAL] * len(tokens)
    special = len(tokens)
    tokens += [*CONTROL, *MARKS, *more]
    types += [_CONTROL] * len(CONTROL) + [_USER_DEFINED] * len(MARKS) + [_CONTROL] * len(more)
    for number in range(len(tokens), wanted or 0):  # no merge leads to them; they make the vocabulary large enough
        tokens.append(f"Ġ{number}x")
        types.append(_NORMAL)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in merges])
    writer.add_bos_token_id(special)
    writer.add_eos_token_id(special + 2)
    writer.add_pad_token_id(special)
    writer.add_add_bos_token(False)
    return len(tokens)


def _add_weights(writer: Any, shape: Shape, vocabulary: int, quantisation: str, dice: np.random.Generator) -> None:
    from gguf import GGMLQuantizationType
    from gguf.quants import quantize

    def matrix(rows: int, columns: int, name: str = quantisation) -> tuple[np.ndarray[Any, Any], Any]:
        values = dice.standard_normal((rows, columns), dtype=np.float32) * np.float32(_SPREAD)
        kind = GGMLQuantizationType[name]
        return (values if name == "F32" else quantize(values, kind)), kind

    def vector(size: int, value: float) -> tuple[np.ndarray[Any, Any], Any]:
        return np.full(size, value, dtype=np.float32), GGMLQuantizationType.F32

    kv = shape.width // shape.heads * shape.kv_heads
    # Made once and used for every layer: the values do not matter, and quantising takes long.
    layer = {
        "attn_norm.weight": vector(shape.width, 1.0),
        "attn_q.weight": matrix(shape.width, shape.width),
        "attn_q.bias": vector(shape.width, 0.0),
        "attn_k.weight": matrix(kv, shape.width),
        "attn_k.bias": vector(kv, 0.0),
        "attn_v.weight": matrix(kv, shape.width),
        "attn_v.bias": vector(kv, 0.0),
        "attn_output.weight": matrix(shape.width, shape.width),
        "ffn_norm.weight": vector(shape.width, 1.0),
        "ffn_gate.weight": matrix(shape.inner, shape.width),
        "ffn_up.weight": matrix(shape.inner, shape.width),
        "ffn_down.weight": matrix(shape.width, shape.inner),
    }
    # Real files keep the embeddings, which are the output matrix as well, in more than four bits.
    embeddings = matrix(vocabulary, shape.width, "F32" if quantisation == "F32" else "Q8_0")
    writer.add_tensor("token_embd.weight", embeddings[0], raw_dtype=embeddings[1])
    for number in range(shape.layers):
        for name, (values, kind) in layer.items():
            writer.add_tensor(f"blk.{number}.{name}", values, raw_dtype=kind)
    norm, kind = vector(shape.width, 1.0)
    writer.add_tensor("output_norm.weight", norm, raw_dtype=kind)
