"""Schemas that a grammar can hold in part only: what is left of them for the grammar, and the check of the answer.

In the child. The check is jsonschema's, which fetches nothing here; patterns, the one thing that could take for
ever, are read by regex with a bound of time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import regex
from jsonschema import Draft202012Validator, SchemaError, ValidationError, validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from moosproxy.proxy.upstreams.llama_cpp.process.grammars import json_schema
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.json_schema import Check
from moosproxy.proxy.upstreams.local.tool_calls.events import CallArguments, CallBegins, Tool
from moosproxy.proxy.upstreams.local.tool_calls.reader import ToolCallReader

_UNHELD = frozenset(
    (
        *("not", "if", "then", "else", "uniqueItems", "contains", "minContains", "maxContains", "dependencies"),
        *("dependentRequired", "dependentSchemas", "propertyNames", "unevaluatedItems", "unevaluatedProperties"),
    )
)
_OPENS = frozenset({"if", "then", "else", "dependentSchemas", "dependencies"})
"""They may name properties that stand nowhere else."""
_MAY_GO = ("pattern", "maxProperties", "minProperties", "multipleOf", "patternProperties", "allOf", "anyOf")
_MOST = 20
_PATTERN_S = 0.2


def loosened(schema: dict[str, Any], check: Check) -> dict[str, Any] | None:
    """A copy of what a grammar can hold of it, None where it is wrong in itself. schema: as the request has it."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return None
    copy: dict[str, Any] = json.loads(json.dumps(schema))
    for _, part in json_schema.parts(copy):
        _without_unheld(part)
    copy = json_schema.prepared(copy)
    for _ in range(_MOST):
        if not check(copy):
            return copy
        _, part, _ = json_schema.smallest_wrong(copy, check)
        if not _mended(part, json_schema.shared(copy), check):
            return None
    return None


def _without_unheld(part: dict[str, Any]) -> None:
    names = _UNHELD & part.keys()
    if names & _OPENS:
        part.setdefault("additionalProperties", True)
    for name in names:
        del part[name]


def _mended(part: dict[str, Any], shared: dict[str, Any], check: Check) -> bool:
    """Leaves out the one word that cannot be held, if there is one."""
    if "oneOf" in part and "anyOf" not in part:
        part["anyOf"] = part.pop("oneOf")
        return True
    for name in (name for name in _MAY_GO if name in part):
        rest = {key: value for key, value in part.items() if key != name}
        if not check({**shared, **rest}):
            del part[name]
            return True
    return False


class Loose:
    """The schemas of a request that a grammar holds in part only."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.tools: dict[str, dict[str, Any]] = {}

    def add(self, schema: dict[str, Any], tool: str | None) -> None:
        """schema: all of it. tool: whose, None for the answer's own."""
        if tool is None:
            self.answer = schema
        else:
            self.tools[tool] = schema


class Afterwards:
    """The check of one answer that is finished."""

    def __init__(self, loose: Loose) -> None:
        self._loose = loose
        self._text: list[str] = []

    def feed(self, text: str) -> None:
        """What has been shown."""
        self._text.append(text)

    def fault(self) -> str | None:
        """Where the answer does not fit its schema, and the word of the schema; None where it does."""
        for schema, text in self._values("".join(self._text)):
            try:
                for error in _Validator(schema, registry=Registry()).iter_errors(json.loads(text)):
                    return f"{error.json_path}: {error.validator}"
            except (ValueError, RecursionError, Unresolvable) as fault:
                return f"not checked: {type(fault).__name__}"
        return None

    def _values(self, text: str) -> Iterator[tuple[dict[str, Any], str]]:
        if self._loose.answer is not None:
            yield self._loose.answer, text
        if not self._loose.tools:
            return
        reader = ToolCallReader([Tool(name) for name in self._loose.tools])
        name, arguments = "", ""
        for part in [*reader.feed(text), *reader.finish(), CallBegins("")]:
            if isinstance(part, CallArguments):
                arguments += part.text
            elif isinstance(part, CallBegins):
                if name:
                    yield self._loose.tools[name], arguments
                name, arguments = part.name, ""


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, str):
        return
    try:
        fits = regex.search(pattern, instance, timeout=_PATTERN_S) is not None
    except (regex.error, TimeoutError):
        fits = False
    if not fits:
        yield ValidationError("does not match")


_Validator: Any = validators.extend(Draft202012Validator, {"pattern": _pattern})
