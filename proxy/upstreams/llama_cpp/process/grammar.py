"""What an answer may look like, as a GBNF grammar for llama.cpp: JSON, a schema, a tool call. In the child."""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeGuard

from llama_cpp.llama_grammar import JSON_GBNF, RESERVED_NAMES, SchemaConverter

from moosproxy.proxy.upstreams.llama_cpp.process.integers import between
from moosproxy.proxy.upstreams.local.faults import ModelFault
from moosproxy.proxy.upstreams.local.tool_calls import CLOSE, OPEN

# The converter's strings may hold raw line breaks, which JSON forbids.
_ANY_CHARACTER, _JSON_CHARACTER = r'[^"\\] |', r'[^"\\\x7F\x00-\x1F] |'
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
# Where one of these is, the converter looks at nothing else.
_OTHERWISE = ("$ref", "oneOf", "anyOf", "const", "enum")
_ROOT = re.compile(r"^root(?=\s*::=)", re.MULTILINE)


def grammar_for(
    response_format: dict[str, Any] | None,
    tools: list[dict[str, Any]] | None,
    tool_choice: str | dict[str, Any] | None,
    given: str | None,
) -> str | None:
    """The grammar that holds, None for any text. given: the caller's own. Raises ModelFault."""
    if given is not None:
        return given
    if tools and tool_choice is not None and tool_choice not in ("auto", "none"):
        return _tool_call(_chosen(tools, tool_choice))
    kind = (response_format or {}).get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return str(JSON_GBNF)
    schema = ((response_format or {}).get("json_schema") or {}).get("schema")
    if kind != "json_schema" or not isinstance(schema, dict):
        raise ModelFault(
            "request", "response_format must be text, json_object, or json_schema with a schema", "response_format"
        )
    return _from_schema(schema, "response_format")


def _chosen(tools: list[dict[str, Any]], choice: str | dict[str, Any]) -> list[dict[str, Any]]:
    functions = [tool.get("function") or {} for tool in tools]
    if choice == "required":
        return functions
    name = (choice.get("function") or {}).get("name") if isinstance(choice, dict) else None
    found = [function for function in functions if function.get("name") == name]
    if not found:
        raise ModelFault("request", "tool_choice names no tool of the request", "tool_choice")
    return found


def _tool_call(functions: list[dict[str, Any]]) -> str:
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": function.get("name")},
                "arguments": function.get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
        }
        for function in functions
    ]
    inner = _from_schema(calls[0] if len(calls) == 1 else {"anyOf": calls}, "tools")
    return f'root ::= "{OPEN}\\n" call "\\n{CLOSE}"\n' + _ROOT.sub("call", inner)


class _Converter(SchemaConverter):  # type: ignore[misc]
    """llama.cpp's, which knows no bounds of numbers, with those of whole numbers."""

    def visit(self, schema: dict[str, Any], name: str) -> str:
        """The name of the schema's rule."""
        kind = schema.get("type")
        if any(key in schema for key in _OTHERWISE) or not any(key in schema for key in _BOUNDS):
            return str(super().visit(schema, name))
        if isinstance(kind, list):
            return str(super().visit({"anyOf": [{**schema, "type": one} for one in kind]}, name))
        if kind != "integer":
            return str(super().visit(schema, name))
        digits = between(*_bounds(schema))
        if digits is None:
            raise ModelFault("request", "the JSON schema asks for a whole number, but its bounds leave none")
        return str(self._add_rule(f"{name}-" if name in RESERVED_NAMES else name or "root", f"({digits}) space"))


def _bounds(schema: dict[str, Any]) -> tuple[int | None, int | None]:
    """The least and the most. An exclusive bound is a number, or, in old schemas, says that the other one is."""
    least: list[int] = []
    most: list[int] = []
    for keys, bounds, sign in ((_BOUNDS[:2], least, 1), (_BOUNDS[2:], most, -1)):
        plain, exclusive = (schema.get(key) for key in keys)
        if _is_number(plain):
            bounds.append(math.ceil(sign * plain) + (exclusive is True and plain == math.ceil(plain)))
        if _is_number(exclusive):
            bounds.append(math.floor(sign * exclusive) + 1)
    return max(least, default=None), -max(most) if most else None


def _is_number(value: Any) -> TypeGuard[float]:
    """One that a grammar can be made for: beyond 64 bits nobody counts, and the rule would be very long."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e19


def _from_schema(schema: dict[str, Any], param: str) -> str:
    try:
        converter = _Converter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        # Resolving changes the schema, which is the caller's.
        converter.visit(converter.resolve_refs(json.loads(json.dumps(schema)), "stdin"), "")
        return str(converter.format_grammar()).replace(_ANY_CHARACTER, _JSON_CHARACTER)
    except ModelFault as fault:
        raise ModelFault(fault.kind, fault.message, param) from None
    except Exception as fault:  # the converter raises whatever the schema leads it to
        raise ModelFault(
            "request", f"the JSON schema cannot be turned into a grammar ({type(fault).__name__})", param
        ) from None
