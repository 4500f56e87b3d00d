"""Survival of what may not get lost in a kept sentence: numbers, ids, severities, negations.

Written apart from the compressor's own protection on purpose: a rule that shares its blind spots proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.evaluation.measures.lexicon import is_stop
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts
from moosproxy.compressor.kept import Span
from moosproxy.compressor.text import words

PATTERNS = {
    "numbers": re.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*(?![\w])"),
    "ids": re.compile(
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
        r"|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{8,64}\b"
        r"|\b(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{5,}\b",
        re.ASCII,
    ),
    "severities": re.compile(r"\b(?:ERROR|WARN|WARNING|FATAL|CRITICAL|SEVERE|denied|failed|failure|refused)\b"),
    "negations": re.compile(r"\b(?:not|never|cannot|without|neither|nor)\b|\b\w+n['’]t\b", re.IGNORECASE),
}
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\S)[^.!?\n]*)*[.!?]*")

# A sentence counts as kept when at least this share of its content words is whole.
KEPT = 0.5


def sentences(text: str) -> Iterator[Span]:
    """Spans of sentences; a line end always ends one."""
    for match in _SENTENCE.finditer(text):
        if match.group().strip():
            yield match.span()


def survival(text: str, survival: Survival) -> dict[str, Counts]:
    """For each kind: how many stand whole in kept sentences, out of how many there are in those."""
    counts = {name: [0.0, 0.0] for name in PATTERNS}
    for start, end in sentences(text):
        found = {name: list(pattern.finditer(text, start, end)) for name, pattern in PATTERNS.items()}
        if not any(found.values()) or not _is_kept(text, start, end, survival):
            continue
        for name, matches in found.items():
            whole, all_of = survival.count(match.span() for match in matches)
            counts[name][0] += whole
            counts[name][1] += all_of
    return {name: (whole, all_of) for name, (whole, all_of) in counts.items()}


def _is_kept(text: str, start: int, end: int, survival: Survival) -> bool:
    starts, ends = words.find(text[start:end])
    content = [
        survival.whole(start + int(s), start + int(e))
        for s, e in zip(starts, ends, strict=True)
        if not is_stop(text[start + s : start + e])
    ]
    return bool(content) and sum(content) >= KEPT * len(content)
