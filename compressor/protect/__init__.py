"""Spans of a text that compression may never cut: one detector for each kind, by name.

Every detector is a pure function of the text, linear in its length whatever it holds, and fast enough to vanish
beside the encoder. Spans are minimal; a word that overlaps one is meant to be kept whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import regex

from moosproxy.compressor.errors import SettingsError
from moosproxy.compressor.protect import code
from moosproxy.compressor.protect.asked import requests
from moosproxy.compressor.protect.conditions import condition
from moosproxy.compressor.protect.exact import addresses, identifiers
from moosproxy.compressor.protect.exact.dates import date
from moosproxy.compressor.protect.exact.numbers import number
from moosproxy.compressor.protect.exact.quoted import quoted
from moosproxy.compressor.protect.headings import heading
from moosproxy.compressor.protect.json_text import json_text
from moosproxy.compressor.protect.markup import xml
from moosproxy.compressor.protect.negations import negation
from moosproxy.compressor.protect.outcomes import severity
from moosproxy.compressor.protect.placeholders import placeholder
from moosproxy.compressor.protect.span import ProtectedSpan
from moosproxy.compressor.settings import Kind
from moosproxy.compressor.text.layout import Span

__all__ = ["DETECTORS", "PATTERN_SECONDS", "ProtectedSpan", "find"]

PATTERN_SECONDS = 2.0
"""A caller's regular expression that needs longer on one text is refused: it backtracks without end."""

DETECTORS: Mapping[Kind, Callable[[str], Iterator[Span]]] = {
    Kind.FENCED_CODE: code.fenced_code,
    Kind.INLINE_CODE: code.inline_code,
    Kind.JSON: json_text,
    Kind.XML: xml,
    Kind.URL: addresses.url,
    Kind.PATH: addresses.path,
    Kind.EMAIL: addresses.email,
    Kind.ID: identifiers.id_,
    Kind.VERSION: identifiers.version,
    Kind.NUMBER: number,
    Kind.DATE: date,
    Kind.QUOTED: quoted,
    Kind.SEVERITY: severity,
    Kind.NEGATION: negation,
    Kind.CONDITION: condition,
    Kind.QUESTION: requests.question,
    Kind.INSTRUCTION: requests.instruction,
    Kind.HEADING: heading,
    Kind.PLACEHOLDER: placeholder,
}


def find(
    text: str, kinds: Collection[Kind], patterns: Sequence[str] = (), spans: Sequence[Span] = ()
) -> list[ProtectedSpan]:
    """Protected spans of the asked kinds, of the caller's patterns and the caller's own, by start and end.

    Spans may overlap and nest. Empty matches and what lies outside the text are left out. Raises SettingsError
    for a pattern that is no regular expression or that takes more than PATTERN_SECONDS.
    """
    found = [
        ProtectedSpan(start, end, kind.value)
        for kind, detect in DETECTORS.items()
        if kind in kinds
        for start, end in detect(text)
    ]
    for pattern in patterns:
        found.extend(_of_pattern(text, pattern))
    for start, end in spans:
        low, high = max(0, start), min(len(text), end)
        if low < high:
            found.append(ProtectedSpan(low, high, "span"))
    found.sort()
    return found


def _of_pattern(text: str, pattern: str) -> list[ProtectedSpan]:
    try:
        # concurrent: the interpreter lock is free while the caller's expression runs.
        hits = regex.finditer(pattern, text, concurrent=True, timeout=PATTERN_SECONDS)
        return [ProtectedSpan(hit.start(), hit.end(), "pattern") for hit in hits if hit.end() > hit.start()]
    except regex.error as fault:
        raise SettingsError(f"pattern {pattern!r} is not a regular expression: {fault}") from None
    except TimeoutError:
        raise SettingsError(
            f"pattern {pattern!r} took more than {PATTERN_SECONDS:g} s on one text: it backtracks without end; "
            "make its repetitions possessive (*+, ++) or bound them"
        ) from None
