"""A Hugging Face model directory with random weights, and soft compressors for it, made by the test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from moosproxy.compressor.soft.config import Method, SoftConfig
from moosproxy.compressor.soft.models import checkpoint
from moosproxy.compressor.soft.models.base import load_base
from moosproxy.compressor.soft.training.small_lm import tokenizer_for

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def write_model(folder: Path, seed: int = 0, width: int = 32) -> Path:
    """Two layers over a byte-level vocabulary, four heads. Its answers are noise, but always the same noise."""
    torch.manual_seed(seed)
    tokenizer = tokenizer_for(["one two three four five six seven eight nine ten eleven twelve"] * 4, 320)
    tokenizer.chat_template = TEMPLATE
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_compressor(folder: Path, model: Path, method: Method = "sac", ratios: tuple[int, ...] = (5,)) -> Path:
    """An untrained compressor for the model in `model`."""
    torch.manual_seed(3)
    base, _ = load_base(model)
    checkpoint.save(checkpoint.build(base, SoftConfig(method, ratios, chunk=64, rank=4, alpha=8)), folder)
    return folder
