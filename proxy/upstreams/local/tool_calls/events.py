"""What a reader of tool calls finds beside plain text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that may be called. parameters: its JSON schema."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Tool:
        """From an entry of a request's tools."""
        function = entry["function"]
        return cls(function["name"], function.get("parameters") or {})

    @property
    def properties(self) -> dict[str, Any]:
        """Schemas by the parameters' names."""
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class CallBegins:
    """The model calls a tool; its arguments follow. id: as OpenAI has them."""

    name: str
    id: str = field(default_factory=lambda: f"call_{uuid4().hex[:24]}", compare=False)


@dataclass(frozen=True, slots=True)
class CallArguments:
    """The next piece of the arguments' JSON."""

    text: str


@dataclass(frozen=True, slots=True)
class CallEnds:
    """The arguments are whole."""


Part = str | CallBegins | CallArguments | CallEnds
