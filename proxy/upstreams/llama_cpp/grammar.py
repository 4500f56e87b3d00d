"""What an answer may look like, as a GBNF grammar for llama.cpp: JSON, a schema, a tool call. In the child."""

from __future__ import annotations

import json
import re
from typing import Any

from llama_cpp.llama_grammar import JSON_GBNF, json_schema_to_gbnf

from proxy.upstreams.llama_cpp.faults import ModelFault
from proxy.upstreams.tool_calls import CLOSE, OPEN

# The converter's strings may hold raw line breaks, which JSON forbids.
_ANY_CHARACTER, _JSON_CHARACTER = r'[^"\\] |', r'[^"\\\x7F\x00-\x1F] |'
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


def _from_schema(schema: dict[str, Any], param: str) -> str:
    try:
        return str(json_schema_to_gbnf(json.dumps(schema))).replace(_ANY_CHARACTER, _JSON_CHARACTER)
    except Exception as fault:  # the converter raises whatever the schema leads it to
        raise ModelFault(
            "request", f"the JSON schema cannot be turned into a grammar ({type(fault).__name__})", param
        ) from None
