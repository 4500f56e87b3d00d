"""XML and HTML: tags with their attributes, entities, and the marks of comments and character data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches

_ATTRIBUTE = r"""\s+[A-Za-z_:@][\w:.@-]*+(?:\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>=`]++))?"""
_TAG = re.compile(
    rf"<(?:/?[A-Za-z][\w:.-]*+(?:{_ATTRIBUTE})*+\s*+/?>|!--|!\[CDATA\[|[!?][A-Za-z][^<>]*+>)|-->|\]\]>"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def xml(text: str) -> Iterator[Span]:
    """Tags, declarations and entities. What stands between tags is not structure and stays compressible."""
    if "<" in text:
        for match in matches(_TAG, text):
            yield match.span()
    if "&" in text:
        for match in matches(_ENTITY, text):
            yield match.span()
