"""Like records, in an array or one on each row: which of them tell most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Unit
from moosproxy.compressor.text import json_grammar

MANY = 8
"""Of an array of fewer records none is left out."""
VALUE = 64
"""Characters of a value that are compared."""
NAMED = 8.0
"""What a term of the question weighs beside the surprise (in nats) of a record's rarest value."""
EXTREME = 1.0
NEW = 1.0
EDGE = 0.5


class Record(NamedTuple):
    """One object: character span, and the values of its keys as they are written, containers as their opener."""

    start: int
    end: int
    fields: dict[str, str]


@dataclass(slots=True)
class _Open:
    """A container that is being read. records: its objects; None once anything else was in it."""

    sign: str
    start: int
    key: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    records: list[Record] | None = field(default_factory=list)


def record_units(text: str, span: Span, asked: Asked) -> list[Unit]:
    """Elements of long arrays of like records in a valid container, ranked, each with the comma before it; the
    first element stays, so that what is left is an array without any mark too."""
    units: list[Unit] = []
    for records in _arrays(text, span):
        ranks = _ranks(text, records, asked)
        for (_, before, _), (_, end, _), rank in zip(records, records[1:], ranks[1:], strict=False):
            units.append(Unit(before, end, rank=rank, noun=Noun.ITEMS, wrap=Wrap.JSON))
    return units


def line_units(text: str, spans: Sequence[Span], asked: Asked) -> list[Unit]:
    """Documents that stand one on each row, ranked; none if they are not many like records."""
    records = [record for span in spans for record in _top(text, span)]
    if len(records) < len(spans) or not _alike(records):
        return []
    ranks = _ranks(text, records, asked)
    return [Unit(start, end, rank=rank) for (start, end, _), rank in zip(records, ranks, strict=True)]


def _top(text: str, span: Span) -> Iterator[Record]:
    """The container itself, if it is an object."""
    if text[span[0]] == "{":
        yield from (record for record, depth in _records(text, span, []) if depth == 0)


def _arrays(text: str, span: Span) -> list[list[Record]]:
    """The outermost arrays of many like records, ascending."""
    found: list[list[Record]] = []
    for _ in _records(text, span, found):
        pass
    return found


def _records(text: str, span: Span, arrays: list[list[Record]]) -> Iterator[tuple[Record, int]]:
    """Every object with its depth, as it ends; arrays of many like ones are put into `arrays`."""
    stack: list[_Open] = []
    for token in _tokens(text, span):
        group = token.lastgroup
        if group == "open":
            stack.append(_Open(token["open"], token.start("open")))
        elif group == "mark":
            if token["mark"] == ",":
                stack[-1].key = ""
        elif group == "close":
            ended = stack.pop()
            record = Record(ended.start, token.end(), ended.fields)
            if ended.sign == "{":
                yield record, len(stack)
            elif ended.records is not None and _alike(ended.records):
                while arrays and arrays[-1][0].start > ended.start:
                    arrays.pop()
                arrays.append(ended.records)
            if stack:
                _put(stack[-1], ended.sign, record if ended.sign == "{" else None)
        else:
            _put(stack[-1], token[group or 0][:VALUE], None)


def _tokens(text: str, span: Span) -> Iterator[json_grammar.Token]:
    position, end = span
    while position < end and (token := json_grammar.TOKEN.match(text, position, end)):
        yield token
        position = token.end()


def _put(parent: _Open, value: str, record: Record | None) -> None:
    """A key or value into the object, or an element into the array, that it is in."""
    if parent.sign == "[":
        if record is None:
            parent.records = None
        elif parent.records is not None:
            parent.records.append(record)
    elif not parent.key:
        parent.key = value
    else:
        parent.fields[parent.key] = value


def _alike(records: Sequence[Record]) -> bool:
    """Whether there are many, and half of all their keys are keys of every one."""
    if len(records) < MANY:
        return False
    shared = set(records[0].fields)
    every: set[str] = set()
    for record in records:
        shared &= record.fields.keys()
        every |= record.fields.keys()
    return bool(shared) and 2 * len(shared) >= len(every)


def _ranks(text: str, records: Sequence[Record], asked: Asked) -> list[float]:
    """By what the question names, then by rare, extreme and new values, then by nearness to either end."""
    size = len(records)
    surprise = _surprise(records)
    extreme, new = _extreme(records), _new(records)
    return [
        NAMED * asked.named(text[record.start : record.end])
        + surprise[index]
        + EXTREME * (index in extreme)
        + NEW * (index in new)
        + EDGE * abs(2 * index / (size - 1) - 1)
        for index, record in enumerate(records)
    ]


def _surprise(records: Sequence[Record]) -> list[float]:
    """How much rarer each record's rarest value is than the values of its key are on average, in nats."""
    size = len(records)
    found = [0.0] * size
    for key in {key for record in records for key in record.fields}:
        values = [record.fields.get(key, "") for record in records]
        counts = Counter(values)
        entropy = sum(count * math.log(size / count) for count in counts.values()) / size
        for index, value in enumerate(values):
            found[index] = max(found[index], math.log(size / counts[value]) - entropy)
    return found


def _extreme(records: Sequence[Record]) -> set[int]:
    """Records that hold the least or the greatest number of a key."""
    found: set[int] = set()
    for key in records[0].fields:
        numbers = [_number(record.fields.get(key, "")) for record in records]
        if None not in numbers and len(set(numbers)) > 2:
            found |= {numbers.index(edge(numbers)) for edge in (min, max)}  # type: ignore[type-var]
    return found


def _new(records: Sequence[Record]) -> set[int]:
    """Records in which a value is seen first that others have too, of keys with few values."""
    found: set[int] = set()
    for key in records[0].fields:
        values = [record.fields.get(key, "") for record in records]
        first = {value: index for index, value in reversed(list(enumerate(values)))}
        if 4 * len(first) <= len(values):
            found |= set(first.values())
    return found


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
