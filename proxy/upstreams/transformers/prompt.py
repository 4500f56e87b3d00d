"""What a model reads for a conversation: text as tokens, long texts as memory, as far as that is possible.

Memory is kept by chunk: a text that was asked about before costs nothing, and one that has grown its end alone.
Blocking; knows no HTTP.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import numpy as np
import torch

from moosproxy.compressor.soft.chunks import compressed, stable_chunks
from moosproxy.compressor.soft.errors import ContextTooLong, RatioNotTrained, SoftError
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.memory import Memory, joined
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.reading import Piece
from moosproxy.proxy.cache.key import KeySpace
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.upstreams.local.faults import ModelFault
from moosproxy.proxy.upstreams.soft_told import SoftPart, SoftWish
from moosproxy.proxy.upstreams.transformers.conversation import Long, segments
from moosproxy.proxy.upstreams.transformers.store import MemoryStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One request. message: as `local.request.chat` made it. soft: None for text only. stop: set to end it."""

    message: dict[str, Any]
    soft: SoftWish | None
    team: str | None
    stop: Event = field(default_factory=Event)


@dataclass(slots=True)
class Prompt:
    """What the model reads. text, vectors: tokens of either kind; original: those that the vectors stand for.

    span: positions of the vectors. chunks: those that were computed. ids: all of the text as tokens. told: what
    became of each long text.
    """

    pieces: list[Piece] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    text: int = 0
    vectors: int = 0
    original: int = 0
    span: int = 0
    chunks: int = 0
    told: list[SoftPart] = field(default_factory=list)
    compression_s: float = 0.0

    @property
    def positions(self) -> int:
        """Of the window, that it takes."""
        return self.text + self.span

    def add_text(self, ids: list[int], device: torch.device) -> None:
        """Tokens behind what is there."""
        self.pieces.append(torch.tensor([ids], device=device))
        self.ids += ids
        self.text += len(ids)

    def details(self) -> dict[str, int]:
        """Further counts of the prompt's tokens."""
        if not self.vectors:
            return {}
        return {"text_tokens": self.text, "soft_tokens": self.vectors, "original_tokens": self.original}

    def timings(self) -> dict[str, float]:
        """What compression took: texts that something was computed for, texts for which nothing was, chunks."""
        made = [part for part in self.told if part.reason is None]
        reused = sum(part.reused for part in made)
        return {
            "soft_ms": round(1000 * self.compression_s, 2),
            "soft_computed": len(made) - reused,
            "soft_reused": reused,
            "soft_chunks": self.chunks,
        }


class _NotPossible(Exception):
    def __init__(self, reason: SkipReason, said: str) -> None:
        super().__init__(said)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Composer:
    """Belongs to one model, and to one thread at a time. prints: digests of the compressors, by method."""

    base: FrozenModel
    tokenizer: Any
    compressors: dict[str, SoftCompressor]
    prints: dict[str, str]
    store: MemoryStore
    longest_part: int

    def compose(self, job: Job) -> Prompt:
        """Raises ModelFault. A job that is stopped has its prompt cut short."""
        prompt = Prompt()
        for segment in segments(job.message, self._is_long(job.soft), self._render(job.message)):
            if job.stop.is_set():
                break
            text = segment.text if isinstance(segment, Long) else segment
            ids = self.ids(text)
            memory = self._memory(text, ids, job, prompt) if isinstance(segment, Long) else None
            if memory is None:
                prompt.add_text(ids, self.base.device)
                continue
            assert job.soft is not None
            prompt.pieces += [memory, self.compressors[job.soft.method].marker("go_on")]
            prompt.vectors += memory.tokens
            prompt.original += memory.original
            prompt.span += memory.span + 1
        return prompt

    def count(self, message: dict[str, Any]) -> int:
        """Tokens of the prompt where nothing of it becomes soft memory. Raises ModelFault."""
        parts = segments(message, lambda role, text: False, self._render(message))
        return sum(len(self.ids(part)) for part in parts if isinstance(part, str))

    def ids(self, text: str) -> list[int]:
        """The text's tokens, without any that the model would have at its beginning."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _is_long(self, soft: SoftWish | None) -> Callable[[str, str], bool]:
        def is_long(role: str, text: str) -> bool:
            # A token has at least one byte: most texts are told short without counting.
            if soft is None or role not in soft.roles or len(text.encode("utf-8", "replace")) < soft.min_tokens:
                return False
            return text not in soft.whole and bool(text.strip()) and len(self.ids(text)) >= soft.min_tokens

        return is_long

    def _memory(self, text: str, ids: list[int], job: Job, prompt: Prompt) -> Memory | None:
        """From the store or made now; None where that is not possible and the text goes as text.

        Raises ModelFault where the policy wants it refused.
        """
        assert job.soft is not None
        before = prompt.chunks
        try:
            memory = self._compressed(ids, job, job.soft, prompt)
        except _NotPossible as fault:
            if job.soft.reject:
                raise ModelFault("soft", f"soft compression is not possible: {fault}") from None
            log.warning("soft compression left a text as it is (%s): %s", fault.reason, fault)
            prompt.told.append(SoftPart(text, fault.reason, len(ids), len(ids)))
            return None
        if memory is not None:
            reused = prompt.chunks == before
            prompt.told.append(SoftPart(text, None, memory.original, memory.tokens, reused))
        return memory

    def _compressed(self, ids: list[int], job: Job, soft: SoftWish, prompt: Prompt) -> Memory | None:
        """None where the job was stopped. Raises _NotPossible."""
        compressor = self.compressors.get(soft.method)
        if compressor is None:
            known = ", ".join(self.compressors) or "none"
            said = f"this model has no {soft.method} compressor (it has {known}); see its `compressors`"
            raise _NotPossible(SkipReason.SOFT_METHOD, said)
        try:
            # One that is no whole number was not trained either.
            compressor.config.check(int(soft.ratio) if soft.ratio == int(soft.ratio) else soft.ratio)  # type: ignore[arg-type]
            if len(ids) > self.longest_part:
                allowed = f"is longer than max_part_tokens allows ({self.longest_part})"
                raise ContextTooLong(f"a text of {len(ids)} tokens {allowed}")
            return self._joined(ids, compressor, job, soft, prompt)
        except RatioNotTrained as fault:
            raise _NotPossible(SkipReason.SOFT_RATIO, str(fault)) from None
        except ContextTooLong as fault:
            raise _NotPossible(SkipReason.SOFT_TOO_LONG, str(fault)) from None
        except SoftError as fault:
            raise _NotPossible(SkipReason.FAILED, str(fault)) from None
        except (RuntimeError, MemoryError) as fault:
            if "memory" not in str(fault) and not isinstance(fault, MemoryError):
                raise
            said = f"there is not enough memory to compress a text of {len(ids)} tokens"
            raise _NotPossible(SkipReason.SOFT_MEMORY, said) from None

    def _joined(
        self, ids: list[int], compressor: SoftCompressor, job: Job, soft: SoftWish, prompt: Prompt
    ) -> Memory | None:
        ratio = int(soft.ratio)
        scope = (job.team, self.base.fingerprint, soft.method, self.prints[soft.method], str(ratio))
        space, numbers = KeySpace(scope), np.array(ids, dtype="<i4")
        chunks = stable_chunks(compressor, len(ids))
        keys = {chunk: space.key(numbers[chunk.start : chunk.stop].tobytes()) for chunk in chunks}
        found = {chunk: memory for chunk, key in keys.items() if (memory := self.store.get(key)) is not None}
        missing = [chunk for chunk in chunks if chunk not in found]
        if missing:
            began = time.perf_counter()
            tensor = torch.tensor([ids], device=self.base.device)
            for chunk, memory in compressed(compressor, tensor, missing, ratio, lambda: not job.stop.is_set()):
                found[chunk] = memory
                self.store.put(keys[chunk], memory.to(torch.device("cpu")))
                prompt.chunks += 1
            self.store.prune()
            prompt.compression_s += time.perf_counter() - began
        if len(found) < len(chunks):
            return None
        return joined([found[chunk].to(self.base.device) for chunk in chunks], self.base)

    def _render(self, message: dict[str, Any]) -> Callable[[list[Any]], str]:
        options = message.get("template_options") or {}
        tools = message.get("tools")

        def render(messages: list[Any]) -> str:
            try:
                written: str = self.tokenizer.apply_chat_template(
                    messages, tools=tools, tokenize=False, add_generation_prompt=True, **options
                )
            except (
                Exception
            ) as fault:  # a template raises what it likes; it is the caller's messages that it refuses
                raise ModelFault(
                    "request", f"the model's chat template refuses the messages ({fault})", "messages"
                ) from None
            return written

        return render
