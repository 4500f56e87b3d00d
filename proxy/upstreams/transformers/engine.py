"""One model in memory, with its soft compressors: prompt to pieces, pieces to text. Blocking; knows no HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import torch
from tokenizers.decoders import DecodeStream

from moosproxy.compressor.soft.errors import ContextTooLong, SoftError
from moosproxy.compressor.soft.models import checkpoint
from moosproxy.compressor.soft.models.base import load_base
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.reading import Piece as SoftPiece
from moosproxy.compressor.soft.models.reading import Reading
from moosproxy.policies.fields.soft import HfModel
from moosproxy.proxy.cache.key import KeySpace
from moosproxy.proxy.upstreams.base import SoftWish
from moosproxy.proxy.upstreams.local.answers import Ending, Piece
from moosproxy.proxy.upstreams.local.faults import ModelFault, too_long
from moosproxy.proxy.upstreams.local.stop_text import StopText
from moosproxy.proxy.upstreams.transformers.conversation import Long, segments
from moosproxy.proxy.upstreams.transformers.sampling import Sampler
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
class _Prompt:
    """What the model reads. text, vectors: tokens of either kind; original: those that the vectors stand for."""

    pieces: list[SoftPiece] = field(default_factory=list)
    text: int = 0
    vectors: int = 0
    original: int = 0
    span: int = 0
    computed: int = 0
    reused: int = 0
    compression_s: float = 0.0


class Engine:
    """Loading takes long; everything is for one thread at a time."""

    def __init__(self, model: HfModel) -> None:
        """Raises ModelFault where model or compressors cannot be loaded."""
        try:
            self._base, self._tokenizer = load_base(model.path, model.dtype, model.device)
            made = [(folder, checkpoint.load(folder, self._base)) for folder in model.compressors]
        except SoftError as fault:
            raise ModelFault("file", str(fault)) from None
        self._compressors: dict[str, SoftCompressor] = {each.config.method: each for _, each in made}
        self._prints: dict[str, str] = {each.config.method: checkpoint.digest(folder) for folder, each in made}
        limit = getattr(self._base.config, "max_position_embeddings", model.context)
        self._window = min(model.context, int(limit))
        self._longest_part = model.max_part_tokens
        folder = model.memory_dir
        self._store = MemoryStore(model.memory_mb << 20, folder, model.memory_dir_mb << 20)
        ends = self._base.model.generation_config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])

    @torch.inference_mode()
    def generate(self, job: Job) -> Iterator[Piece | Ending | None]:
        """None once the prompt is known to fit, then text, then the ending. Raises ModelFault."""
        prompt = self._prompt(job)
        wanted = job.message.get("max_tokens")
        if prompt.text + prompt.span >= self._window:
            raise too_long(prompt.text + prompt.span, self._window)
        yield None
        began = time.perf_counter()
        reading = Reading(self._base)
        states = reading.read(prompt.pieces)
        prompt_s = time.perf_counter() - began
        reason, completion = "stop", 0
        sampler = Sampler(job.message["sampling"], self._base.device)
        decoder = DecodeStream(skip_special_tokens=True)
        stop = StopText(job.message["stop"])
        longest = min(wanted or self._window, self._window - prompt.text - prompt.span)
        while not job.stop.is_set():
            token = sampler.draw(self._base.head(states[:, -1]))
            if token in self._ends:
                break
            completion += 1
            text, stopped = stop.feed(decoder.step(self._tokenizer.backend_tokenizer, token) or "")
            if text:
                yield Piece(text)
            if stopped:
                break
            if completion >= longest:
                reason = "length"
                break
            states = reading.read([torch.tensor([[token]], device=self._base.device)])
        if rest := stop.rest():
            yield Piece(rest)
        ending = _ending(reason, prompt, completion, prompt_s, time.perf_counter() - began - prompt_s)
        yield replace(ending, stop=stop.met)

    def count(self, message: dict[str, Any]) -> int:
        """Tokens of the prompt where nothing of it becomes soft memory. Raises ModelFault."""
        parts = segments(message, lambda role, text: False, self._render(message))
        return sum(len(self._ids(part)) for part in parts if isinstance(part, str))

    def _prompt(self, job: Job) -> _Prompt:
        """The conversation in order, long texts as memory as far as the policy wants it and it can be had."""
        prompt = _Prompt()
        for segment in segments(job.message, self._is_long(job.soft), self._render(job.message)):
            if job.stop.is_set():
                break
            memory = self._memory(segment, job, prompt) if isinstance(segment, Long) else None
            if memory is None:
                ids = self._ids(segment.text if isinstance(segment, Long) else segment)
                prompt.pieces.append(torch.tensor([ids], device=self._base.device))
                prompt.text += len(ids)
                continue
            assert job.soft is not None
            prompt.pieces += [memory, self._compressors[job.soft.method].marker("go_on")]
            prompt.vectors += memory.tokens
            prompt.original += memory.original
            prompt.span += memory.span + 1
        return prompt

    def _is_long(self, soft: SoftWish | None) -> Any:
        def is_long(role: str, text: str) -> bool:
            # A token has at least one byte: most texts are told short without counting.
            if soft is None or role not in soft.roles or len(text.encode("utf-8", "replace")) < soft.min_tokens:
                return False
            return bool(text.strip()) and len(self._ids(text)) >= soft.min_tokens

        return is_long

    def _memory(self, long: Long, job: Job, prompt: _Prompt) -> Memory | None:
        """From the store or made now; None where it failed and the text goes as text. Raises ModelFault."""
        assert job.soft is not None
        try:
            return self._compressed(long.text, job.soft, job.team, prompt)
        except SoftError as fault:
            said = str(fault)
        except (RuntimeError, MemoryError) as fault:
            if "memory" not in str(fault) and not isinstance(fault, MemoryError):
                raise
            said = f"there is not enough memory to compress a text of {len(long.text)} characters"
        if job.soft.reject:
            raise ModelFault("soft", f"soft compression is not possible: {said}")
        log.warning("soft compression left a text as it is: %s", said)
        return None

    def _compressed(self, text: str, soft: SoftWish, team: str | None, prompt: _Prompt) -> Memory:
        compressor = self._compressors.get(soft.method)
        if compressor is None:
            known = ", ".join(self._compressors) or "none"
            raise SoftError(f"this model has no {soft.method} compressor (it has {known}); see its `compressors`")
        compressor.config.check(soft.ratio)
        scope = (team, self._base.fingerprint, soft.method, self._prints[soft.method], str(soft.ratio))
        key = KeySpace(scope).key(text.encode("utf-8", "surrogatepass"))
        found = self._store.get(key)
        if found is not None:
            prompt.reused += 1
            return found.to(self._base.device)
        ids = self._ids(text)
        if len(ids) > self._longest_part:
            raise ContextTooLong(
                f"a text of {len(ids)} tokens is longer than max_part_tokens allows ({self._longest_part})"
            )
        began = time.perf_counter()
        memory = compressor.compress(torch.tensor([ids], device=self._base.device), soft.ratio)
        prompt.compression_s += time.perf_counter() - began
        prompt.computed += 1
        self._store.put(key, memory.to(torch.device("cpu")))
        return memory

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _render(self, message: dict[str, Any]) -> Any:
        options = message.get("template_options") or {}
        tools = message.get("tools")

        def render(messages: list[Any]) -> str:
            try:
                written: str = self._tokenizer.apply_chat_template(
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


def _ending(reason: str, prompt: _Prompt, completion: int, prompt_s: float, answer_s: float) -> Ending:
    details = {}
    if prompt.vectors:
        details = {"text_tokens": prompt.text, "soft_tokens": prompt.vectors, "original_tokens": prompt.original}
    return Ending(
        "length" if reason == "length" else "stop",
        prompt.text + prompt.vectors,
        completion,
        timings={
            "prompt_ms": round(1000 * prompt_s, 2),
            "predicted_ms": round(1000 * answer_s, 2),
            "soft_ms": round(1000 * prompt.compression_s, 2),
            "soft_computed": prompt.computed,
            "soft_reused": prompt.reused,
        },
        prompt_details=details,
    )
