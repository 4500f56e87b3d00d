"""Splits generated text into plain text and tool calls, as it comes."""

from __future__ import annotations

from collections.abc import Sequence

from moosproxy.proxy.upstreams.local.tool_calls.arguments import (
    Arguments,
    JsonArguments,
    NoArguments,
    QuotedArguments,
    XmlArguments,
)
from moosproxy.proxy.upstreams.local.tool_calls.events import CallArguments, CallBegins, CallEnds, Part, Tool
from moosproxy.proxy.upstreams.local.tool_calls.forms import behind, opening, written


class ToolCallReader:
    """Knows a call by the name of one of the tools. What only looks like a call stays text, letter for letter.

    However the text is cut into pieces, the calls and the text around them are the same.
    """

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._names = written([*self._tools])
        self._opening = opening(self._names)
        self._held = ""
        self._before = "\n"  # the letter before what is held: an object at the beginning of a line may be a call
        self._arguments: Arguments | None = None
        self._behind = False

    @property
    def arguing(self) -> bool:
        """Whether the arguments of a call, as JSON, are being read."""
        return isinstance(self._arguments, JsonArguments)

    def feed(self, text: str) -> list[Part]:
        """What is certain so far, in order."""
        self._held += text
        out: list[Part] = []
        while self._step(out):
            pass
        return _joined(out)

    def finish(self) -> list[Part]:
        """The rest, once no more text comes."""
        out: list[Part] = []
        if self._arguments is not None:
            text, whole = self._arguments.finish(self._held)
            out.append(CallArguments(text))
            if whole:
                out.append(CallEnds())
        elif not self._behind:
            out.append(self._held)
        self._held, self._arguments, self._behind = "", None, False
        return _joined(out)

    def _step(self, out: list[Part]) -> bool:
        """Whether there may be more to find in what is held."""
        if self._arguments is not None:
            return self._argue(self._arguments, out)
        if not self._behind:
            return self._look(out)
        rest = behind(self._held)
        if rest is None:
            return False
        self._held, self._before, self._behind = rest, "\n", False
        return True

    def _argue(self, arguments: Arguments, out: list[Part]) -> bool:
        text, self._held, whole = arguments.feed(self._held)
        out.append(CallArguments(text))
        if whole:
            out.append(CallEnds())
            self._arguments, self._behind = None, True
        return whole

    def _look(self, out: list[Part]) -> bool:
        found = self._opening.search(self._before + self._held, 1, partial=True)
        at = found.start() - 1 if found else len(self._held)
        self._show(at, out)
        if found is None or found.partial:
            return False
        self._held = self._held[found.end() - found.start() :]
        name = self._names[found["name"] or found["function"]]
        self._arguments = NoArguments()
        if found["function"]:
            self._arguments = XmlArguments(self._tools[name].properties)
        elif found["value"]:
            self._held = found["value"] + self._held
            self._arguments = JsonArguments() if found["value"] == "{" else QuotedArguments()
        out.append(CallBegins(name))
        return True

    def _show(self, size: int, out: list[Part]) -> None:
        if size:
            out.append(self._held[:size])
            self._before = self._held[size - 1]
            self._held = self._held[size:]


def _joined(parts: list[Part]) -> list[Part]:
    """Without what is empty."""
    return [part for part in parts if part not in ("", CallArguments(""))]
