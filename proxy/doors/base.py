"""What a door is: all that the proxy knows of one shape of requests, in one place. Knows no policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.errors import BadRequest, Told, envelope

Body = Mapping[str, Any]
Texts = Callable[[Body], list[TextPart]]
Calls = Callable[[Any], Iterator[tuple[str, str]]]
Shape = Callable[[Told, str], bytes]
Rates = Callable[[Iterable["Standing"], float], list[tuple[bytes, bytes]]]

CALL_CHARS = 300
"""So much of a tool call's arguments is read."""

_OPENAI_RATES = {
    unit: tuple(f"x-ratelimit-{what}-{unit}".encode() for what in ("limit", "remaining", "reset"))
    for unit in ("requests", "tokens")
}
_PUNCTUATION = str.maketrans('{}[]":,', "       ")


def openai_error(told: Told, request_id: str) -> bytes:
    """OpenAI's error object."""
    return envelope(told.message, told.kind, told.param, told.code)


def openai_event(told: Told, request_id: str) -> bytes:
    """The same as an event of a stream that has begun."""
    return b"data: " + openai_error(told, request_id) + b"\n\n"


class Standing(NamedTuple):
    """What is left of one rate. unit: `requests` or `tokens` a minute. resets: seconds since 1970."""

    unit: str
    limit: int
    left: int
    resets: float


def openai_rates(standings: Iterable[Standing], now: float) -> list[tuple[bytes, bytes]]:
    """The headers in which OpenAI tells of rates. now: seconds since 1970."""
    found: list[tuple[bytes, bytes]] = []
    for unit, limit, left, resets in standings:
        named = _OPENAI_RATES[unit]
        found += zip(named, (b"%d" % limit, b"%d" % left, b"%.1fs" % max(0.0, resets - now)), strict=True)
    return found


def nothing_to_check(body: Body) -> None:
    """Everything is the upstream's to judge."""


def no_turns(body: Body) -> list[Any]:
    """The body is no conversation."""
    return []


@dataclass(frozen=True, slots=True)
class Door:
    """One endpoint and those below it that take the same body.

    root: the first segment of its paths; whatever lies below has its error shape. paths: where a POST has such a
    body; each is its own name in log and metrics. pages: path -> method -> operation, for the OpenAPI description.
    texts: every text of a body, in order; a shape that it does not know is left out, and so goes out as it came.
    None where bodies have none that may be shortened. turns: the messages that TextPart.message counts.
    calls: the tool calls in a message, as id and words; None where messages do not follow from each other.
    main: the field that the texts are in. beside: fields that say that the prompt is more than its texts.
    check: raises BadRequest where a field that we read has a wrong type.
    error, event: our own errors in the door's shape, as a body and inside a stream; they get the request's id.
    rates: headers that tell what is left of rates.
    """

    root: str
    paths: frozenset[str]
    pages: Mapping[str, Mapping[str, Any]]
    texts: Texts | None = None
    turns: Callable[[Body], list[Any]] = no_turns
    calls: Calls | None = None
    main: str = ""
    beside: frozenset[str] = field(default_factory=frozenset)
    check: Callable[[Body], None] = nothing_to_check
    error: Shape = openai_error
    event: Shape = openai_event
    rates: Rates = openai_rates

    def find(self, body: Body) -> list[TextPart]:
        """Every text that may be shortened, in order."""
        return self.texts(body) if self.texts is not None else []


OTHER = Door("", frozenset(), {})
"""Whatever else is relayed."""


def operation(summary: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An entry of the OpenAPI description. schema: of the JSON body."""
    out: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": "The answer"}},
        "tags": ["API"],
    }
    if schema is not None:
        out["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return out


def check_model(body: Body) -> None:
    """Raises BadRequest unless `model` is a string or absent."""
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise BadRequest("model must be a string.", param="model", code="invalid_type")


def check_objects(body: Body, name: str, what: str) -> None:
    """Raises BadRequest unless the field is an array of objects. what: their name in the plural."""
    entries = body.get(name)
    if not isinstance(entries, list):
        raise BadRequest(f"{name} must be an array of {what}.", param=name, code="invalid_type")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            place = f"{name}[{index}]"
            raise BadRequest(f"{place} must be an object.", param=place, code="invalid_type")


def listed(value: Any) -> list[Any]:
    """The value if it is a list, else none of its entries."""
    return value if isinstance(value, list) else []


def kind_of(entry: Any, default: str = "") -> str:
    """The `type` of an object; empty for whatever has none that is a string."""
    return text_of(entry.get("type", default)) if isinstance(entry, dict) else ""


def text_of(value: Any) -> str:
    """The value if it is a string, else nothing."""
    return value if isinstance(value, str) else ""


def words(arguments: Any) -> str:
    """The arguments of a tool call as words: JSON in a string, or what it stands for. Bounded, in linear time."""
    if isinstance(arguments, str):
        return " ".join(arguments[:CALL_CHARS].translate(_PUNCTUATION).split())
    found: list[str] = []
    size = 0
    todo = [arguments]
    while todo and size < CALL_CHARS:
        value = todo.pop()
        if isinstance(value, dict):
            todo += [entry for pair in reversed(list(value.items())[:CALL_CHARS]) for entry in reversed(pair)]
        elif isinstance(value, list):
            todo += reversed(value[:CALL_CHARS])
        elif value is not None:
            found.append(words(str(value)[: CALL_CHARS - size]))
            size += len(found[-1]) + 1
    return " ".join(filter(None, found))
