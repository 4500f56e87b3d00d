"""The language model that reads soft memory: any Qwen2 or Llama decoder, its own weights frozen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.weights.words import words_print

FAMILIES: Final = ("qwen2", "llama")
_SAMPLES: Final = 64
# What Transformers notes beside the shape when it loads a model; the same weights must have one fingerprint.
_SHAPE: Final = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)


class FrozenModel:
    """A causal language model of Hugging Face form whose weights get no gradient.

    words: the print of its tokenizer, None where none was loaded with it.
    """

    def __init__(self, model: Any, name: str) -> None:
        if model.config.model_type not in FAMILIES:
            family, known = model.config.model_type, " and ".join(FAMILIES)
            raise BaseMismatch(f"{name} is a {family} model; soft compression reads {known} models")
        self.name = name
        self.model = model.requires_grad_(False).eval()
        self.config = model.config
        self.fingerprint = fingerprint(model)
        self.words: str | None = None

    @property
    def width(self) -> int:
        """Length of an input embedding."""
        return int(self.config.hidden_size)

    @property
    def device(self) -> torch.device:
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.device

    @property
    def dtype(self) -> torch.dtype:
        weight: Tensor = self.model.get_input_embeddings().weight
        return weight.dtype

    def embed(self, ids: Tensor) -> Tensor:
        """(B, n) token ids -> (B, n, d) input embeddings."""
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded

    def head(self, states: Tensor) -> Tensor:
        """(..., d) final states -> (..., vocabulary) logits."""
        logits: Tensor = self.model.get_output_embeddings()(states)
        return logits

    def run(self, embeddings: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        """(B, t, d) embeddings at `positions` (t,), behind what `cache` holds -> final states (B, t, d).

        mask (t, cached + t) is added to the attention scores. The cache gains the t new keys and values.
        """
        out = self.model.model(
            inputs_embeds=embeddings,
            attention_mask=mask[None, None].expand(embeddings.shape[0], 1, -1, -1),
            position_ids=positions[None].expand(embeddings.shape[0], -1),
            past_key_values=cache,
            use_cache=True,
        )
        states: Tensor = out.last_hidden_state
        return states

    def turned(self, keys: Tensor, by: int) -> Tensor:
        """Keys (B, heads, k, head_dim) with all rotary positions `by` higher: rotations add up, so it is exact."""
        if by == 0:
            return keys
        rotary = self.model.model.rotary_emb
        cos, sin = rotary(keys, torch.tensor([[by]], device=keys.device))
        scale = getattr(rotary, "attention_scaling", 1.0)
        left, right = keys.chunk(2, dim=-1)
        moved: Tensor = keys * (cos / scale) + torch.cat((-right, left), dim=-1) * (sin / scale)
        return moved.to(keys.dtype)


def causal_mask(new: int, past: int, like: Tensor) -> Tensor:
    """(new, past + new), to be added: every new token sees the past and the new ones up to itself."""
    mask = torch.full((new, past + new), torch.finfo(like.dtype).min, dtype=like.dtype, device=like.device)
    return mask.triu(past + 1)


def open_mask(length: int, like: Tensor) -> Tensor:
    """(length, length) of zeros: every token sees every token."""
    return torch.zeros(length, length, dtype=like.dtype, device=like.device)


def fingerprint(model: nn.Module) -> str:
    """Sixteen hexadecimal digits of the model's shape and of 64 values of every weight, whatever its precision.

    It is quick for 7B as well. Two models trained apart differ in every weight; adapters do not count.
    """
    config: Any = model.config
    digest = hashlib.sha256(json.dumps([getattr(config, name, None) for name in _SHAPE]).encode())
    for name, value in sorted(model.named_parameters()):
        if "lora_" in name:
            continue
        flat = value.detach().flatten()
        picked = flat[:: max(1, flat.numel() // _SAMPLES)][:_SAMPLES].to(torch.bfloat16).float().cpu()
        digest.update(f"{name.replace('.base_layer', '')} {tuple(value.shape)}".encode())
        digest.update(picked.numpy().tobytes())
    return digest.hexdigest()[:16]


def load_base(folder: Path, dtype: str = "auto", device: str = "cpu") -> tuple[FrozenModel, Any]:
    """The model and the tokenizer of a directory in Hugging Face form. Nothing is downloaded."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype)
        tokenizer = load_tokenizer(folder)
    except (OSError, ValueError) as fault:
        reason = str(fault).splitlines()[0]
        raise SoftError(f"{folder} holds no causal language model in Hugging Face form: {reason}") from None
    if len(tokenizer) > model.config.vocab_size:
        raise SoftError(
            f"{folder} holds a tokenizer with more tokens than its model knows: they do not belong together"
        )
    base = FrozenModel(model.to(device), folder.resolve().name)
    base.words = words_print(tokenizer)
    return base, tokenizer


def load_tokenizer(folder: Path) -> Any:
    """By the family's own class, unless the directory says that its tokenizer.json is all there is to know.

    Raises OSError, ValueError.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    plain = said.get("tokenizer_class") in ("TokenizersBackend", "PreTrainedTokenizerFast")
    found = PreTrainedTokenizerFast if plain else AutoTokenizer
    return found.from_pretrained(folder, local_files_only=True)
