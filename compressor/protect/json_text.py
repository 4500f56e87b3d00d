"""JSON objects and arrays, whole or embedded in other text, and a text that is one JSON string.

Everything in a container is protected except the words of long prose string values. Inside such a string the
quotes and every escape sequence, with the ASCII letters that touch it, stay. Whatever else is dropped, the
text is still JSON with the same keys and shape: raw line breaks cannot occur in a JSON string, so the joints
between slices are plain spaces there.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from moosproxy.compressor.text import json_grammar
from moosproxy.compressor.text.layout import Span, trimmed

_ESCAPES = re.compile(r"(?:\\(?:u[0-9a-fA-F]{4}|.)[A-Za-z0-9_]*+)++")


def json_text(text: str) -> Iterator[Span]:
    """Everything that must stay of the JSON in the text."""
    start, end = trimmed(text, 0, len(text))
    if text.startswith('"', start) and json_grammar.WHOLE_STRING.fullmatch(text, start, end):
        yield from _around_prose(text, start, end, [(start, end)])  # as tools answer that return a text
        return
    if "{" not in text and "[" not in text:
        return
    containers, values = json_grammar.scan(text)
    starts = [start for start, _ in values]
    for start, end in containers:
        if not json_grammar.worth(text, start, end):
            continue
        yield from _around_prose(text, start, end, values[bisect_left(starts, start) : bisect_left(starts, end)])


def _around_prose(text: str, start: int, end: int, values: Sequence[Span]) -> Iterator[Span]:
    """All of the span but the words of values that are prose. values: strings with their quotes, ascending."""
    cursor = start
    for value_start, value_end in values:
        if not json_grammar.is_prose(text[value_start + 1 : value_end - 1]):
            continue
        yield cursor, value_start + 1
        for escape in _ESCAPES.finditer(text, value_start + 1, value_end - 1):
            yield escape.span()
        cursor = value_end - 1
    yield cursor, end
