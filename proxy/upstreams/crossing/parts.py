"""What a chat completion says, piece by piece, alike for a whole answer and for the chunks of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.doors.base import kind_of, listed, text_of
from moosproxy.proxy.upstreams.base import UpstreamFault


@dataclass(frozen=True, slots=True)
class Begins:
    """model: as the upstream names it; empty where it does not."""

    model: str


@dataclass(frozen=True, slots=True)
class Text:
    """Never empty."""

    text: str
    refusal: bool = False


@dataclass(frozen=True, slots=True)
class CallBegins:
    """A tool is called; its arguments follow."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """The next piece of the arguments' JSON, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Ends:
    """reason: stop, length, tool_calls or content_filter. stop: the stop text that was met, where it is told."""

    reason: str
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens; cached are those of the prompt that were read before, reasoning those of the answer not shown."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0


Part = Begins | Text | CallBegins | CallArguments | Ends | Counted


class ChatReader:
    """Reads one answer. Reasoning beside the text is left out."""

    def __init__(self) -> None:
        self._begun = False
        self._blank = ""  # what may turn out to be nothing but space before a call
        self._shown = False
        self._call: tuple[Any, str] | None = None
        self.ended = False

    def whole(self, answer: dict[str, Any]) -> Iterator[Part]:
        """Of a whole chat completion. Raises UpstreamFault where it is none."""
        for choice in listed(answer.get("choices"))[:1]:
            message = choice.get("message") if isinstance(choice, dict) else None
            if isinstance(message, dict):
                calls = [{**call, "index": number} for number, call in enumerate(_calls(message))]
                said = {**choice, "delta": {**message, "tool_calls": calls}}
                yield from self.chunk({**answer, "choices": [said]})
        if not self.ended:
            raise UpstreamFault("protocol", "its answer is no chat completion")

    def chunk(self, chunk: dict[str, Any]) -> Iterator[Part]:
        """Of one chunk of a stream. Raises UpstreamFault where it tells of a failure."""
        if chunk.get("error"):
            error = chunk["error"]
            said = text_of(error.get("message")) if isinstance(error, dict) else text_of(error)
            own = "it failed while it answered"  # for the log: its own words may quote the prompt
            raise UpstreamFault("broken", said or own, own)
        if not self._begun:
            self._begun = True
            yield Begins(text_of(chunk.get("model")))
        for choice in listed(chunk.get("choices"))[:1]:
            if isinstance(choice, dict):
                yield from self._choice(choice)
        if isinstance(chunk.get("usage"), dict):
            yield _counted(chunk["usage"])

    def _choice(self, choice: dict[str, Any]) -> Iterator[Part]:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for part in self._text(_said(delta.get("content"))):
                self._call = None  # text ends a call: what came for it afterwards would be lost
                yield part
            if refusal := text_of(delta.get("refusal")):
                yield Text(refusal, refusal=True)
            for call in _calls(delta):
                yield from self._called(call)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and not self.ended:
            self.ended = True
            if self._blank and self._call is None:
                yield Text(self._blank)
            stop = choice.get("stop_reason")  # of vLLM and of our own models
            yield Ends(
                "tool_calls" if reason == "function_call" else reason, stop if isinstance(stop, str) else None
            )

    def _text(self, text: str) -> Iterator[Part]:
        self._blank += text
        if self._blank and (self._shown or self._blank.strip()):
            yield Text(self._blank)
            self._blank, self._shown = "", True

    def _called(self, call: dict[str, Any]) -> Iterator[Part]:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        index, given, name = call.get("index"), text_of(call.get("id")), text_of(function.get("name"))
        known = self._call
        # Some servers count no calls, and some repeat id and name in every chunk.
        if name and (known is None or index != known[0] or (given and given != known[1])):
            self._call = index, given
            self._blank, self._shown = "", False
            yield CallBegins(given or f"call_{uuid4().hex[:24]}", name)
        elif known is None or index != known[0]:
            raise UpstreamFault("protocol", "it wrote arguments of a tool call that it had not begun")
        if arguments := _written(function.get("arguments")):
            yield CallArguments(arguments)


def _said(content: Any) -> str:
    """A string, or the texts of parts, as some servers write. Raises UpstreamFault for what would be lost."""
    parts = content if isinstance(content, list) else []
    parts = [part for part in parts if kind_of(part) not in ("thinking", "reasoning")]
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            raise UpstreamFault("protocol", "its answer has a part that is no text")
    return "".join(part["text"] for part in parts) or text_of(content)


def _written(arguments: Any) -> str:
    """JSON, also where a server gives the object itself."""
    return any_json.dumps(arguments).decode() if isinstance(arguments, dict) else text_of(arguments)


def _calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for call in listed(message.get("tool_calls")) if isinstance(call, dict)]


def _counted(usage: dict[str, Any]) -> Counted:
    prompt, completion = (usage.get("prompt_tokens_details"), usage.get("completion_tokens_details"))
    return Counted(
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _count(prompt, "cached_tokens"),
        _count(completion, "reasoning_tokens"),
    )


def _count(holder: Any, name: str) -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, int) and value > 0 else 0
