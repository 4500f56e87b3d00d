"""Placeholders of templates, which a program fills in later: {{x}}, ${X}, $NAME, %(x)s, %s, {x}, [X], <X>, __X__.

Some forms mean something else in most texts (a note [12], a set {a, b}, the type <T>). They count where their name
is written as names of placeholders are, or where the text holds a form that cannot be mistaken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import words

BLOCK = 2000
"""A block ({% if %} to {% endif %}) of more characters has its tags held, not all that is inside."""

# Every branch begins with a sign, and looks back behind it: `re` skips to the next sign in C.
_SURE = re.compile(
    r"\{\{\{?[-~]?\s*[#/^&>!=*]?\s*[\w.$@\"'][^{}\n\\]{0,300}\}\}\}?"
    r"|\$\{\{?[A-Za-z_ ][^{}\n\\]{0,200}\}\}?"
    r"|\{%[-+~]?[^%{}\n]{1,300}[-+~]?%\}"
    r"|<%[=#-]?[^%<>\n]{1,300}%>"
    r"|%\([A-Za-z_][\w.]{0,60}\)[-#0-9.]{0,6}[sdifrgex]"
    r"|@@[A-Z][A-Z0-9_]{0,60}@@"
    r"|_(?<!\w_)_[A-Z][A-Z0-9_]{0,60}__(?![\w_])"
    r"|%(?<![\w%]%)[A-Z][A-Z0-9_]{2,60}%(?![\w%])"
    r"|<(?<![\w<$]<)[A-Z][A-Z0-9]{0,30}(?:_[A-Z0-9]{1,30}){1,6}>"
    r"|\[(?<![\w\]!$\\\[]\[)[A-Z][A-Z0-9]{0,30}(?:[_ ][A-Z0-9]{1,30}){1,6}\](?![(\[:])"
    r"|\[(?<![\w\]!$\\\[]\[)(?:Your|Insert|Enter|Recipient|Sender)(?:['’]s)?\s[^\[\]\n]{1,40}\](?![(\[:])"
    r"|\{(?<![\w\\^_}\]$)]\{)[a-z][a-z0-9]{0,30}(?:[_.][a-z0-9]{1,30}){1,6}(?:![rsa])?(?::[^{}\s]{1,12})?\}(?![\w{])"
)
_NAMED = re.compile(
    r"\[(?<![\w\]!$\\\[]\[)[A-Z]{3,30}\](?![(\[:])"
    r"|<(?<![\w<$]<)[A-Z]{3,30}>"
    r"|\{(?<![\w\\^_}\]$)]\{)[A-Za-z][A-Za-z0-9]{2,30}(?:![rsa])?(?::[^{}\s]{1,12})?\}(?![\w{])"
    r"|\$(?<![\w$\\]\$)[A-Z][A-Z0-9]{0,30}(?:_[A-Z0-9]{1,30}){1,6}(?![\w$])"
)
_UNSURE = re.compile(r"\$(?<![\w$\\]\$)[A-Z][A-Z0-9]{1,30}(?![\w$])|%(?<![\w%]%)(?:\.\d)?[sdif](?![\w%])")

# In brackets or braces and in capitals, but said about the text: levels, marks of transcripts and of models.
_NO_NAMES = frozenset(
    words("""
    info warn warning error debug trace fatal notice critical fail failed pass passed skip skipped done todo fixme
    note tip important caution sic redacted omitted edit new old cls sep mask pad unk bos eos inst sys end begin
    laugh laughter laughs applause music noise silence inaudible crosstalk vocalsound nonvocalsound disfmarker gap
    pause comment cough table thead tbody span div html head body title link meta form input img font center strong
    pre code script style
    """)
)
_MATHEMATICS = re.compile(r"\\(?:begin|frac|documentclass|usepackage|mathbb|sum|int)\b")
_TAG = re.compile(r"\{%[-+~]?\s*(?P<name>\w+)[^%{}\n]{0,300}%\}")


def placeholder(text: str) -> Iterator[Span]:
    """Placeholders, and blocks of template tags with what is inside of them; spans may overlap."""
    if not any(sign in text for sign in "{$%[<_@"):
        return
    sure = [match.span() for match in matches(_SURE, text)]
    yield from sure
    if "{%" in text:
        yield from _blocks(text)
    named = [match.span() for match in matches(_NAMED, text) if _is_name(match[0])]
    if sure or not _MATHEMATICS.search(text):
        yield from named
    if sure or named:
        yield from (match.span() for match in matches(_UNSURE, text))


def _is_name(found: str) -> bool:
    return found.strip("[]<>{}$").partition(":")[0].lower() not in _NO_NAMES


def _blocks(text: str) -> Iterator[Span]:
    """From {% if %} to its {% endif %}, of whatever name, the outermost that are not too long."""
    opened: dict[str, list[int]] = {}
    for match in matches(_TAG, text):
        name = match["name"]
        if not name.startswith("end"):
            opened.setdefault(name, []).append(match.start())
        elif starts := opened.get(name[3:]):
            start = starts.pop()
            if match.end() - start <= BLOCK:
                yield start, match.end()
