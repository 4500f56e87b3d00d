"""One model in memory, with its soft compressors: prompt to pieces, pieces to text. Blocking; knows no HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers.decoders import DecodeStream

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.models.reading import Reading
from moosproxy.compressor.soft.weights.loading import load
from moosproxy.policies.fields.soft import HfModel
from moosproxy.proxy.upstreams.local.answers import Ending, Piece
from moosproxy.proxy.upstreams.local.faults import ModelFault, too_long
from moosproxy.proxy.upstreams.local.stop_text import StopText
from moosproxy.proxy.upstreams.soft_told import SoftPart
from moosproxy.proxy.upstreams.transformers.composers import composer
from moosproxy.proxy.upstreams.transformers.prompt import Job, Prompt
from moosproxy.proxy.upstreams.transformers.sampling import Sampler


@dataclass(frozen=True, slots=True)
class Begun:
    """The prompt is there. parts: its long texts. seconds: that compressing them took."""

    parts: list[SoftPart]
    seconds: float


class Engine:
    """Loading takes long; everything is for one thread at a time."""

    def __init__(self, model: HfModel, state: Path | None = None) -> None:
        """state: where what a GGUF file holds is kept. Raises ModelFault where something cannot be loaded."""
        try:
            self._base, tokenizer = load(model.path, model.dtype, model.device, state)
            self._composer = composer(model, self._base, tokenizer)
        except SoftError as fault:
            raise ModelFault("file", str(fault)) from None
        self._tokenizer = tokenizer
        limit = getattr(self._base.config, "max_position_embeddings", model.context)
        self._window = min(model.context, int(limit))
        ends = self._base.model.generation_config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])

    @torch.inference_mode()
    def generate(self, job: Job) -> Iterator[Piece | Ending | Begun]:
        """Begun once the prompt is known to fit, then text, then the ending. Raises ModelFault."""
        prompt = self._composer.compose(job)
        if job.stop.is_set():
            return
        if prompt.positions >= self._window:
            raise too_long(prompt.positions, self._window)
        yield Begun(prompt.told, prompt.compression_s)
        began = time.perf_counter()
        reading = Reading(self._base)
        states = reading.read(prompt.pieces)
        prompt_s = time.perf_counter() - began
        reason, completion = "stop", 0
        sampler = Sampler(job.message["sampling"], self._base.device)
        decoder = DecodeStream(skip_special_tokens=True)
        stop = StopText(job.message["stop"])
        longest = min(job.message.get("max_tokens") or self._window, self._window - prompt.positions)
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
        return self._composer.count(message)


def _ending(reason: str, prompt: Prompt, completion: int, prompt_s: float, answer_s: float) -> Ending:
    return Ending(
        "length" if reason == "length" else "stop",
        prompt.text + prompt.vectors,
        completion,
        timings={
            "prompt_ms": round(1000 * prompt_s, 2),
            "predicted_ms": round(1000 * answer_s, 2),
            **prompt.timings(),
        },
        prompt_details=prompt.details(),
    )
