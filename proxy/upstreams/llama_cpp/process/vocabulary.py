"""Text to tokens and back, by the model's own vocabulary. In the child."""

from __future__ import annotations

import ctypes
from functools import cached_property
from typing import Any

from llama_cpp import llama_cpp as lib

from moosproxy.proxy.upstreams.llama_cpp.process.marks import Guard, Marks
from moosproxy.proxy.upstreams.local.faults import ModelFault

_SHOWN = frozenset({"<tool_call>", "</tool_call>", "<think>", "</think>"})
"""Marks that some files list as control tokens, which llama.cpp would leave out of the text."""
_CONTROL = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
_ANCHOR = "\n"


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
        return self._tokens(text, add_special=add_special, parse_special=True)

    def prompt(self, rendered: str, guard: Guard) -> list[int]:
        """The tokens of a rendered template: its control tokens as such, what the guard has hidden as text."""
        pieces = self.marks.split(rendered)
        out: list[int] = []
        for index, piece in enumerate(pieces):
            if index % 2:
                out.append(self._marked[piece][0])
                continue
            if index and self._marked[pieces[index - 1]][1] & lib.LLAMA_TOKEN_ATTR_RSTRIP:
                piece = piece.lstrip()
            if index + 1 < len(pieces) and self._marked[pieces[index + 1]][1] & lib.LLAMA_TOKEN_ATTR_LSTRIP:
                piece = piece.rstrip()
            out += self._plain(guard.show(piece))
        return out

    def around(self, before: str | list[int], behind: str) -> list[int]:
        """The prompt for what stands between these. Raises ModelFault where the model has not learned that."""
        ask = lib.llama_vocab_fim_pre, lib.llama_vocab_fim_suf, lib.llama_vocab_fim_mid
        prefix, suffix, middle = (int(name(self._vocab)) for name in ask)
        if min(prefix, suffix, middle) < 0:
            raise ModelFault("request", "suffix needs a model with tokens for filling in the middle", "suffix")
        begun = self._tokens("", add_special=True, parse_special=False)
        shown = before if isinstance(before, list) else self._plain(before)
        return [*begun, prefix, *shown, suffix, *self._plain(behind), middle]

    @cached_property
    def marks(self) -> Marks:
        """The names of the control tokens."""
        return Marks([*self._marked], _SHOWN)

    def piece(self, token: int) -> bytes:
        """The bytes of a token as they are shown; they may be part of a character. Control tokens have none."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._piece(token) if self._is_shown(token) else b""
        return known

    def ends(self, token: int) -> bool:
        """Whether the model ends its answer with it."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    @cached_property
    def _marked(self) -> dict[str, tuple[int, int]]:
        """Name -> number and attributes of the tokens that a template alone may write.

        Some files list marks of their template among the tokens that any text may hold: those that look like marks
        are guarded as well.
        """
        out: dict[str, tuple[int, int]] = {}
        for token in range(self.size):
            kind = lib.llama_vocab_get_attr(self._vocab, token)
            if kind & (_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED):
                name = self._text(token)
                if kind & _CONTROL or name[:1] + name[-1:] in ("<>", "[]"):
                    out.setdefault(name, (token, kind))
        out.pop("", None)
        return out

    @cached_property
    def _numbers(self) -> frozenset[int]:
        return frozenset(number for number, _ in self._marked.values())

    def _plain(self, text: str) -> list[int]:
        """No token of a mark in it, whatever it says."""
        out: list[int] = []
        whole = self._tokens(text, add_special=False, parse_special=False) if text else []
        if self._numbers.isdisjoint(whole):
            return whole
        # llama.cpp reads marks that are no control tokens in any text: cut in two they are none.
        for index, piece in enumerate(self.marks.split(text)):
            if index % 2:
                out += self._inner(piece[:1]) + self._inner(piece[1:])
            elif piece:
                out += self._inner(piece) if index else self._tokens(piece, add_special=False, parse_special=False)
        return out

    def _inner(self, text: str) -> list[int]:
        """Of a text within another one, which some vocabularies would begin with a space."""
        anchor = self._tokens(_ANCHOR, add_special=False, parse_special=False)
        both = self._tokens(_ANCHOR + text, add_special=False, parse_special=False)
        if both[: len(anchor)] == anchor:
            return both[len(anchor) :]
        return self._tokens(text, add_special=False, parse_special=False)

    def _tokens(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        out = (lib.llama_token * room)()
        count = lib.llama_tokenize(self._vocab, data, len(data), out, room, add_special, parse_special)
        if count < 0:
            raise RuntimeError("the tokenizer refused the text")
        return list(out[:count])

    def _is_shown(self, token: int) -> bool:
        return not lib.llama_vocab_is_control(self._vocab, token) or self._text(token) in _SHOWN

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
