"""Log lines: which lines of a text are some, how rare the kind of event is, and what varies in a line.

A line's template is what is left when the parts that vary are masked: words with digits, paths, quoted strings.
Names without digits vary too ("user root", "user admin"), so there are two readings: strict, and loose, where
words that occur in one line only are masked as well. Rarity is the mean of both: 1 for an event that occurs once
under either reading, 0 for one that every line tells.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.text.layout import Span, lines

Template = tuple[str, ...]

LEAST = 5
"""Fewer lines are no log: nothing can be rare among them."""
SHARE = 0.6
"""Share of the lines that must look like log lines."""
LONGEST = 4000
"""Characters of a line that are looked at; the rest is payload."""

# What a log line starts with: a date, a clock time, an epoch or a counter, perhaps in brackets, or a level.
HEAD = re.compile(
    r"[\[<(\"']{0,2}(?:-\s)?(?:"
    r"\d{2,4}[-/.]?\d{2}[-/.]?\d{2,4}[-T: ]"
    r"|\d{1,2}[:.]\d{2}[:.]\d{2}"
    r"|\d{2}[-/.]\d{2}\s\d{2}:\d{2}"
    r"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\s+\d{1,2}[\s,]"
    r"|\d{1,2}[/ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[/ -]\d{2,4}"
    r"|\d{6,19}(?:\.\d+)?[\s,|\]]"
    r"|(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|[DIWEF]\d{4})[\]:\s|]"
    r"|(?:ts|time|timestamp|level|@timestamp)\"?[=:]"
    # ... or any of these behind the name of a file, container or host
    r"|\S{1,80}+\s{1,20}(?:\|\s)?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"
    # ... or an epoch behind an alert's name
    r"|[A-Z]\w{1,20}\s\d{10}\s"
    r")|\{\"(?:ts|time|timestamp|level|@timestamp)\":|\d{1,3}(?:\.\d{1,3}){3}\s\S+\s\S+\s\["
)
CONTINUED = re.compile(r"\s+\S|Caused by:|Traceback \(|[\w.]+(?:Exception|Error)\b")
_MASKED = re.compile(
    r"\"[^\"\n]{0,400}\"|'[^'\n]{0,400}'"
    r"|(?<![^\s=:,;()\[\]{}|<>\"'])(?:"
    r"[^\s=:,;()\[\]{}|<>\"'0-9]*+[0-9][^\s=,;()\[\]{}|<>\"']*+"  # anything with a digit
    r"|[^\s=:,;()\[\]{}|<>\"']*?[/\\][^\s=,;()\[\]{}|<>\"']*+"  # a path
    r")"
)
_WORD = re.compile(r"[^\s=:,;()\[\]{}|<>\"']+|\x00")
_DOTTED_NAME = re.compile(r"[A-Za-z](?<![\w.-].)[\w-]*+(?:\.[\w-]++){2,}+")
_VALUE = re.compile(r"(?:=|(?<![A-Za-z])(?:user|host|for|from|by)\s)(?P<value>[^\s=,;()\[\]{}|<>\"']+)")


def find_log_lines(text: str) -> list[Span]:
    """The lines of a log, blank ones left out; empty where the text is not mostly a log.

    Indented lines, stack traces and the like belong to the log line before them and count with it.
    """
    rows = [row for row in lines(text) if text[row[0] : min(row[1], row[0] + 200)].strip()]
    if len(rows) < LEAST:
        return []
    heads = sum(bool(HEAD.match(text, *row)) for row in rows)
    followers = sum(1 for row in rows if not HEAD.match(text, *row) and CONTINUED.match(text, *row))
    if heads < LEAST or heads < SHARE * (len(rows) - followers):
        return []
    return rows


def rarity(text: str) -> npt.NDArray[np.float64]:
    """How rare each line of find_log_lines is among them, in [0, 1], shape (lines,)."""
    return rarity_of(*readings([text[start:end] for start, end in find_log_lines(text)]))


def rarity_of(strict: Sequence[Template], loose: Sequence[Template]) -> npt.NDArray[np.float64]:
    """How rare the event of each log line is among all given, in [0, 1], shape (lines,)."""
    return (_rarities(strict) + _rarities(loose)) / 2


def readings(rows: Sequence[str]) -> tuple[list[Template], list[Template]]:
    """The template of each log line in the strict and in the loose reading."""
    strict = [_template(row) for row in rows]
    seen = Counter(word for template in strict for word in set(template))
    return strict, [tuple(word if seen[word] > 1 else "\x00" for word in template) for template in strict]


def parameters(text: str, line: Span) -> list[Span]:
    """Spans of what varies in a log line, ascending: words with digits, paths, quoted strings, host and package
    names, values behind an equals sign, and the names behind "user", "host", "for", "from" and "by".

    They may overlap. Of a line longer than LONGEST only the beginning is read.
    """
    start, end = line[0], min(line[1], line[0] + LONGEST)
    found = [match.span() for match in _MASKED.finditer(text, start, end)]
    found += [match.span() for match in _DOTTED_NAME.finditer(text, start, end)]
    found += [match.span("value") for match in _VALUE.finditer(text, start, end)]
    return sorted(set(found))


def _template(row: str) -> Template:
    masked = _MASKED.sub("\x00", row[:LONGEST])
    return tuple(_WORD.findall(masked))


def _rarities(templates: Sequence[Template]) -> npt.NDArray[np.float64]:
    counts = Counter(templates)
    scale = math.log(max(len(templates), 2))
    return np.array([1 - math.log(counts[template]) / scale for template in templates])
