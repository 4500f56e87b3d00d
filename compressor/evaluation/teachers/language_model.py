"""A small language model with open insides: likelihoods of a text, attention within it, questions about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from moosproxy.compressor.kept import Span

Floats = npt.NDArray[np.float64]
_QUESTIONS = "Write three short questions that the text answers, one a line."
_SINK = 4
"""First tokens, which attention flows to whatever they say."""


class LanguageModel:
    """Loaded from a GGUF file, in single precision."""

    def __init__(self, path: Path) -> None:
        """path: of a GGUF file of an architecture that transformers can read."""
        folder, name = str(path.parent), path.name
        self._tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager"
        ).eval()

    @torch.inference_mode()
    def losses(self, text: str) -> tuple[Floats, list[Span]]:
        """Negative log-likelihood of each token but the first, in nats, and where the tokens stand."""
        ids, spans = self._encoded(text)
        logits = self._model(ids).logits[0, :-1]
        picked = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        return picked.double().numpy(), spans[1:]

    @torch.inference_mode()
    def loss_of(self, before: str, then: str) -> float:
        """Summed negative log-likelihood of what follows a beginning, in nats."""
        first = self._tokenizer(before, add_special_tokens=False)["input_ids"]
        rest = self._tokenizer(then, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[*first, *rest]])
        logits = self._model(ids).logits[0, len(first) - 1 : -1]
        return float(torch.nn.functional.cross_entropy(logits, ids[0, len(first) :], reduction="sum"))

    @torch.inference_mode()
    def attention(self, text: str, then: str) -> tuple[Floats, list[Span]]:
        """How much of the attention of what follows goes to each token of the text: mean over heads and layers."""
        ids, spans = self._encoded(text)
        rest = self._tokenizer(then, add_special_tokens=False, return_tensors="pt")["input_ids"]
        found = self._model(torch.cat([ids, rest], 1), output_attentions=True).attentions
        size = ids.shape[1]
        mean = sum(layer[0, :, size:, :size].mean((0, 1)) for layer in found) / len(found)
        mean[:_SINK] = 0
        return mean.double().numpy(), spans

    @torch.inference_mode()
    def questions(self, text: str) -> list[str]:
        """What the model would ask about the text."""
        messages = [{"role": "user", "content": f"{text}\n\n{_QUESTIONS}"}]
        ids = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = self._model.generate(**ids, max_new_tokens=60, do_sample=False)
        said = self._tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        return [line.strip(" -*0123456789.") for line in said.splitlines() if "?" in line][:3]

    def _encoded(self, text: str) -> tuple[torch.Tensor, list[Span]]:
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return torch.tensor([found["input_ids"]]), [(int(s), int(e)) for s, e in found["offset_mapping"]]


def by_span(values: Floats, tokens: Sequence[Span], spans: Sequence[Span]) -> Floats:
    """Sum over the tokens that begin in each span, shape (spans,)."""
    starts = np.array([start for start, _ in tokens])
    return np.array([values[(starts >= start) & (starts < end)].sum() for start, end in spans])
