"""Plain data to the models of policies.files.document: every fault in words, and what can be salvaged."""

from __future__ import annotations

import types
from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from moosproxy.policies.faults import KeyPath, did_you_mean
from moosproxy.policies.files.reading import Document

M = TypeVar("M", bound=BaseModel)

_HINTS = {
    "team": "did you mean 'teams'?",
    "api_base": "did you mean 'base_url'?",
    "model_list": "upstreams are listed under 'upstreams'",
}


def validate(model: type[M], document: Document) -> M | None:
    """The document as a model; faults go into the document.

    Where something is wrong, the smallest piece around it is left out and the rest is returned, so that the
    caller can look for further faults in it. None when nothing is left.
    """
    data = deepcopy(document.data)
    for attempt in range(20):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = _plain(detail["loc"])
                if attempt == 0:
                    document.add(path, _reason(model, detail, path, document.is_replaced(path)))
                if not _prune(data, path):
                    return None
    return None


def _plain(location: tuple[int | str, ...]) -> KeyPath:
    """Without the tags that tell the forms of a value apart, and without the mark of a faulty mapping key."""
    return tuple(
        step for step in location if not (isinstance(step, str) and (step.startswith("<") or step == "[key]"))
    )


def _prune(data: Any, path: KeyPath) -> bool:
    """Take the deepest existing mapping entry on the path out of data.

    An item of a list first gives way to an empty mapping, so that the positions of the others stay; where that
    will not do either, the list goes out whole.
    """
    parent, key = None, ""
    if _blanked(data, path):
        return True
    for step in path:
        if isinstance(data, dict) and isinstance(step, str) and step in data:
            parent, key = data, step
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            # The entry is missing: what must go is the mapping that lacks it.
            break
    if parent is None:
        return False
    del parent[key]
    return True


def _blanked(data: Any, path: KeyPath) -> bool:
    for step in path[:-1]:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return False
    last = path[-1] if path else None
    if isinstance(data, list) and isinstance(last, int) and last < len(data) and data[last] != {}:
        data[last] = {}
        return True
    return False


def _reason(model: type[BaseModel], detail: ErrorDetails, path: KeyPath, secret: bool) -> str:
    last = str(path[-1]) if path else ""
    known = [] if not path else _keys_at(model, path[:-1])
    if detail["input"] is None and detail["type"].endswith("_type"):
        return "is empty: fill it or delete the key"
    match detail["type"]:
        case "extra_forbidden":
            hint = f"; {_HINTS[last]}" if last in _HINTS else did_you_mean(last, known)
            return f"unknown key{hint}"
        case "missing":
            return "is missing"
        case "literal_error" | "enum":
            expected = detail["ctx"]["expected"].replace("'", "")
            given = detail["input"]
            if secret or not isinstance(given, str):
                return f"must be one of: {expected}"
            options = expected.replace(" or ", ", ").split(", ")
            return f"{given!r} is not one of: {expected}{did_you_mean(given, options)}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type" | "model_attributes_type" | "mapping_type" | "dict_type":
            return "must be a mapping"
        case "tuple_type" | "frozen_set_type" | "list_type":
            return "must be a list"
        case "string_type":
            return "must be text: put it in quotes"
        case "string_pattern_mismatch":
            return "must begin with a letter or digit, then letters, digits, dots, dashes and underscores only"
    return detail["msg"].replace("Input should be", "must be", 1)


def _keys_at(annotation: Any, path: KeyPath) -> list[str]:
    """The keys that a mapping at this path may have, as far as the types say."""
    found: list[str] = []
    for candidate in _unwrapped(annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            fields = candidate.model_fields
            if not path:
                found += list(fields)
            elif path[0] in fields:
                found += _keys_at(fields[str(path[0])].annotation, path[1:])
        elif path and isinstance(origin := get_origin(candidate), type):
            arguments = get_args(candidate)
            inner = arguments[-1] if issubclass(origin, Mapping) else arguments[0]
            found += _keys_at(inner, path[1:])
    return found


def _unwrapped(annotation: Any) -> list[Any]:
    """The members of a union, without the metadata around them."""
    if get_origin(annotation) is Annotated:
        return _unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [found for member in get_args(annotation) for found in _unwrapped(member)]
    return [annotation]
