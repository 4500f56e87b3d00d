"""The next token, by Transformers' own logits processors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


class Sampler:
    """Draws tokens for one answer. wanted: the sampling fields of a request, checked; temperature 0 is greedy.

    Penalties count the answer's own tokens.
    """

    def __init__(self, wanted: dict[str, Any], device: torch.device) -> None:
        self._said: list[int] = []
        self._presence = float(wanted.get("presence_penalty", 0.0))
        self._frequency = float(wanted.get("frequency_penalty", 0.0))
        self._biases = {int(token): bias for token, bias in wanted.get("logit_bias", {}).items()}
        self._greedy = wanted.get("temperature", 1.0) == 0
        self._random = torch.Generator(device).manual_seed(wanted["seed"] % 2**63) if "seed" in wanted else None
        self._chain = LogitsProcessorList()
        penalty = float(wanted.get("repetition_penalty", 1.0))
        if penalty != 1.0:
            self._chain.append(RepetitionPenaltyLogitsProcessor(penalty))
        if not self._greedy:
            self._warp(wanted)

    def _warp(self, wanted: dict[str, Any]) -> None:
        if wanted.get("temperature", 1.0) != 1.0:
            self._chain.append(TemperatureLogitsWarper(float(wanted["temperature"])))
        if wanted.get("top_k", 0) > 0:
            self._chain.append(TopKLogitsWarper(int(wanted["top_k"])))
        if wanted.get("top_p", 1.0) < 1.0:
            self._chain.append(TopPLogitsWarper(float(wanted["top_p"])))
        if wanted.get("min_p", 0.0) > 0.0:
            self._chain.append(MinPLogitsWarper(float(wanted["min_p"])))

    def draw(self, logits: Tensor) -> int:
        """The next token; logits: (1, vocabulary)."""
        logits = logits.float().clone()
        for token, bias in self._biases.items():
            if 0 <= token < logits.shape[-1]:
                logits[0, token] += bias
        for token in set(self._said):
            logits[0, token] -= self._presence + self._frequency * self._said.count(token)
        said = torch.tensor([self._said], dtype=torch.long, device=logits.device)
        scores: Any = self._chain(said, logits)
        if self._greedy:
            token = int(scores.argmax(-1))
        else:
            token = int(torch.multinomial(scores.softmax(-1), 1, generator=self._random))
        self._said.append(token)
        return token
