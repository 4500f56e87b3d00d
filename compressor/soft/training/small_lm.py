"""A small Qwen2-architecture language model, trained here, that stands in where no real weights can be had.

It learns to read: questions about a text, the text said again, and running text in which facts recur.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from moosproxy.compressor.soft.training.batches import IGNORED, Batch, WorldSource
from moosproxy.compressor.soft.training.muon import Muon
from moosproxy.compressor.soft.training.texts import TextSource, paragraphs
from moosproxy.compressor.soft.training.world import World, corpus

# Steps of copying, and after how many more the texts get longer by one unit of 51 tokens.
_COPYING: Final = 260
_LENGTHEN: Final = 317
_SPECIAL: Final = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
_CHAT: Final = (
    "{% for message in messages %}{{ message['content'] }}{% if message['role'] == 'assistant' %}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)


@dataclass(frozen=True, slots=True)
class SmallConfig:
    """Shape and training of the small model. steps: optimiser steps of `tokens` tokens each.

    With four layers and two pairs of heads, a model of this width has too little room for soft memory at 5x.
    """

    vocabulary: int = 1024
    width: int = 128
    layers: int = 6
    heads: int = 4
    kv_heads: int = 4
    inner: int = 256
    steps: int = 1500
    tokens: int = 2048
    lr: float = 0.02
    seed: int = 0


def tokenizer_for(texts: list[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer built from `texts`, with the chat form that the small model is trained on."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(_SPECIAL.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, **_SPECIAL)
    tokenizer.chat_template = _CHAT
    return tokenizer


def shape(config: SmallConfig, vocabulary: int) -> Qwen2Config:
    """The model's configuration in Hugging Face form."""
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=config.width,
        intermediate_size=config.inner,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """How far the training is. right: share of the step's asked tokens that the model would have said."""

    step: int
    steps: int
    kind: str
    loss: float
    right: float


def train(config: SmallConfig, out: Path, report: Callable[[Step], None], data: Path | None = None) -> None:
    """Trains a model and writes it with its tokenizer to `out`. A run found there is resumed.

    data: a folder of annotated records; every other batch of questions is then about their texts.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    texts = paragraphs(data, held=False) if data else []
    words = [each.text for each in texts] + [asked.question for each in texts for asked in each.questions]
    tokenizer = tokenizer_for([*corpus(2000, config.seed), *words], config.vocabulary)
    model = Qwen2ForCausalLM(shape(config, len(tokenizer)))
    source = WorldSource(tokenizer, World(), dense=True)
    text = TextSource(tokenizer, texts) if texts else None
    optimizers = _optimizers(model, config.lr)
    first = _resume(out / "state.pt", model, optimizers)
    for step in range(first, config.steps):
        scale = min(1.0, (step + 1) / 50, 2.5 * (config.steps - step) / config.steps)
        kind, batch = _draw(source, text, step, config)
        loss, right = _learn(model, batch, optimizers, config.lr * scale)
        report(Step(step + 1, config.steps, kind, loss, right))
        if (step + 1) % 100 == 0:
            state = [each.state_dict() for each in optimizers]
            torch.save({"step": step + 1, "model": model.state_dict(), "optimizers": state}, out / "state.pt")
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "state.pt").unlink(missing_ok=True)


def _resume(path: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, former in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(former)
    return int(state["step"])


def _optimizers(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest: recall emerges several times sooner so."""
    named = list(model.named_parameters())
    inside = [value for name, value in named if value.ndim == 2 and ".layers." in name]
    rest = [value for name, value in named if not (value.ndim == 2 and ".layers." in name)]
    return [
        Muon(inside, lr=lr, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=lr / 2, weight_decay=0.0),
    ]


def _draw(source: WorldSource, text: TextSource | None, step: int, config: SmallConfig) -> tuple[str, Batch]:
    """First copying, then mostly questions about ever longer texts. A draw depends on seed and step alone."""
    rng = Random(config.seed * 1_000_003 + step)
    longest = min(4, 1 + step // _LENGTHEN)
    length = 51 * rng.randint(1, longest)
    kind = rng.random()
    if step < _COPYING or kind < 0.05:
        alphabet = config.vocabulary if step < _COPYING else 24
        return "copying", source.copying(config.tokens // 48, alphabet, rng)
    if kind < 0.09:
        length = min(length, 102)
        return "repetition", source.repetition(config.tokens // (2 * length), length, rng)
    if kind < 0.15:
        return "continuation", source.continuation(config.tokens * 2 // (3 * length), length, rng)
    if text is not None and rng.random() < 0.5:
        return "text", text.questions(config.tokens // (2 * length), length, 4, rng)
    return "questions", source.questions(config.tokens // (2 * length), length, length // 10, rng)


def _learn(model: Any, batch: Batch, optimizers: list[torch.optim.Optimizer], lr: float) -> tuple[float, float]:
    loss, right = _loss(model, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer, rate in zip(optimizers, (lr, lr / 2), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item(), right


def _loss(model: Any, batch: Batch) -> tuple[Tensor, float]:
    """Cross-entropy of the tail's labels, plus a tenth of that of the context's own words."""
    ids = torch.cat([batch.context, batch.tail.clamp(min=0)], dim=1)
    states = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    labels = torch.cat([torch.full_like(batch.context, IGNORED), batch.labels], dim=1)[:, 1:]
    asked = labels != IGNORED
    logits = model.lm_head(states[asked])
    loss = functional.cross_entropy(logits, labels[asked])
    right = (logits.argmax(-1) == labels[asked]).float().mean().item()
    # Every fourth position is enough for the language itself and saves most of the output layer.
    words = batch.context[:, 1::4]
    text = model.lm_head(states[:, : batch.context.shape[1] - 1 : 4][:, : words.shape[1]])
    return loss + 0.1 * functional.cross_entropy(text.flatten(0, 1), words.flatten()), right
