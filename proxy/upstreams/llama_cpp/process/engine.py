"""A model in llama.cpp: evaluates tokens, keeps what it has evaluated, can be stopped in the middle. In the child.

Knows tokens only. Each conversation has a sequence of its own in the model's memory; a prompt that begins like one
of them is evaluated from where they part.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib

from moosproxy.proxy.upstreams.llama_cpp.process.library import flag_reader, listen
from moosproxy.proxy.upstreams.llama_cpp.process.vocabulary import Vocabulary
from moosproxy.proxy.upstreams.llama_cpp.spec import Spec
from moosproxy.proxy.upstreams.local.faults import ModelFault

_ABORTED = 2
_FLASH = {
    "auto": lib.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": lib.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": lib.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_KV = {"f16": lib.GGML_TYPE_F16, "q8_0": lib.GGML_TYPE_Q8_0}
_MEAN, _FIRST, _LAST = "1", "2", "3"
_AT_ONCE = 2048
Logits = np.ndarray[Any, np.dtype[np.float32]]


class Stopped(Exception):
    """stop() was called in the middle of an evaluation."""


@dataclass(slots=True)
class _Conversation:
    """A sequence in the model's memory: its number, and the tokens that have been evaluated."""

    number: int
    tokens: list[int] = field(default_factory=list)
    used: float = 0.0


class Engine:
    """One thread evaluates; stop() may come from another one."""

    def __init__(self, spec: Spec) -> None:
        """Raises ModelFault where the file cannot be loaded."""
        self._complaints = listen()
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        # Mapped files would stay in memory beside the rearranged copy that llama.cpp computes with.
        params.load_mode = lib.LLAMA_LOAD_MODE_MLOCK if spec.mlock else lib.LLAMA_LOAD_MODE_NONE
        self.model = lib.llama_model_load_from_file(str(Path(spec.path)).encode(), params)
        if not self.model:
            raise ModelFault("file", f"llama.cpp cannot load {spec.path}: {self._complaint()}")
        self.window: int = min(spec.context, lib.llama_model_n_ctx_train(self.model))
        self.vocabulary = Vocabulary(self.model)
        self.evaluated = 0
        """Tokens evaluated so far, of all prompts and answers."""
        self._flag = ctypes.create_string_buffer(2)
        self._spec = spec
        self._context = self._open(self.window, embeddings=False)
        self._memory = lib.llama_get_memory(self._context)
        self._batch = lib.llama_batch_init(spec.batch, 0, 1)
        self._conversations = [_Conversation(number) for number in range(spec.conversations)]
        self._current = self._conversations[0]
        self._embedder: Any = None

    @property
    def chat_template(self) -> str | None:
        """As the file has it."""
        found = lib.llama_model_chat_template(self.model, None)
        return found.decode("utf-8", "replace") if found else None

    @property
    def pooling(self) -> str | None:
        """Number of the way in which embeddings are pooled, None for a model without.

        As the file says, or where the policy wants embeddings of a chat model, the mean.
        """
        kind = self._described("pooling_type")
        if kind in (_MEAN, _FIRST, _LAST):
            return kind
        return _MEAN if self._spec.embeddings else None

    @property
    def embedding_window(self) -> int:
        """The most tokens of a text that is embedded: one that is read all at once takes memory by the square."""
        return self.window if self._causal else min(self.window, _AT_ONCE)

    @property
    def _causal(self) -> bool:
        """Whether a token sees only those before it, so that a text may be read in batches."""
        return self._described("attention.causal") != "false"

    def said(self, key: str) -> str | None:
        """What the file says under this key, of its first 63 bytes."""
        buffer = ctypes.create_string_buffer(64)
        found = lib.llama_model_meta_val_str(self.model, key.encode(), buffer, 64)
        return None if found < 0 else buffer.value.decode("utf-8", "replace")

    def _described(self, name: str) -> str | None:
        """What the file says of its architecture."""
        return self.said(f"{self.said('general.architecture')}.{name}")

    def stop(self) -> None:
        """Ends the evaluation that runs, or the next one, within a step."""
        self._flag[0] = b"\x01"

    def ready(self) -> None:
        """Takes a stop() back."""
        self._flag[0] = b"\x00"

    def begin(self, prompt: list[int]) -> int:
        """Chooses the conversation that the prompt goes on with; returns how many tokens need no evaluation.

        The last token is always evaluated: what comes next is read off it.
        """
        known = {id(one): _common(one.tokens, prompt) for one in self._conversations}
        best = max(self._conversations, key=lambda one: (known[id(one)], -one.used))
        if known[id(best)] < min(len(prompt), len(best.tokens)) // 2:
            best = min(self._conversations, key=lambda one: one.used)  # another conversation: the oldest gives way
        kept = min(known[id(best)], len(prompt) - 1)
        best.used = time.monotonic()
        self._current = best
        self._forget(kept)
        return len(best.tokens)

    def evaluate(self, tokens: list[int]) -> Logits:
        """Goes on in the conversation; [vocabulary], valid until the next call. Raises Stopped, ModelFault."""
        conversation = self._current
        step = self._spec.batch
        for at in range(0, len(tokens), step):
            chunk = tokens[at : at + step]
            self._fill(chunk, len(conversation.tokens), last=at + step >= len(tokens))
            status = lib.llama_decode(self._context, self._batch)
            if status != 0:
                self._forget(len(conversation.tokens))
                if status == _ABORTED:
                    raise Stopped
                raise ModelFault("crashed", f"llama.cpp gave up with status {status}: {self._complaint()}")
            conversation.tokens += chunk
            self.evaluated += len(chunk)
        pointer = lib.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary.size,))

    @property
    def context(self) -> Any:
        """For the samplers."""
        return self._context

    def warm(self, tokens: int = 32) -> None:
        """Brings the weights into memory."""
        text = [(7 * at + 11) % self.vocabulary.size for at in range(tokens)]
        self.begin(text)
        self.evaluate(text)
        self._forget(0)

    def prefill_speed(self) -> float:
        """Tokens a second that the model reads at the start of a prompt. One whole batch tells: a large model on a
        slow box needs seconds for it."""
        self.warm()
        tokens = min(self._spec.batch, self.window)
        began = time.perf_counter()
        self.warm(tokens)
        return tokens / (time.perf_counter() - began)

    def embed(self, tokens: list[int]) -> list[float]:
        """The text's vector, of length 1. Raises ModelFault, Stopped."""
        if self.pooling is None:
            text = "this model has no embeddings: its file names no pooling; its policy may say `embeddings: true`"
            raise ModelFault("unsupported", text)
        if self._embedder is None:
            self._embedder = self._open(self.embedding_window, embeddings=True)
        lib.llama_memory_clear(lib.llama_get_memory(self._embedder), True)
        step = self._spec.batch if self._causal else self.embedding_window
        total = np.zeros(lib.llama_model_n_embd_out(self.model))
        for at in range(0, len(tokens), step):
            rows = self._states(tokens[at : at + step], at)
            if self.pooling == _MEAN:
                total += rows.sum(axis=0)
            elif self.pooling == _LAST or at == 0:
                total = rows[-1 if self.pooling == _LAST else 0]
        length = float(np.linalg.norm(total))
        return [float(value) for value in (total / length if length else total)]

    def _states(self, tokens: list[int], position: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The last hidden state of each token, [tokens, width]. Raises ModelFault, Stopped."""
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        try:
            _put(batch, tokens, position, 0, range(len(tokens)))
            status = lib.llama_decode(self._embedder, batch)
        finally:
            lib.llama_batch_free(batch)
        if status == _ABORTED:
            raise Stopped
        pointer = lib.llama_get_embeddings(self._embedder) if status == 0 else None
        if not pointer:
            raise ModelFault("crashed", f"llama.cpp made no embedding (status {status}): {self._complaint()}")
        shape = len(tokens), lib.llama_model_n_embd_out(self.model)
        return np.ctypeslib.as_array(pointer, shape=shape).astype(np.float64)

    def _open(self, window: int, *, embeddings: bool) -> Any:
        params = lib.llama_context_default_params()
        sequences = 1 if embeddings else self._spec.conversations
        params.n_ctx = window * sequences
        params.n_seq_max = sequences
        whole = embeddings and not self._causal
        params.n_batch = window if whole else self._spec.batch
        params.n_ubatch = window if whole else self._spec.ubatch
        if embeddings:  # pooled here: llama.cpp would pool each batch by itself
            params.pooling_type = lib.LLAMA_POOLING_TYPE_NONE
        else:
            params.n_outputs_max = sequences  # of last tokens alone; it would make room for a whole batch's
        params.flash_attn_type = _FLASH[self._spec.flash_attention]
        params.type_k = params.type_v = _KV[self._spec.kv]
        params.n_threads = self._spec.threads
        params.n_threads_batch = self._spec.batch_threads
        params.embeddings = embeddings
        params.kv_unified = False  # a conversation's attention must not pay for the others' tokens
        params.swa_full = True  # else a sliding window forgets what the next turn goes on from
        params.no_perf = True
        context = lib.llama_init_from_model(self.model, params)
        if not context:
            raise ModelFault("memory", f"llama.cpp cannot make a window of {window} tokens: {self._complaint()}")
        lib.llama_set_abort_callback(context, flag_reader(), ctypes.addressof(self._flag))
        return context

    def _fill(self, tokens: list[int], position: int, *, last: bool) -> None:
        wanted = range(len(tokens) - 1, len(tokens)) if last else range(0)
        _put(self._batch, tokens, position, self._current.number, wanted)

    def _forget(self, kept: int) -> None:
        """Drops all but the conversation's first `kept` tokens, and what a stopped step has left behind."""
        del self._current.tokens[kept:]
        if not lib.llama_memory_seq_rm(self._memory, self._current.number, kept, -1):
            # A model whose memory cannot be cut, such as a recurrent one: it begins anew.
            lib.llama_memory_seq_rm(self._memory, self._current.number, -1, -1)
            self._current.tokens.clear()

    def _complaint(self) -> str:
        return "; ".join(self._complaints) or "it does not say why"


def _put(batch: Any, tokens: list[int], position: int, sequence: int, wanted: range) -> None:
    """wanted: the indices whose output is needed."""
    batch.n_tokens = len(tokens)
    for index, token in enumerate(tokens):
        batch.token[index] = token
        batch.pos[index] = position + index
        batch.n_seq_id[index] = 1
        batch.seq_id[index][0] = sequence
        batch.logits[index] = index in wanted


def _common(known: list[int], prompt: list[int]) -> int:
    """Length of the common beginning."""
    for at, (one, other) in enumerate(zip(known, prompt, strict=False)):
        if one != other:
            return at
    return min(len(known), len(prompt))
