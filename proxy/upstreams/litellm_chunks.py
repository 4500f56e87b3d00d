"""litellm's chunks as OpenAI would have sent them. Knows their form, and neither litellm nor a connection."""

from __future__ import annotations

from typing import Any


def whole(answer: Any) -> dict[str, Any]:
    """An answer that is not streamed. litellm puts a refusal beside OpenAI's fields: it goes back into its own."""
    made: dict[str, Any] = answer.model_dump(exclude_none=False)
    for choice in made.get("choices") or ():
        message = choice.get("message") or {}
        own = message.get("provider_specific_fields") or {}
        if own.get("refusal") and not message.get("refusal"):
            message["refusal"] = own["refusal"]
    return made


class Chunks:
    """The chunks of one stream, in their order."""

    def __init__(self) -> None:
        self.ended = False  # whether a chunk has named the reason for the end
        self._last: dict[str, Any] = {}
        self._empty: dict[tuple[int, int], None] = {}  # choice and tool call without any arguments so far

    def shaped(self, chunk: Any) -> list[dict[str, Any]]:
        """One chunk becomes one or two events."""
        event: dict[str, Any] = chunk.model_dump(exclude_none=True)
        for choice in event.get("choices", ()):
            choice.setdefault("finish_reason", None)
            self._note(choice)
        ends = any(choice["finish_reason"] for choice in event.get("choices", ()))
        self.ended = self.ended or ends
        if "usage" in event and not any(c["finish_reason"] or c.get("delta") for c in event.get("choices", ())):
            event["choices"] = []
        self._last = event
        return [*(self.missing() if ends else []), event]

    def missing(self) -> list[dict[str, Any]]:
        """What a tool call without arguments lacks: an empty object, as it has where nothing is streamed.

        Clients parse the arguments, and an empty text is no JSON.
        """
        head = {name: value for name, value in self._last.items() if name not in ("choices", "usage")}
        out = []
        for index, call in self._empty:
            delta = {"tool_calls": [{"index": call, "function": {"arguments": "{}"}}]}
            out.append({**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
        self._empty.clear()
        return out

    def _note(self, choice: dict[str, Any]) -> None:
        for call in choice.get("delta", {}).get("tool_calls") or ():
            place = choice.get("index", 0), call.get("index", 0)
            function = call.get("function") or {}
            if function.get("arguments"):
                self._empty.pop(place, None)
            elif function.get("name"):
                self._empty[place] = None
