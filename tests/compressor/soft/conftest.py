"""A language model with random weights, small enough that every test builds its own."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from moosproxy.compressor.soft.models.base import FrozenModel

SHAPE = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Larger than usual, so that attention is not flat and a wrong position or mask shows.
    "initializer_range": 0.3,
}


def tiny(family: str = "qwen2", seed: int = 0) -> FrozenModel:
    torch.manual_seed(seed)
    if family == "llama":
        return FrozenModel(LlamaForCausalLM(LlamaConfig(**SHAPE)), "tiny-llama")
    return FrozenModel(Qwen2ForCausalLM(Qwen2Config(**SHAPE)), "tiny-qwen2")


@pytest.fixture(params=["qwen2", "llama"])
def base(request: pytest.FixtureRequest) -> FrozenModel:
    return tiny(request.param)


def ids(rows: int, length: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(3, 97, (rows, length), generator=torch.Generator().manual_seed(seed))
