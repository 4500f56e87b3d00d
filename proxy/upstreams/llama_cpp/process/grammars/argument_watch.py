"""Holds the arguments of a tool call to their schema from where the model itself begins them. In the child.

Where a model may call tools but need not, no grammar can hold before it has chosen. Once it has written a tool's
name and the first brace behind it, the schema's grammar takes over until the arguments are whole.
"""

from __future__ import annotations

from typing import Any

from moosproxy.proxy.upstreams.llama_cpp.process.grammars.constraint import Grammars, Guided
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import of_schema
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.lenient import Loose
from moosproxy.proxy.upstreams.llama_cpp.process.vocabulary import Vocabulary
from moosproxy.proxy.upstreams.local.faults import ModelFault
from moosproxy.proxy.upstreams.local.tool_calls.events import CallArguments, CallBegins, Tool
from moosproxy.proxy.upstreams.local.tool_calls.reader import ToolCallReader


class ArgumentWatch:
    """For one answer. Where a schema cannot be held the arguments are the model's own affair."""

    def __init__(
        self, tools: list[dict[str, Any]], vocabulary: Vocabulary, grammars: Grammars, *, lenient: bool
    ) -> None:
        """lenient: hold of a schema what can be held."""
        self._lenient = lenient
        self._tools = {tool.name: tool for tool in map(Tool.of, tools)}
        self._reader = ToolCallReader([*self._tools.values()])
        self._vocabulary = vocabulary
        self._grammars = grammars
        self._current: Guided | None = None

    def feed(self, text: str) -> Guided | None:
        """What holds for the next token, after this text."""
        begun: Tool | None = None
        written = ""
        for part in self._reader.feed(text):
            if isinstance(part, CallBegins):
                begun, written = self._tools[part.name], ""
            elif isinstance(part, CallArguments):
                written += part.text
        if begun is not None and self._reader.arguing:
            self._current = self._held(begun, written)
        elif self._current is not None and (self._current.done or not self._reader.arguing):
            self._current = None
        return self._current

    def _held(self, tool: Tool, written: str) -> Guided | None:
        """written: the arguments so far, which end where a token does."""
        try:
            loose = Loose() if self._lenient else None
            grammar = of_schema(tool.parameters or {"type": "object"}, "tools", loose=loose)
            guided = self._grammars.guided(grammar)
        except ModelFault:
            return None
        return guided if guided.follow(self._vocabulary.tokens(written, add_special=False)) else None
