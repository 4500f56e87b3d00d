"""A llama.cpp context in which several sequences share a beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib

from moosproxy.compressor.errors import CompressorError
from moosproxy.proxy.upstreams.llama_cpp.spec import Spec


class Lanes:
    """Lane 0 also holds what the prompts have in common, from one turn to the next as far as it stays the same."""

    def __init__(self, model: Any, spec: Spec, window: int, lanes: int) -> None:
        """Raises CompressorError where there is no memory for the window."""
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max = window, lanes
        params.n_batch, params.n_ubatch = spec.batch, spec.ubatch
        params.n_threads, params.n_threads_batch = spec.threads, spec.batch_threads
        params.kv_unified = True  # so that sequences share the cells of a common beginning
        params.no_perf = True
        self._context = lib.llama_init_from_model(model, params)
        if not self._context:
            raise CompressorError(f"llama.cpp has no memory for a window of {window} tokens")
        self._memory = lib.llama_get_memory(self._context)
        self._size = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
        self._step = spec.batch
        self._batch = lib.llama_batch_init(spec.batch, 0, 1)
        self._shared: list[int] = []
        self._lengths: list[int] = [0] * lanes

    def read(self, shared: Sequence[int], tails: Sequence[Sequence[int]]) -> dict[int, int]:
        """Reads a common beginning and what each lane has behind it; the likeliest next token of each."""
        kept = _same(self._shared, shared)
        for lane in range(len(self._lengths)):
            lib.llama_memory_seq_rm(self._memory, lane, kept if lane == 0 else -1, -1)
        self._decode([(token, kept + at, 0, False) for at, token in enumerate(shared[kept:])])
        self._shared = list(shared)
        for lane in range(1, len(tails)):
            lib.llama_memory_seq_cp(self._memory, 0, lane, -1, -1)
        rows = []
        for lane, tail in enumerate(tails):
            rows += [(token, len(shared) + at, lane, at == len(tail) - 1) for at, token in enumerate(tail)]
            self._lengths[lane] = len(shared) + len(tail)
        return self._decode(rows)  # together: a short tail alone would leave most of a batch empty

    def write(self, tokens: Mapping[int, int]) -> dict[int, int]:
        """Goes on in these lanes by one token each; the likeliest next ones."""
        rows = []
        for lane, token in tokens.items():
            rows.append((token, self._lengths[lane], lane, True))
            self._lengths[lane] += 1
        return self._decode(rows)

    def _decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> dict[int, int]:
        """rows: token, position, lane, whether what follows is asked for. Lane -> next token."""
        found: dict[int, int] = {}
        for begin in range(0, len(rows), self._step):
            part = rows[begin : begin + self._step]
            self._batch.n_tokens = len(part)
            for index, (token, position, lane, wanted) in enumerate(part):
                self._batch.token[index], self._batch.pos[index] = token, position
                self._batch.n_seq_id[index], self._batch.seq_id[index][0] = 1, lane
                self._batch.logits[index] = wanted
            status = lib.llama_decode(self._context, self._batch)
            if status != 0:
                raise CompressorError(f"llama.cpp gave up with status {status}")
            for index, (_, _, lane, wanted) in enumerate(part):
                if wanted:
                    row = np.ctypeslib.as_array(lib.llama_get_logits_ith(self._context, index), (self._size,))
                    found[lane] = int(row.argmax())
        return found


def _same(known: Sequence[int], wanted: Sequence[int]) -> int:
    for at, (one, other) in enumerate(zip(known, wanted, strict=False)):
        if one != other:
            return at
    return min(len(known), len(wanted))
