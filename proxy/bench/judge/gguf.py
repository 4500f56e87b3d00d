"""Greedy answers of a GGUF file, in this process. What prompts have in common is read once, answers are written
side by side: writing one token for eight answers takes little longer than for one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Prompt, Reply
from moosproxy.policies.fields.local import GgufModel
from moosproxy.proxy.bench.judge.lanes import Lanes
from moosproxy.proxy.upstreams.llama_cpp.process.chat_template import ChatTemplate
from moosproxy.proxy.upstreams.llama_cpp.process.engine import Engine
from moosproxy.proxy.upstreams.llama_cpp.process.marks import Guard
from moosproxy.proxy.upstreams.llama_cpp.spec import spec_of
from moosproxy.proxy.upstreams.local.faults import ModelFault

LANES = 8
TAILS = 1024
"""Tokens at most that lanes have each for itself, all together: a token looks at the cells of every lane."""
_EDITION = "1"


@dataclass
class _Lane:
    """One answer that is being written."""

    index: int
    prompt: list[int]
    wanted: Prompt
    out: list[int] = field(default_factory=list)
    text: str = ""
    end: str = ""


class GgufAnswerer:
    """window: tokens that all answers of one turn share."""

    def __init__(self, path: Path, window: int = 8192, threads: int | None = None) -> None:
        """Raises CompressorError for a file that cannot be loaded, or that has no chat template."""
        chosen = GgufModel(path=path, context=window, threads=threads or 0, batch_threads=threads or 0)
        spec = spec_of(chosen, str(path))
        try:
            self._engine = Engine(spec)
            source = self._engine.chat_template
            if not source:
                raise CompressorError(f"{path} has no chat template: a model that was trained to chat is needed")
            vocabulary = self._engine.vocabulary
            self._template = ChatTemplate(source, vocabulary.bos, vocabulary.eos)
        except ModelFault as fault:
            raise CompressorError(f"{path}: {fault}") from None
        self._vocabulary = vocabulary
        self._lanes = Lanes(self._engine.model, spec, self._engine.window, LANES)
        self._window = self._engine.window
        self.name = path.stem
        self.version = f"gguf {_EDITION} {_digest(path)}"
        self.tokenizer = f"gguf:{path}"

    def count(self, text: str) -> int:
        """Tokens of the text alone."""
        return len(self._vocabulary.prompt(text, Guard(self._vocabulary.marks)))

    def answers(self, prompts: Sequence[Prompt], done: Callable[[int, Reply | None], None]) -> None:
        """In the order that reads least: prompts that begin alike follow one another."""
        waiting = []
        for index, prompt in enumerate(prompts):
            tokens = self._rendered(prompt)
            if len(tokens) + prompt.tokens > self._window:
                done(index, None)
            else:
                waiting.append(_Lane(index, tokens, prompt))
        waiting.sort(key=lambda lane: lane.prompt)
        for together in self._turns(waiting):
            began = time.perf_counter()
            self._turn(together)
            each = (time.perf_counter() - began) / len(together)
            for lane in together:
                done(lane.index, Reply(lane.text.strip(), len(lane.prompt), each, lane.end))

    def _rendered(self, prompt: Prompt) -> list[int]:
        guard = Guard(self._vocabulary.marks)
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        try:
            rendered = self._template.render(messages, None, {}, guard)
        except ModelFault as fault:
            raise CompressorError(str(fault)) from None
        return self._vocabulary.prompt(rendered, guard)

    def _turns(self, waiting: list[_Lane]) -> Iterator[list[_Lane]]:
        """As many at once as there are lanes, and as fit into the window beside what they have in common."""
        at = 0
        while at < len(waiting):
            count = 1
            while count < LANES and at + count < len(waiting) and self._fits(waiting[at : at + count + 1]):
                count += 1
            yield waiting[at : at + count]
            at += count

    def _fits(self, lanes: list[_Lane]) -> bool:
        shared = common(lane.prompt for lane in lanes)
        own = sum(len(lane.prompt) - shared + lane.wanted.tokens for lane in lanes)
        return own <= TAILS and shared + own <= self._window

    def _turn(self, lanes: list[_Lane]) -> None:
        shared = min(common(lane.prompt for lane in lanes), min(len(lane.prompt) for lane in lanes) - 1)
        tokens = self._lanes.read(lanes[0].prompt[:shared], [lane.prompt[shared:] for lane in lanes])
        while tokens:
            for number, token in tokens.items():
                self._take(lanes[number], token)
            tokens = self._lanes.write(
                {number: lanes[number].out[-1] for number in tokens if not lanes[number].end}
            )

    def _take(self, lane: _Lane, token: int) -> None:
        if self._vocabulary.ends(token):
            lane.end = "stop"
            return
        lane.out.append(token)
        lane.text = b"".join(map(self._vocabulary.piece, lane.out)).decode("utf-8", "replace")
        if lane.wanted.line and "\n" in lane.text.lstrip():
            lane.text = lane.text.lstrip().split("\n", 1)[0]
            lane.end = "stop"
        elif len(lane.out) >= lane.wanted.tokens:
            lane.end = "length"


def common(prompts: Iterator[list[int]] | Sequence[list[int]]) -> int:
    """Tokens that all begin with."""
    several = iter(prompts)
    first = next(several)
    length = len(first)
    for other in several:
        length = min(length, len(other))
        if first[:length] != other[:length]:
            length = next(at for at in range(length) if first[at] != other[at])
    return length


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
