"""The choice of the next token: llama.cpp's sampler chain, and a grammar that is asked as rarely as it may be."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib

from moosproxy.proxy.upstreams.llama_cpp.process.grammars.constraint import CANDIDATE, Candidates, Constraint, Rows

_PENALTY_WINDOW = 256


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. The defaults leave the model's distribution alone; temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    logit_bias: dict[int, float] = field(default_factory=dict)


# field -> the file's key, llama.cpp's own default for files that do not say
_SAID: Mapping[str, tuple[str, float]] = {
    "temperature": ("temp", 0.8),
    "top_k": ("top_k", 40),
    "top_p": ("top_p", 0.95),
    "min_p": ("min_p", 0.05),
    "repetition_penalty": ("penalty_repeat", 1.0),
}


def recommended(said: Callable[[str], str | None], policy: Mapping[str, float]) -> dict[str, float]:
    """Fields of Sampling for a request that leaves them out: the policy's, else the file's, else llama.cpp's own.

    said: what the file says under a key of its metadata.
    """
    out: dict[str, float] = {}
    for name, (key, usual) in _SAID.items():
        found = _number(said(f"general.sampling.{key}"))
        out[name] = policy.get(name, usual if found is None else found)
    out["top_k"] = max(0, int(out["top_k"]))
    return out


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


class Sampler:
    """Draws tokens for one answer. close() frees what llama.cpp holds."""

    def __init__(self, size: int, sampling: Sampling, constraint: Constraint | None) -> None:
        """size: of the vocabulary. constraint: may be set anew between two tokens; whoever sets it closes it."""
        self._size = size
        self.constraint = constraint
        self._chain = _chain(size, sampling)

    def sample(self, context: Any, logits: np.ndarray[Any, np.dtype[np.float32]]) -> int:
        """The next token. logits: [vocabulary], of the last position; context: where llama.cpp keeps them, too."""
        if self.constraint is None:
            return int(lib.llama_sampler_sample(self._chain, context, -1))
        token = self._draw(self._rows(logits))
        if not self.constraint.allows(token):
            # Checking every token takes longer than one: only where the one that was drawn does not fit.
            rows = self._rows(logits)
            self.constraint.restrict(rows)
            token = self._draw(rows)
        lib.llama_sampler_accept(self._chain, token)
        self.constraint.accept(token)
        return token

    def close(self) -> None:
        """Once, at the end of the answer."""
        lib.llama_sampler_free(self._chain)

    def _draw(self, rows: Rows) -> int:
        array = Candidates(rows).array
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        # The samplers may have put another buffer in the place of ours.
        chosen = array.data[array.selected]
        return int(chosen.id)

    def _rows(self, logits: np.ndarray[Any, np.dtype[np.float32]]) -> Rows:
        rows = np.zeros(self._size, dtype=CANDIDATE)
        rows["id"] = np.arange(self._size, dtype=np.int32)
        rows["logit"] = logits
        return rows


def _chain(vocabulary_size: int, sampling: Sampling) -> Any:
    """The samplers in llama.cpp's usual order."""
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())

    def add(sampler: Any) -> None:
        lib.llama_sampler_chain_add(chain, sampler)

    if sampling.logit_bias:
        known = {token: bias for token, bias in sampling.logit_bias.items() if 0 <= token < vocabulary_size}
        biases = (lib.llama_logit_bias * len(known))(*known.items())
        add(lib.llama_sampler_init_logit_bias(vocabulary_size, len(known), biases))
    penalties = sampling.repetition_penalty, sampling.frequency_penalty, sampling.presence_penalty
    if penalties != (1.0, 0.0, 0.0):
        add(lib.llama_sampler_init_penalties(vocabulary_size, _PENALTY_WINDOW, *penalties))
    if sampling.temperature == 0:
        add(lib.llama_sampler_init_greedy())
        return chain
    if sampling.top_k:
        add(lib.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1:
        add(lib.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p:
        add(lib.llama_sampler_init_min_p(sampling.min_p, 1))
    if sampling.temperature != 1:
        add(lib.llama_sampler_init_temp(sampling.temperature))
    seed = lib.LLAMA_DEFAULT_SEED if sampling.seed is None else sampling.seed % lib.LLAMA_DEFAULT_SEED
    add(lib.llama_sampler_init_dist(seed))
    return chain
