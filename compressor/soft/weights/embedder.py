"""The embeddings of a model alone: enough for a compressor that runs no layer of it, and for text as vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.models.base import FAMILIES, FrozenModel, load_tokenizer
from moosproxy.compressor.soft.weights import prints
from moosproxy.compressor.soft.weights.loading import directory
from moosproxy.compressor.soft.weights.words import words_print

_NAME = "model.embed_tokens.weight"


class Embedder(FrozenModel):
    """A frozen model that cannot run: its layers are elsewhere."""

    def __init__(self, config: Any, weight: Tensor, name: str, fingerprint: str) -> None:
        self.name = name
        self.config = config
        self.model = _Embeddings(weight)
        self.fingerprint = fingerprint
        self.words = None

    def head(self, states: Tensor) -> Tensor:
        raise SoftError(f"only the embeddings of {self.name} are here")

    def run(self, embeddings: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        raise SoftError(f"only the embeddings of {self.name} are here")


class _Embeddings(nn.Module):
    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.words = nn.Embedding(weight.shape[0], weight.shape[1], _weight=weight, _freeze=True)

    def get_input_embeddings(self) -> nn.Module:
        return self.words


def load_embedder(
    path: Path, dtype: str = "auto", device: str = "cpu", state: Path | None = None
) -> tuple[Embedder, Any]:
    """The embeddings and the tokenizer of a directory or a GGUF file. Raises SoftError."""
    from transformers import AutoConfig

    folder = directory(path, state)
    fingerprint = prints.peek(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        tokenizer = load_tokenizer(folder)
    except (OSError, ValueError) as fault:
        raise SoftError(f"{folder} holds no model in Hugging Face form: {str(fault).splitlines()[0]}") from None
    if config.model_type not in FAMILIES:
        known = " and ".join(FAMILIES)
        raise BaseMismatch(f"{folder} is a {config.model_type} model; soft compression reads {known} models")
    found = [each for each in prints.stored(folder) if each.name == _NAME]
    if not found:
        raise SoftError(f"{folder} holds no {_NAME}")
    wanted = getattr(torch, dtype) if dtype != "auto" else config.dtype or torch.float32
    weight = found[0].read().to(device, wanted, copy=True)
    base = Embedder(config, weight, folder.resolve().name, fingerprint)
    base.words = words_print(tokenizer)
    return base, tokenizer
