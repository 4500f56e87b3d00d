"""Messages of a chat completion, built in the order in which the other doors say things."""

from __future__ import annotations

from typing import Any

from moosproxy.proxy.upstreams.crossing.fields import wrong

Content = str | list[dict[str, Any]]


def content(parts: list[dict[str, Any]]) -> Content:
    """Parts of a message: one string where they are nothing but texts, since many servers know nothing else."""
    if all(part.keys() == {"type", "text"} for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _parts(said: Content | None) -> list[dict[str, Any]]:
    if isinstance(said, list):
        return said
    return [{"type": "text", "text": said}] if said else []


class Conversation:
    """What one side says in a row becomes one message where chat completions want it so."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._asked: set[str] = set()
        self._open: set[str] = set()  # calls of the latest message that calls
        self._behind = 0  # where the next of their results stands

    def say(self, role: str, said: Content) -> None:
        """role: system, user or assistant. Templates of open models want one system message, at the beginning."""
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != role or role == "user":
            self.messages.append({"role": role, "content": said})
        elif isinstance(last["content"], str) and isinstance(said, str):
            last["content"] = f"{last['content']}\n\n{said}"
        else:
            last["content"] = [*_parts(last["content"]), *_parts(said)] if last["content"] else said

    def call(self, call_id: str, name: str, arguments: str, **marks: Any) -> None:
        """The assistant calls a tool. arguments: as JSON. marks: further fields of the call."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        if "tool_calls" not in self.messages[-1]:
            self._open, self._behind = set(), len(self.messages)
        made = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **marks}
        self.messages[-1].setdefault("tool_calls", []).append(made)
        self._asked.add(call_id)
        self._open.add(call_id)

    def result(self, call_id: str, text: str, place: str, **marks: Any) -> None:
        """What a tool answered, right behind its call. Raises BadRequest where nobody called.

        place: of the field with the call's id. marks: further fields of the message.
        """
        if call_id not in self._asked:
            raise wrong(place, "names no tool call before it")
        at = self._behind if call_id in self._open else len(self.messages)
        self.messages.insert(at, {"role": "tool", "tool_call_id": call_id, "content": text, **marks})
        self._behind = at + 1
