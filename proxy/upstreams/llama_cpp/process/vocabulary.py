"""Text to tokens and back, by the model's own vocabulary. In the child."""

from __future__ import annotations

import ctypes
from typing import Any

from llama_cpp import llama_cpp as lib

_SHOWN = frozenset({"<tool_call>", "</tool_call>", "<think>", "</think>"})
"""Marks that some files list as control tokens, which llama.cpp would leave out of the text."""


class Vocabulary:
    """Safe to use while the model is at work."""

    def __init__(self, model: Any) -> None:
        self._vocab = lib.llama_model_get_vocab(model)
        self.handle = self._vocab
        self.size: int = lib.llama_vocab_n_tokens(self._vocab)
        self.bos = self._text(lib.llama_vocab_bos(self._vocab))
        self.eos = self._text(lib.llama_vocab_eos(self._vocab))
        self._pieces: dict[int, bytes] = {}

    def tokens(self, text: str, *, add_special: bool) -> list[int]:
        """Special tokens in the text count as such. add_special: begin as the model wants every text to begin."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        out = (lib.llama_token * room)()
        count = lib.llama_tokenize(self._vocab, data, len(data), out, room, add_special, True)
        if count < 0:
            raise RuntimeError("the tokenizer refused the text")
        return list(out[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of a token as they are shown; they may be part of a character. Control tokens have none."""
        known = self._pieces.get(token)
        if known is None:
            shown = not lib.llama_vocab_is_control(self._vocab, token) or self._text(token) in _SHOWN
            known = self._pieces[token] = self._piece(token) if shown else b""
        return known

    def ends(self, token: int) -> bool:
        """Whether the model ends its answer with it."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        size = lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True)
        return buffer.raw[:size]

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        return (lib.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")
