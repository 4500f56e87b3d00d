"""A chat completion as a message: its events in the published order, and the whole of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.doors.base import Body
from moosproxy.proxy.upstreams.base import UpstreamFault
from moosproxy.proxy.upstreams.crossing.parts import (
    Begins,
    CallArguments,
    CallBegins,
    Counted,
    Ends,
    Part,
    Text,
)

Event = dict[str, Any]
_STOPS = {"length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class MessageWriter:
    """Takes the parts of one answer in their order."""

    def __init__(self, body: Body) -> None:
        """body: of the request."""
        self._message: dict[str, Any] = {
            "id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "model": body.get("model") or "",
            "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(Counted(0, 0)),
        }  # fmt: skip
        self._open = False
        self._arguments = ""

    def whole(self) -> dict[str, Any]:
        """The message as far as it has come."""
        return {**self._message, "content": list(self._message["content"])}

    def feed(self, part: Part) -> Iterator[Event]:
        """What clients are told of a part."""
        match part:
            case Begins():
                self._message["model"] = part.model or self._message["model"]
                yield {"type": "message_start", "message": self.whole()}
                yield {"type": "ping"}
            case Text():
                if not self._open or self._block["type"] != "text":
                    yield from self._begin({"type": "text", "text": ""})
                self._block["text"] += part.text
                yield self._delta(type="text_delta", text=part.text)
            case CallBegins():
                yield from self._begin({"type": "tool_use", "id": part.id, "name": part.name, "input": {}})
            case CallArguments():
                self._arguments += part.text
                yield self._delta(type="input_json_delta", partial_json=part.text)
            case Ends():
                self._stop(part)
            case Counted():
                self._message["usage"] = _usage(part)

    def end(self) -> Iterator[Event]:
        """The last events. Raises UpstreamFault where the arguments of a call are no JSON object."""
        yield from self._close()
        self._message["stop_reason"] = self._message["stop_reason"] or "end_turn"
        delta = {name: self._message[name] for name in ("stop_reason", "stop_sequence")}
        yield {"type": "message_delta", "delta": delta, "usage": self._message["usage"]}
        yield {"type": "message_stop"}

    def fail(self, message: str) -> Iterator[Event]:
        """The answer broke off: the door's error event says so."""
        return iter(())

    @property
    def _block(self) -> dict[str, Any]:
        last: dict[str, Any] = self._message["content"][-1]
        return last

    def _delta(self, **delta: Any) -> Event:
        return {"type": "content_block_delta", "index": len(self._message["content"]) - 1, "delta": delta}

    def _begin(self, block: dict[str, Any]) -> Iterator[Event]:
        yield from self._close()
        self._message["content"].append(block)
        self._open, self._arguments = True, ""
        index = len(self._message["content"]) - 1
        yield {"type": "content_block_start", "index": index, "content_block": dict(block)}

    def _close(self) -> Iterator[Event]:
        if not self._open:
            return
        self._open = False
        if self._block["type"] == "tool_use":
            cut = self._message["stop_reason"] == "max_tokens"
            self._block["input"] = _input(self._arguments, cut=cut)
        yield {"type": "content_block_stop", "index": len(self._message["content"]) - 1}

    def _stop(self, ends: Ends) -> None:
        reason = _STOPS.get(ends.reason, "end_turn")
        if reason == "end_turn" and ends.stop is not None:
            reason, self._message["stop_sequence"] = "stop_sequence", ends.stop
        self._message["stop_reason"] = reason


def _input(arguments: str, *, cut: bool) -> dict[str, Any]:
    """Of a call that was cut off there is nothing that could be run. Raises UpstreamFault."""
    try:
        found = any_json.exact((arguments or "{}").encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    if cut:
        return {}
    raise UpstreamFault("protocol", "its model called a tool with arguments that are no JSON object")


def _usage(counted: Counted) -> dict[str, Any]:
    """Anthropic counts what came from a cache apart."""
    return {
        "input_tokens": max(counted.prompt - counted.cached, 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counted.cached,
        "output_tokens": counted.completion,
    }
