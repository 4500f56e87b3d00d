"""One answer from prompt to end: evaluation, sampling, text, stop strings, log probabilities. In the child."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moosproxy.proxy.upstreams.llama_cpp.process.engine import Engine, Logits, Stopped
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.argument_watch import ArgumentWatch
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.constraint import Constraint
from moosproxy.proxy.upstreams.llama_cpp.process.repeats import Repeats
from moosproxy.proxy.upstreams.llama_cpp.process.sampling import Sampler, Sampling
from moosproxy.proxy.upstreams.local.faults import too_long
from moosproxy.proxy.upstreams.local.stop_text import StopText


@dataclass(frozen=True, slots=True)
class Job:
    """max_tokens: more than fit are as many as fit, None as well. logprobs: how many alternatives to show.

    constraint: what the answer must be; closed at its end. watch: where tools may be called. repeats: where the
    answer is tool calls and nothing else.
    """

    prompt: list[int]
    sampling: Sampling
    constraint: Constraint | None = None
    watch: ArgumentWatch | None = None
    repeats: Repeats | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None


@dataclass(slots=True)
class _Progress:
    reason: str = "stop"
    completion: int = 0
    prompt_s: float = 0.0
    first_s: float = 0.0
    answer_s: float = 0.0
    held: list[dict[str, Any]] = field(default_factory=list)
    met: str | None = None


def generate(engine: Engine, job: Job) -> Iterator[dict[str, Any]]:
    """Events for the parent: begin, any number of text, end. Raises ModelFault.

    A stopped generation ends with the reason `stopped`; what it has evaluated by then stays for the next turn.
    """
    size = len(job.prompt)
    if size >= engine.window:
        raise too_long(size, engine.window)
    sampler = Sampler(engine.vocabulary.size, job.sampling, job.constraint)
    progress = _Progress()
    try:
        cached = engine.begin(job.prompt)
        yield {"event": "begin", "prompt_tokens": size, "cached_tokens": cached}
        try:
            yield from _answer(engine, job, sampler, cached, progress)
        except Stopped:
            progress.reason = "stopped"
    finally:
        sampler.close()
    yield {
        "event": "end",
        "reason": progress.reason,
        "stop": progress.met,
        "prompt_tokens": size,
        "cached_tokens": cached,
        "completion_tokens": progress.completion,
        "timings": {
            "prompt_n": size - cached,
            "prompt_ms": round(progress.prompt_s * 1000, 2),
            "first_token_ms": round(progress.first_s * 1000, 2),
            "predicted_n": progress.completion,
            "predicted_ms": round(progress.answer_s * 1000, 2),
        },
    }


def _answer(
    engine: Engine, job: Job, sampler: Sampler, cached: int, progress: _Progress
) -> Iterator[dict[str, Any]]:
    began = time.perf_counter()
    logits = engine.evaluate(job.prompt[cached:])
    progress.prompt_s = time.perf_counter() - began
    room = engine.window - len(job.prompt)
    longest = min(room, job.max_tokens or room)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    stop = StopText(job.stop)
    while True:
        token = sampler.sample(engine.context, logits)
        progress.answer_s = time.perf_counter() - began - progress.prompt_s
        progress.first_s = progress.first_s or time.perf_counter() - began
        if engine.vocabulary.ends(token):
            break
        progress.completion += 1
        if job.logprobs is not None:
            progress.held.append(_logprob(engine, logits, token, job.logprobs))
        text, stopped = stop.feed(decoder.decode(engine.vocabulary.piece(token)))
        if job.watch is not None and text:
            sampler.constraint = job.watch.feed(text)
        if job.repeats is not None:
            text, again = job.repeats.feed(text)
            text += job.repeats.rest() if stopped and not again else ""
            stopped = stopped or again
        if stopped:
            progress.met = stop.met
            progress.held.clear()  # the tokens of the stop string, which is not shown
        yield from _text(text, progress)
        if stopped:
            return
        if progress.completion >= longest:
            progress.reason = "length"
            break
        logits = engine.evaluate([token])
    rest = stop.feed(decoder.decode(b"", final=True))[0] + stop.rest()
    yield from _text(job.repeats.feed(rest)[0] + job.repeats.rest() if job.repeats else rest, progress)


def _text(text: str, progress: _Progress) -> Iterator[dict[str, Any]]:
    if text:
        yield {"event": "text", "text": text, "logprobs": progress.held}
        progress.held = []


def _logprob(engine: Engine, logits: Logits, token: int, alternatives: int) -> dict[str, Any]:
    """OpenAI's entry for one token, of the model's own distribution before temperature and bounds."""
    shifted = logits.astype(np.float64) - float(logits.max())
    logs = shifted - np.log(np.exp(shifted).sum())
    top: list[int] = []
    if alternatives:
        chosen = np.argpartition(logs, -alternatives)[-alternatives:]
        top = [int(index) for index in chosen[np.argsort(-logs[chosen], kind="stable")]]
    return {**_entry(engine, token, float(logs[token])), "top_logprobs": [
        _entry(engine, index, float(logs[index])) for index in top
    ]}  # fmt: skip


def _entry(engine: Engine, token: int, logprob: float) -> dict[str, Any]:
    piece = engine.vocabulary.piece(token)
    return {"token": piece.decode("utf-8", "replace"), "logprob": max(logprob, -9999.0), "bytes": list(piece)}
