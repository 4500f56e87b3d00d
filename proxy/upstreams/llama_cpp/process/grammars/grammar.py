"""What an answer may look like, as a grammar for llguidance: JSON, a schema, tool calls. In the child."""

from __future__ import annotations

import json
from typing import Any

import llguidance

from moosproxy.proxy.upstreams.llama_cpp.process.grammars import json_schema, lenient
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.json_schema import Path
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.lenient import Loose
from moosproxy.proxy.upstreams.local.faults import ModelFault

_OPTIONS = {
    # As models write JSON: a space, or a line break with its indent. Without a bound some write nothing else.
    "whitespace_flexible": False,
    "whitespace_pattern": r"( |\n{1,2}[ \t]{0,20})",
}
_MOST_CALLS = 16
_ANY = {"type": "object"}


def grammar_for(
    response_format: dict[str, Any] | None,
    tools: list[dict[str, Any]] | None,
    tool_choice: str | dict[str, Any] | None,
    *,
    parallel: bool = True,
    loose: Loose | None = None,
) -> str | None:
    """The grammar that holds, None for any text. parallel: whether several tools may be called.

    loose: takes the schemas that are held in part only; None where that is not enough. Raises ModelFault.
    """
    if tools and tool_choice is not None and tool_choice not in ("auto", "none"):
        return _tool_calls(tools, tool_choice, parallel, loose)
    kind = (response_format or {}).get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return of_schema(_ANY, "response_format")
    schema = ((response_format or {}).get("json_schema") or {}).get("schema")
    if kind != "json_schema" or not isinstance(schema, dict):
        raise ModelFault(
            "request", "response_format must be text, json_object, or json_schema with a schema", "response_format"
        )
    return of_schema(schema, "response_format", ("response_format", "json_schema", "schema"), loose)


def of_schema(schema: dict[str, Any], param: str, before: Path = (), loose: Loose | None = None) -> str:
    """before: where the schema stands in the request. loose: as for grammar_for. Raises ModelFault."""
    return _compiled(_checked(schema, param, before, loose))


def _checked(
    schema: dict[str, Any], param: str, before: Path, loose: Loose | None, tool: str | None = None
) -> dict[str, Any]:
    try:
        if not json_schema.too_deep(schema):
            return _held(schema, param, before, loose, tool)
    except RecursionError:  # what checks a schema takes several calls for a level
        pass
    where = ".".join(map(str, before)) or param
    raise ModelFault("request", f"{where}: the JSON schema is nested too deeply", param)


def _held(
    schema: dict[str, Any], param: str, before: Path, loose: Loose | None, tool: str | None
) -> dict[str, Any]:
    if (place := json_schema.numbers_fit(schema)) is not None:
        raise json_schema.refuse({}, lambda _: "", "a whole number beyond 64 bits", param, (*before, *place))
    ready = json_schema.prepared(schema)
    wrong = _wrong(ready)
    if not wrong:
        return ready
    held = lenient.loosened(schema, _wrong) if loose is not None else None
    if loose is None or held is None:
        raise json_schema.refuse(ready, _wrong, wrong, param, before)
    loose.add(schema, tool)
    return held


def _wrong(schema: dict[str, Any]) -> str:
    try:
        return str(llguidance.LLMatcher.validate_grammar(_compiled(schema)))
    except ValueError as fault:
        return str(fault)


def _compiled(schema: dict[str, Any]) -> str:
    return str(llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=_OPTIONS))


def _tool_calls(
    tools: list[dict[str, Any]], choice: str | dict[str, Any], parallel: bool, loose: Loose | None
) -> str:
    """Calls as Hermes models write them, which every reader of tool calls knows."""
    chosen = _chosen(tools, choice)
    rules = []
    for index in chosen:
        function = tools[index].get("function") or {}
        place = ("tools", index, "function", "parameters")
        schema = _checked(function.get("parameters") or _ANY, "tools", place, loose, function.get("name"))
        inner = json.dumps({**schema, "x-guidance": _OPTIONS})
        head = json.dumps(f'{{"name": {json.dumps(function.get("name"))}, "arguments": ', ensure_ascii=False)
        rules.append(f'tool{index}: {head} arguments{index} "}}"\narguments{index}: %json {inner}\n')
    several = f' ("\\n" call){{0,{_MOST_CALLS - 1}}}' if parallel and choice == "required" else ""
    names = " | ".join(f"tool{index}" for index in chosen)
    call = f'call: "<tool_call>\\n" any "\\n</tool_call>"\nany: {names}\n'
    return str(llguidance.LLMatcher.grammar_from_lark(f"start: call{several}\n{call}{''.join(rules)}"))


def _chosen(tools: list[dict[str, Any]], choice: str | dict[str, Any]) -> list[int]:
    """Their places in the list."""
    if choice == "required":
        return list(range(len(tools)))
    name = (choice.get("function") or {}).get("name") if isinstance(choice, dict) else None
    found = [index for index, tool in enumerate(tools) if (tool.get("function") or {}).get("name") == name]
    if not found:
        raise ModelFault("request", "tool_choice names no tool of the request", "tool_choice")
    return found[:1]
