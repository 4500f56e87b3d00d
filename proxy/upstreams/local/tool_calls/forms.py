"""The forms in which models write tool calls, as patterns that hold for given tools alone.

Hermes and Qwen: `<tool_call>{"name": ..., "arguments": ...}</tool_call>`. Many write the object bare, in a fence,
in a list, or behind a mark of their own; Llama says `parameters`. Qwen's coders also write `<function=name>` and
a `<parameter=name>` for each argument; Llama has JSON behind `<function=name>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import regex

_MARK = r"(?:<tool_call>|<tools>|<function_call>|<\|python_tag\|>|\[TOOL_CALLS\]|```[a-z_]{0,16}[ \t]*\n?)"
_BESIDE = r'(?:"(?:type|id)"\s*+:\s*+"[^"\\]{0,80}"\s*+,\s*+)*+'
_CLOSERS = ("</tool_call>", "</tools>", "</function_call>", "</function>", "<|eom_id|>", "```")
# A fence with a word behind it opens the next block.
_TAIL = regex.compile(
    r"[\s}\],;]*+(?:(?:</tool_call>|</tools>|</function_call>|</function>|<\|eom_id\|>|```(?![a-z_]))[\s}\],;]*+)*+"
)
VALUE_ENDS = regex.compile(r"\n?</parameter>|\n?(?=</function>)")
PARAMETER = regex.compile(r"\s*+<parameter=(?P<name>[^>\n]{1,200})>\n?")
STRING = regex.compile(r'"(?:[^"\\]|\\.)*+"', regex.DOTALL)


def opening(names: Iterable[str]) -> Any:
    """From where a call begins to where its arguments do. names: as they may be written.

    To be searched for behind a line break or other text. Groups: name or function, the tool's; value, the first
    letter of the arguments; none, where there are none. A pattern of the library regex, which can match in part.
    """
    # Some double the outermost braces, as the format strings do that their templates came from.
    known = "|".join(sorted(map(regex.escape, names), reverse=True)) or "(?!)"
    named = rf'"(?:name|function|tool|tool_name)"\s*+:\s*+"(?P<name>{known})"\s*+'
    value = r',\s*+"(?:arguments|parameters|args)"\s*+:\s*+(?P<value>[{"n])'
    begins = rf'\{{\{{?\s*+{_BESIDE}(?:"function"\s*+:\s*+\{{\s*+)?{named}'
    return regex.compile(
        rf"(?:{_MARK}\s*+)++\[?\s*+{begins}(?:{value}|(?P<none>\}}))"
        rf"|(?<=\n)[ \t]*+\[?\s*+{begins}{value}"
        rf"|(?:<tool_call>\s*+)?<function=(?P<function>{known})>\s*+"
    )


def behind(text: str) -> str | None:
    """What follows the end of a call; None where that cannot be told before more has come."""
    rest = text[_matched(text) :]
    if not rest or any(closer.startswith(rest) for closer in _CLOSERS):
        return None
    return rest


def _matched(text: str) -> int:
    found = _TAIL.match(text)
    return found.end() if found else 0


def written(names: Iterable[str]) -> dict[str, str]:
    """As a name stands in JSON or elsewhere -> the name."""
    out = {json.dumps(name, ensure_ascii=short)[1:-1]: name for name in names for short in (True, False)}
    return out | {name: name for name in names}
