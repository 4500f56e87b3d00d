"""The choice of the next token: llama.cpp's sampler chain, and a grammar that is asked as rarely as it may be."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib

from moosproxy.proxy.upstreams.llama_cpp.process.vocabulary import Vocabulary
from moosproxy.proxy.upstreams.local.faults import ModelFault

_PENALTY_WINDOW = 256
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


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


class Sampler:
    """Draws tokens for one answer. close() frees what llama.cpp holds."""

    def __init__(self, vocabulary: Vocabulary, sampling: Sampling, grammar: str | None) -> None:
        """Raises ModelFault where the grammar is none."""
        self._size = vocabulary.size
        self._grammar = None
        if grammar is not None:
            self._grammar = lib.llama_sampler_init_grammar(vocabulary.handle, grammar.encode(), b"root")
            if not self._grammar:
                raise ModelFault("request", "the grammar cannot be read; it must be GBNF with a rule `root`")
        self._chain = _chain(self._size, sampling)

    def sample(self, context: Any, logits: np.ndarray[Any, np.dtype[np.float32]]) -> int:
        """The next token. logits: [vocabulary], of the last position; context: where llama.cpp keeps them, too."""
        if self._grammar is None:
            return int(lib.llama_sampler_sample(self._chain, context, -1))
        candidates = self._candidates(logits)
        token = self._draw(candidates)
        if not self._allowed(token, float(logits[token])):
            # Checking every token against the grammar takes long: only where the one that was drawn does not fit.
            candidates = self._candidates(logits)
            lib.llama_sampler_apply(self._grammar, ctypes.byref(candidates.array))
            token = self._draw(candidates)
        lib.llama_sampler_accept(self._chain, token)
        lib.llama_sampler_accept(self._grammar, token)
        return token

    def close(self) -> None:
        """Once, at the end of the answer."""
        lib.llama_sampler_free(self._chain)
        if self._grammar is not None:
            lib.llama_sampler_free(self._grammar)

    def _draw(self, candidates: _Candidates) -> int:
        lib.llama_sampler_apply(self._chain, ctypes.byref(candidates.array))
        # The samplers may have put another buffer in the place of ours.
        chosen = candidates.array.data[candidates.array.selected]
        return int(chosen.id)

    def _allowed(self, token: int, logit: float) -> bool:
        one = _Candidates(np.array([(token, logit, 0.0)], dtype=_CANDIDATE))
        lib.llama_sampler_apply(self._grammar, ctypes.byref(one.array))
        return bool(np.isfinite(one.array.data[0].logit))

    def _candidates(self, logits: np.ndarray[Any, np.dtype[np.float32]]) -> _Candidates:
        rows = np.zeros(self._size, dtype=_CANDIDATE)
        rows["id"] = np.arange(self._size, dtype=np.int32)
        rows["logit"] = logits
        return _Candidates(rows)


class _Candidates:
    """A token array over a buffer of ours, which it keeps alive."""

    def __init__(self, rows: np.ndarray[Any, Any]) -> None:
        self._rows = rows
        data = ctypes.cast(rows.ctypes.data, lib.llama_token_data_p)
        self.array = lib.llama_token_data_array(data=data, size=len(rows), selected=-1, sorted=False)


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
