"""What both mappings ask of a field. Whatever has no counterpart in a chat completion is refused by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moosproxy.proxy.errors import BadRequest

# Fields of chat completions, published or common among servers of open models, that may stand in any body.
CHATS_OWN = frozenset(
    {
        *("seed", "min_p", "top_k", "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias"),
        *("chat_template_kwargs", "temperature", "top_p"),
    }
)


@dataclass(frozen=True, slots=True)
class Reach:
    """What an upstream's chat takes beside texts. marks: `cache_control`, of providers behind litellm."""

    images: bool = False
    marks: bool = False


def wrong(name: str, what: str) -> BadRequest:
    """The field has a wrong type or value."""
    return BadRequest(f"{name} {what}", param=name, code="invalid_value")


def unmapped(name: str, why: str = "") -> BadRequest:
    """The field means something that chat completions do not have."""
    said = f"{name} cannot be mapped onto chat completions, which are all that this model's upstream has"
    return BadRequest(f"{said}{': ' if why else '.'}{why}", param=name, code="unsupported_parameter")


def check_known(
    body: Mapping[str, Any], known: frozenset[str], only: Mapping[str, Sequence[Any]], why: Mapping[str, str]
) -> None:
    """Raises BadRequest for the first field that is not known, or has a value other than `only` names.

    why: for some fields what to do instead.
    """
    for name, value in body.items():
        if value is None or name in known or value in only.get(name, ()):
            continue
        raise unmapped(name, why.get(name, ""))


def objects(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place. Raises BadRequest."""
    if not isinstance(value, list):
        raise wrong(place, "must be an array")
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise wrong(f"{place}[{index}]", "must be an object")
        yield f"{place}[{index}]", entry


def string(holder: Mapping[str, Any], name: str, place: str = "") -> str:
    """A field that must be a string. place: of its holder. Raises BadRequest."""
    value = holder.get(name)
    if not isinstance(value, str):
        raise wrong(f"{place}.{name}" if place else name, "must be a string")
    return value


def positive(body: Mapping[str, Any], name: str) -> int:
    """A field that must be a whole number above 0. Raises BadRequest."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise wrong(name, "must be a whole number of at least 1")
    return value


def function(entry: Mapping[str, Any], parameters: Any, place: str) -> dict[str, Any]:
    """A tool as chat completions have it. Raises BadRequest."""
    made = {"name": string(entry, "name", place), "parameters": parameters or {"type": "object", "properties": {}}}
    made |= {name: entry[name] for name in ("description", "strict") if entry.get(name) is not None}
    return {"type": "function", "function": made}
