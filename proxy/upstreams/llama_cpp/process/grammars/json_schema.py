"""JSON schemas for llguidance: what it cannot hold is refused, with its place in the request. In the child."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from moosproxy.proxy.upstreams.local.faults import ModelFault

Path = tuple[str | int, ...]
"""Keys and positions, from the outside in."""
Check = Callable[[dict[str, Any]], str]
"""What is wrong with a schema; an empty text if nothing is."""

_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
_FORMATS = frozenset(
    (
        *(
            "date",
            "date-time",
            "duration",
            "email",
            "hostname",
            "idn-email",
            "idn-hostname",
            "ipv4",
            "ipv6",
            "iri",
        ),
        *("iri-reference", "json-pointer", "regex", "relative-json-pointer", "time", "uri", "uri-reference"),
        *("uri-template", "uuid"),
    )
)
"""JSON Schema's own. Another one is a remark for the reader, as the specification says: it is passed over."""
_NEGATED = re.compile(r"\\.|\[\^((?:\\.|[^\]\\])+)\]", re.DOTALL)
_SHORTHAND = re.compile(r"\\[SWDP]")
_LARGEST = 2**63
_DEEPEST = 200
_LOOKED_AT = 500
"""Parts of a schema that is refused: the place of what is wrong in a huge one is told less exactly."""


def prepared(schema: dict[str, Any], *, closed: bool = True) -> dict[str, Any]:
    """A copy without remarks that hold nothing.

    closed: an object whose properties are named has no others, unless the schema says that it may. What is written
    so fits the schema as well, and small models would fill objects with what nobody asked for.
    """
    copy: dict[str, Any] = json.loads(json.dumps(schema))
    all_parts = list(parts(copy))
    joined = any("allOf" in part or ("$ref" in part and "properties" in part) for _, part in all_parts)
    for _, part in all_parts:
        if part.get("format") not in _FORMATS:
            part.pop("format", None)
        if isinstance(part.get("pattern"), str):
            part["pattern"] = _without_controls(part["pattern"])
        if closed and not joined and part.get("properties") and "patternProperties" not in part:
            part.setdefault("additionalProperties", False)
    return copy


def _without_controls(pattern: str) -> str:
    """The pattern, with control characters left out of every class that says what it does not hold.

    llguidance takes quotes and backslashes for members of a class that has control characters: all of them are
    escaped in JSON.
    """

    def replaced(found: re.Match[str]) -> str:
        inside = found[1]
        return found[0] if inside is None or _SHORTHAND.search(inside) else rf"[^\u0000-\u001f{inside}]"

    return _NEGATED.sub(replaced, pattern)


def refuse(schema: dict[str, Any], check: Check, reason: str, param: str, before: Path = ()) -> ModelFault:
    """The complaint, with the place of the smallest part of the schema that is wrong by itself.

    schema: prepared. reason: what is wrong with the whole of it. before: where the schema stands in the request.
    """
    path, _, found = smallest_wrong(schema, check)
    where = _written((*before, *path))
    text = f"{where}: this part of the JSON schema cannot be held: {_line(found or reason)}"
    return ModelFault("request", text, param)


def smallest_wrong(schema: dict[str, Any], check: Check) -> tuple[Path, dict[str, Any], str]:
    """The smallest part that is wrong by itself: its place, the part, and what is wrong; else the whole of it."""
    common = shared(schema)
    worst: tuple[Path, dict[str, Any], str] = ((), schema, "")
    smallest = len(json.dumps(schema))
    for place, part in islice(parts(schema), 1, _LOOKED_AT):
        size = len(json.dumps(part))
        if size < smallest and ("$ref" not in part or not worst[0]) and (found := check({**common, **part})):
            worst, smallest = (place, part, found), size
    return worst


def shared(schema: dict[str, Any]) -> dict[str, Any]:
    """What its parts refer to."""
    return {name: schema[name] for name in ("$defs", "definitions") if name in schema}


def numbers_fit(schema: Any) -> Path | None:
    """Where a whole number stands that is too large to be held as it is; None if there is none."""
    if isinstance(schema, int) and not isinstance(schema, bool) and abs(schema) >= _LARGEST:
        return ()
    entries: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(schema, dict):
        entries = iter(schema.items())
    elif isinstance(schema, list):
        entries = iter(enumerate(schema))
    for name, entry in entries:
        if (found := numbers_fit(entry)) is not None:
            return (name, *found)
    return None


def too_deep(schema: Any, depth: int = 0) -> bool:
    """Whether it is nested deeper than anyone's parser likes."""
    if depth > _DEEPEST:
        return True
    entries = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return any(too_deep(entry, depth + 1) for entry in entries)


def parts(schema: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every schema in a schema, from the outside in."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for name in _ONE:
        yield from parts(schema.get(name), (*path, name))
    for name in _LISTS:
        entries = schema.get(name)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            yield from parts(entry, (*path, name, index))
    if isinstance(schema.get("items"), list):
        for index, entry in enumerate(schema["items"]):
            yield from parts(entry, (*path, "items", index))
    for name in _NAMED:
        entries = schema.get(name)
        for key, entry in (entries if isinstance(entries, dict) else {}).items():
            yield from parts(entry, (*path, name, key))


def _written(path: Path) -> str:
    """response_format.json_schema.schema.properties.a, anyOf[1]"""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _line(reason: str) -> str:
    """llguidance draws arrows under patterns: the words of it on one line."""
    if "coerce_one_of" in reason:
        return "oneOf is held where its branches exclude each other, and these may overlap; use anyOf"
    return " ".join(reason.split())[:300]
