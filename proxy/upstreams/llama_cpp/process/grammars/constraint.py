"""Which tokens may come next: llguidance for schemas and tool calls, llama.cpp for a caller's own GBNF.

In the child. llguidance computes the mask of a step in well below a millisecond; its view of the vocabulary takes
a second or two, so it is made when first needed, and once.
"""

from __future__ import annotations

import ctypes
from functools import cached_property
from typing import Any, Protocol

import llguidance
import numpy as np
from llama_cpp import llama_cpp as lib

from moosproxy.proxy.upstreams.llama_cpp.process.vocabulary import Vocabulary
from moosproxy.proxy.upstreams.local.faults import ModelFault

Rows = np.ndarray[Any, Any]
CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_HIDDEN = b"\xff"
"""llguidance's sign for a token that is no text."""


class Constraint(Protocol):
    """What an answer may be, token by token."""

    def allows(self, token: int) -> bool:
        """Whether it may come next."""

    def restrict(self, rows: Rows) -> None:
        """Puts the tokens that may not come next out of reach. rows: all tokens in order, as CANDIDATE."""

    def accept(self, token: int) -> None:
        """It comes next."""

    def close(self) -> None:
        """Once, at the end."""


class Candidates:
    """A token array over a buffer of ours, which it keeps alive."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        data = ctypes.cast(rows.ctypes.data, lib.llama_token_data_p)
        self.array = lib.llama_token_data_array(data=data, size=len(rows), selected=-1, sorted=False)


class Gbnf:
    """A grammar in llama.cpp's own language."""

    def __init__(self, vocabulary: Vocabulary, grammar: str) -> None:
        """Raises ModelFault where the grammar is none."""
        self._grammar = lib.llama_sampler_init_grammar(vocabulary.handle, grammar.encode(), b"root")
        if not self._grammar:
            raise ModelFault(
                "request", "the grammar cannot be read; it must be GBNF with a rule `root`", "grammar"
            )

    def allows(self, token: int) -> bool:
        """Whether it may come next."""
        one = np.array([(token, 0.0, 0.0)], dtype=CANDIDATE)
        lib.llama_sampler_apply(self._grammar, ctypes.byref(Candidates(one).array))
        return bool(np.isfinite(one["logit"][0]))

    def restrict(self, rows: Rows) -> None:
        """Checks every token, which takes long."""
        lib.llama_sampler_apply(self._grammar, ctypes.byref(Candidates(rows).array))

    def accept(self, token: int) -> None:
        """It comes next."""
        lib.llama_sampler_accept(self._grammar, token)

    def close(self) -> None:
        """Once, at the end."""
        lib.llama_sampler_free(self._grammar)


class Guided:
    """A grammar that llguidance has read."""

    def __init__(self, matcher: llguidance.LLMatcher, size: int) -> None:
        self._matcher = matcher
        self._mask = np.zeros((size + 31) // 32, dtype=np.int32)
        self._size = size

    @property
    def done(self) -> bool:
        """Whether nothing can follow."""
        return bool(self._matcher.is_stopped())

    def allows(self, token: int) -> bool:
        """Whether it may come next."""
        return bool(self._matcher.validate_tokens([token]) == 1)

    def restrict(self, rows: Rows) -> None:
        """Raises ModelFault where llguidance gives up on a grammar that is too large for it."""
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        if self._matcher.is_error():
            raise ModelFault("request", "the JSON schema is too complex to be held; make it smaller")
        allowed = np.unpackbits(self._mask.view(np.uint8), bitorder="little")[: self._size]
        rows["logit"][allowed == 0] = -np.inf

    def accept(self, token: int) -> None:
        """It comes next."""
        self._matcher.consume_token(token)

    def follow(self, tokens: list[int]) -> bool:
        """Whether these may come next; they do."""
        return bool(self._matcher.try_consume_tokens(tokens) == len(tokens))

    def close(self) -> None:
        """Nothing is held."""


class Grammars:
    """Makes constraints for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def guided(self, grammar: str) -> Guided:
        """grammar: in one of llguidance's languages, and known to be right."""
        return Guided(llguidance.LLMatcher(self._tokenizer, grammar, log_level=0), self._vocabulary.size)

    def gbnf(self, grammar: str) -> Gbnf:
        """Raises ModelFault where it is none."""
        return Gbnf(self._vocabulary, grammar)

    def warm(self) -> None:
        """Reads the vocabulary now."""
        assert self._tokenizer

    @cached_property
    def _tokenizer(self) -> llguidance.LLTokenizer:
        vocabulary = self._vocabulary
        tokens = [vocabulary.piece(token) or _HIDDEN + str(token).encode() for token in range(vocabulary.size)]
        ends = [token for token in range(vocabulary.size) if vocabulary.ends(token)]
        # As llguidance.llamacpp does it, but with the tokens that are shown, and with every token that ends.
        function = ctypes.cast(lib._lib.llama_tokenize, ctypes.c_void_p).value
        return llguidance.LLTokenizer.from_llamacpp(  # type: ignore[attr-defined,unused-ignore]
            tokens=tokens, vocab_ptr=vocabulary.handle, tokenize_fptr=function, eos_token=ends
        )
