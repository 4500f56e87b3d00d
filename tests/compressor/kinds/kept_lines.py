"""What a text looks like when some of its units are kept, without a model: for tests of editors that rank."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from moosproxy.compressor.kinds.base import Asked, Edited, TextKind, Unit
from moosproxy.compressor.kinds.blocks import EDITORS, split
from moosproxy.compressor.planning.pieces import terms

MARK = re.compile(r"\[…(?: (?P<count>\d+) (?P<noun>\w+))?\]")


def asked(question: str | None = None) -> Asked:
    return Asked(question, terms(question))


def kinds(text: str) -> list[TextKind]:
    return [block.kind for block in split(text)]


def edited(text: str, question: str | None = None) -> list[Edited]:
    return [EDITORS[block.kind].edit(text, block, asked(question)) for block in split(text)]


def closed(units: Sequence[Unit], chosen: set[int]) -> set[int]:
    """The chosen units with the heads that they need."""
    kept: set[int] = set()
    for index in chosen:
        at = index
        while at >= 0 and at not in kept:
            kept.add(at)
            at = units[at].head
    return kept


def best(text: str, units: Sequence[Unit], share: float) -> set[int]:
    """Indices of the best units of about a share of the text, with their heads."""
    order = sorted((i for i, u in enumerate(units) if not u.heads), key=lambda i: -(units[i].rank or 0.0))
    kept: set[int] = set()
    for index in order:
        if sum(units[i].end - units[i].start for i in kept) > share * len(text):
            break
        kept |= closed(units, {index})
    return kept


def rows_of(text: str, units: Sequence[Unit], kept: set[int]) -> list[str]:
    """The rows of the kept units that are not blank."""
    found: list[str] = []
    for index in sorted(kept):
        found += [row for row in text[units[index].start : units[index].end].split("\n") if row.strip()]
    return found


def check_units(text: str, units: Sequence[Unit]) -> None:
    """Units ascend, take whole rows, leave out nothing but white space, and count what they hold."""
    before = 0
    for index, unit in enumerate(units):
        assert before <= unit.start < unit.end
        assert not text[before : unit.start].strip()
        assert unit.start == 0 or text[unit.start - 1] == "\n"
        assert (
            "\n" not in text[unit.end :].partition("\n")[0].strip()
            and not text[unit.end :].partition("\n")[0].strip()
        )
        assert unit.head != index and unit.head < len(units)
        before = unit.end
    assert not text[before:].strip()
    rows = [row for row in text.split("\n") if row.strip()]
    assert sum(unit.count for unit in units) == len(rows)


def check_marks(text: str, short: str) -> None:
    """Every row is a row of the text or a mark, in order, and every mark says how many rows are not there."""
    rows = [row.rstrip() for row in text.split("\n") if row.strip()]
    at = pending = 0
    for row in (row.rstrip() for row in short.split("\n") if row.strip()):
        mark = MARK.search(row)
        if mark is not None and row not in rows[at : at + 1]:
            pending = int(mark["count"])
            at += pending
            continue
        assert at < len(rows) and row == rows[at], (row, rows[at : at + 1])
        at += 1
    assert at == len(rows)


def growth(work: Callable[[str], object], make: Callable[[int], str], size: int, times: int = 4) -> float:
    """How many times longer the work takes for a text that is `times` as long, the best of three each."""

    def best_of(text: str) -> float:
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            work(text)
            taken.append(time.perf_counter() - start)
        return min(taken)

    return best_of(make(size * times)) / max(best_of(make(size)), 0.02)
