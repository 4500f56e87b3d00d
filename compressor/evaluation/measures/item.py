"""What a task hands to the run: texts to compress and how to measure what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moosproxy.compressor.evaluation.measures.statistics import Counts
from moosproxy.compressor.kept import KeptSpans


@dataclass(frozen=True)
class Item:
    """One text with one question (or none).

    group: the record it comes from, the unit of the bootstrap. question: what the question-aware mode gets.
    golds: right answers, judged by a reader where the task says so. facts: whatever the task measures by.
    """

    group: str
    text: str
    question: str | None = None
    golds: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shortened:
    """A compressed text: what stayed, and its cost in encoder pieces beside the original's."""

    kept: KeptSpans
    text: str
    pieces: int
    pieces_before: int


@dataclass(frozen=True)
class Task:
    """One set of items.

    load: items of the data folder, at most `limit` records. measure: named counts of one shortened text.
    headline: the measure that plots and summary tables show, "f1" for judged tasks. what: one line for tables.
    judged: whether a reader answers. own_rate: each item comes with its one ratio in facts["ratio"].
    problems: of the data and a group, questions with final answers that a chat model solves after the text.
    extra: further measures worth a table of their own, with what they say.
    """

    name: str
    what: str
    headline: str
    load: Callable[[Path, int | None], list[Item]]
    measure: Callable[[Item, Shortened], Mapping[str, Counts]]
    judged: bool = False
    own_rate: bool = False
    problems: Callable[[Path, str], list[tuple[str, str]]] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
