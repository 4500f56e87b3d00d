"""Quoted strings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches

LIMIT = 200
"""Characters between the marks; more is a passage in quotation marks, or a stray mark."""

# No body contains its own opening mark, so hostile input cannot make a mark be searched for twice.
_QUOTED = re.compile(
    rf'"(?<!\w.)(?=\S)[^"\n]{{1,{LIMIT}}}+"(?!\w)'
    rf"|“[^“”\n]{{1,{LIMIT}}}+”"
    rf"|„[^„“”\n]{{1,{LIMIT}}}+[“”]"
    rf"|«[^«»\n]{{1,{LIMIT}}}+»"
    rf"|»[^«»\n]{{1,{LIMIT}}}+«"
    rf"|「[^「」\n]{{1,{LIMIT}}}+」"
    rf"|『[^『』\n]{{1,{LIMIT}}}+』"
    rf"|‘[^‘\n]{{1,{LIMIT}}}?’(?!\w)"
    rf"|'(?<!\w.)(?=\w)[^'\n]{{1,{LIMIT}}}+'(?!\w)"
)


def quoted(text: str) -> Iterator[Span]:
    """Strings of at most LIMIT characters in straight, curly, angled or corner marks, the marks included.

    An apostrophe inside a word opens nothing; strings never cross a line end.
    """
    for match in matches(_QUOTED, text):
        yield match.span()
