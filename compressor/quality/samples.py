"""What a calibration asks for: texts with a question or none, and what of the answers a shorter text still holds.

All of it is training data that the checkpoint did not see, by the hash that keeps records out of training. Only
where a source has no such records, seen ones are asked about: what they promise is too good rather than too bad,
and the worst source decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.answers import normalise, survives
from moosproxy.compressor.evaluation.measures.lexicon import is_stop
from moosproxy.compressor.records import Record
from moosproxy.compressor.selection.relevance import bm25

Kept = Callable[[str], float]

PARAGRAPHS, SEEN, FOREIGN, PILES = 1100, 250, 400, 150
"""Questions of each source at the most."""
SEEN_UNASKED = 100
"""Passages of sources that training saw all of, for what nobody asks about."""
PASSAGES = 20
"""Passages in a pile: one holds the answer, the others look as if they did."""
MEETING_CHARS = 12_000
JSON_CHARS = 800
"""A shorter answer of a tool is left alone anyhow."""
FILES = 0.5
"""Code and JSON are ranked without the model, so that what trained it may be asked about, too: this share."""
NAMES = 40
"""Names or values that one file is asked for at the most."""
NAMED = 3
"""Names of a file that are asked for one by one."""

_DEFINED = re.compile(r"^\s*(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """A text as it would be sent. kept: how many answers a text holds.

    question: what the compressor is told, None for nothing. ask: what a judge is asked, None for nothing that one
    could be. golds: right answers, none where the judge's own answer from the whole text counts.
    cluster: the record it comes from; what comes from one record is not independent. source: what it was made of.
    """

    cluster: str
    text: str
    question: str | None
    golds: tuple[str, ...]
    kept: Kept
    ask: str | None = None
    source: str = ""


def from_training(data: Path, limit: int | None = None) -> Iterator[Sample]:
    """Every kind there is data for. limit: at most so many of each. Raises CompressorError."""
    every = list(records.read(data, "train/qa_spans"))
    english = [row for row in every if records.held_out(row)]
    yield from _paragraphs(english, _few(PARAGRAPHS, limit))
    yield from _paragraphs(_never_held_out(every), _few(SEEN, limit))
    yield from _paragraphs(_held_out(data, "qa_spans_multilingual"), _few(FOREIGN, limit))
    yield from _unasked([*english, *_never_held_out(every)[: _few(SEEN_UNASKED, limit)]])
    yield from _piles(english, every, _few(PILES, limit))
    yield from _meetings(_held_out(data, "meetings"), limit)
    yield from _files(data, limit)


def asking(
    cluster: str, text: str, question: str | None, golds: Sequence[str], ask: str | None = None, source: str = ""
) -> Sample:
    """A sample whose answer is kept where a gold one stands unbroken. ask: as in Sample; default the question."""
    wanted = tuple(golds)
    return Sample(cluster, text, question, wanted, lambda short: survives(wanted, short), ask or question, source)


def _few(usual: int, limit: int | None) -> int:
    return usual if limit is None else min(usual, limit)


def _held_out(data: Path, name: str) -> list[Record]:
    return [row for row in records.read(data, f"train/{name}") if records.held_out(row)]


def _never_held_out(rows: Sequence[Record]) -> list[Record]:
    """Records of sources that training saw all of: their titles are few."""
    held = {_source(row) for row in rows if records.held_out(row)}
    return [row for row in rows if _source(row) not in held]


def _source(row: Record) -> str:
    """The set of questions that a passage comes from, whatever part of it."""
    return str(row.get("source", "")).split("_")[0]


def _golds(asked: Record) -> tuple[str, ...]:
    return tuple(dict.fromkeys(answer["text"] for answer in asked["answers"]))


def _drawn(rows: Sequence[Record], most: int) -> list[tuple[Record, Record]]:
    """Passages with one of their questions, in an order drawn once."""
    pairs = [(row, asked) for row in rows for asked in row["qas"] if asked["answers"]]
    order = np.random.default_rng(0).permutation(len(pairs))[:most]
    return [pairs[at] for at in order]


def _paragraphs(rows: Sequence[Record], most: int) -> Iterator[Sample]:
    for row, asked in _drawn(rows, most):
        yield asking(row["id"], row["context"], asked["question"], _golds(asked), source=_source(row))


def _unasked(rows: Sequence[Record]) -> Iterator[Sample]:
    """Passages that nobody asks about, with all that will be asked."""
    for row in rows:
        wanted = [_golds(asked) for asked in row["qas"] if asked["answers"]]
        if wanted:
            yield Sample(row["id"], row["context"], None, (), _each(wanted), source=_source(row))


def _each(wanted: Sequence[Sequence[str]]) -> Kept:
    return lambda short: sum(survives(golds, short) for golds in wanted)


def _piles(rows: Sequence[Record], pool: Sequence[Record], most: int) -> Iterator[Sample]:
    """A passage among others that share words with its question and hold no answer."""
    dice = np.random.default_rng(1)
    words = [_content(one["context"]) for one in pool]
    for row, asked in _drawn(rows, most):
        golds = _golds(asked)
        likely = (pool[at] for at in _near(asked["question"], pool, words))
        others = [one for one in likely if one["id"] != row["id"] and not survives(golds, one["context"])]
        pile = others[: PASSAGES - 1]
        pile.insert(int(dice.integers(len(pile) + 1)), row)
        text = "\n\n".join(
            f"Document [{number}] (Title: {one.get('title', '')}) {one['context']}"
            for number, one in enumerate(pile, 1)
        )
        yield asking(row["id"], text, asked["question"], golds)


def _near(question: str, pool: Sequence[Record], words: Sequence[frozenset[str]]) -> list[int]:
    """Numbers of the passages most like the question, by BM25 among those that share the most words with it."""
    wanted = _content(question)
    shared = np.array([len(wanted & one) for one in words])
    first = np.argsort(-shared, kind="stable")[: 10 * PASSAGES]
    rank = bm25(question, [pool[at]["context"] for at in first])
    return [int(at) for at in first[np.argsort(-rank, kind="stable")]]


def _meetings(rows: Sequence[Record], limit: int | None) -> Iterator[Sample]:
    """Parts of meetings around what a question is about: the content words of its reference answer."""
    for row in rows:
        specific = [one for one in row["queries"] if one.get("relevant_char_spans")][:limit]
        for number, asked in enumerate(specific):
            first, last = asked["relevant_char_spans"][0][0], asked["relevant_char_spans"][-1][1]
            start = max(0, (first + last) // 2 - MEETING_CHARS // 2)
            start = row["transcript"].rfind("\n", 0, start) + 1
            text = row["transcript"][start : start + MEETING_CHARS]
            needed = _content(asked["answer"]) & _content(text)
            if needed:
                name = f"{row['id']}-{number}"  # every question has its own part of the meeting
                yield Sample(name, text, asked["query"], (asked["answer"],), _words(needed))


def _content(text: str) -> frozenset[str]:
    return frozenset(word for word in normalise(text) if not is_stop(word))


def _words(needed: frozenset[str]) -> Kept:
    return lambda short: float(len(needed & _content(short)))


def _files(data: Path, limit: int | None) -> Iterator[Sample]:
    """Code for the names it defines, asked for and not; JSON for its short values."""
    rows = [row for row in records.read(data, "train/unlabeled_agent_text") if records.held_out(row, FILES)]
    for row in rows[: limit and 4 * limit]:
        if row["kind"] == "code":
            names = list(dict.fromkeys(_DEFINED.findall(row["text"])))
            if names:
                yield _standing(row, None, names[:NAMES])
            for name in names[:: max(1, len(names) // NAMED)][:NAMED]:
                yield _standing(row, f"What does `{name}` do?", [name])
        elif row["kind"] == "agent_tool_json":
            answer = {**row, "text": _longest_json(row["text"])}
            values = _values(answer["text"])
            if len(answer["text"]) >= JSON_CHARS and values:
                yield _standing(answer, None, values[:: max(1, len(values) // NAMES)][:NAMES])


def _standing(row: Record, question: str | None, names: Sequence[str]) -> Sample:
    found = [re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") for name in names]
    return Sample(row["id"], row["text"], question, tuple(names), lambda short: sum(map(bool, _in(found, short))))


def _in(found: Sequence[re.Pattern[str]], short: str) -> Iterator[object]:
    return (pattern.search(short) for pattern in found)


def _longest_json(text: str) -> str:
    """What a tool answered in a conversation that was written down, the longest of it."""
    answers = [line.removeprefix("tool: ") for line in text.split("\n") if line[:7] in ("tool: {", "tool: [")]
    return max(answers, key=len, default=text)


def _values(text: str) -> list[str]:
    """Short values of a JSON text, those of objects inside included; none where it is no JSON."""
    try:
        open_ones = [orjson.loads(text)]
    except ValueError:
        return []
    found: dict[str, None] = {}
    while open_ones:
        value = open_ones.pop()
        if isinstance(value, dict):
            open_ones += value.values()
        elif isinstance(value, list):
            open_ones += value
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and 2 < len(str(value)) <= 40:
            found[str(value)] = None
    return list(found)
