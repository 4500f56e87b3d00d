"""A quality floor beside fixed ratios, on sets that no calibration saw: predicted, measured, and what it saves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson

from moosproxy.compressor.calibration import GRID
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.item import Item, Shortened
from moosproxy.compressor.evaluation.tasks import TASKS
from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.selection import floor
from moosproxy.compressor.selection.finish import selection_of
from moosproxy.compressor.selection.outcome import Outcome
from moosproxy.compressor.settings import CompressionSettings

FLOORS = (0.90, 0.95, 0.98)
UNASKED = ", nobody asks"
ALL = "all that are asked about, every question alike"
MEASURES: Mapping[str, tuple[str, int]] = {
    "squad_dev": ("intact", 150),
    "policyqa_test": ("intact", 120),
    "xquad": ("intact", 120),
    "nq_multidoc_20": ("intact", 50),
    "qmsum_test": ("content", 8),
    f"squad_dev{UNASKED}": ("intact", 100),
}
"""Sets, what of them is to be kept, and questions (of qmsum_test: meetings) of a run."""
FILE_NAME = "floor.json"


@dataclass(frozen=True)
class AtFloor:
    """One floor on one set. predicted: mean over texts. measured, low, high: kept, with its 95% interval.

    ratio: tokens of all texts before / after. fixed: the same of the one ratio for all texts that keeps as much.
    whole: share of texts that went out whole.
    """

    floor: float
    predicted: float
    measured: float
    low: float
    high: float
    ratio: float
    fixed: float
    whole: float


@dataclass(frozen=True)
class SetFloors:
    """One set. fixed: asked ratio, ratio reached, share kept. groups: texts of each group of the calibration."""

    name: str
    texts: int
    floors: Sequence[AtFloor]
    fixed: Sequence[tuple[float, float, float]]
    groups: Mapping[str, int]


@dataclass(frozen=True)
class Floors:
    """A run. facts: of the checkpoint and the calibration."""

    facts: Mapping[str, Any]
    sets: Sequence[SetFloors] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote. Raises CompressorError."""
        try:
            value = orjson.loads(path.read_bytes())
            return cls(value["facts"], [_told(one) for one in value["sets"]])
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise CompressorError(f"no floors at {path}: {fault}; run `moos eval floor` first") from None


def _told(one: Mapping[str, Any]) -> SetFloors:
    floors = [AtFloor(**each) for each in one["floors"]]
    return SetFloors(**{**one, "floors": floors, "fixed": [tuple(each) for each in one["fixed"]]})


@dataclass
class _Counted:
    """Every item under one condition: kept, of what the whole text holds; tokens before and after; predictions."""

    kept: list[tuple[float, float]] = field(default_factory=list)
    tokens: list[tuple[float, float]] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    whole: int = 0

    def take(self, other: _Counted) -> None:
        """The texts of another, each of them as one."""
        self.kept += [(kept / of, 1.0) for kept, of in other.kept]
        self.tokens += [(1.0, after / before) for before, after in other.tokens]
        self.predicted += other.predicted
        self.whole += other.whole

    @property
    def ratio(self) -> float:
        before, after = np.sum(self.tokens, axis=0)
        return float(before / after)

    @property
    def share(self) -> float:
        kept, of = np.sum(self.kept, axis=0)
        return float(kept / of)


def measure(
    compressor: Compressor,
    data: Path,
    limit: int | None,
    step: Callable[[], None],
    names: Sequence[str] = tuple(MEASURES),
) -> Floors:
    """Every set at every floor and every ratio of the grid. Raises CompressorError."""
    facts = {"checkpoint": compressor.fingerprint, **compressor.calibration.facts}
    counted = [_set(compressor, name, data, limit, step) for name in names]
    asked = [one for one in counted if not one.name.endswith(UNASKED)]
    together = [_together(asked)] if len(asked) > 1 else []
    return Floors(facts, [_told_of(one) for one in (*counted, *together)])


@dataclass
class _Set:
    """Every item of a set under every condition, in the order of `records`."""

    name: str
    floors: dict[float, _Counted] = field(default_factory=lambda: {one: _Counted() for one in FLOORS})
    fixed: dict[float, _Counted] = field(default_factory=lambda: {one: _Counted() for one in GRID})
    groups: Counter[str] = field(default_factory=Counter)
    records: list[str] = field(default_factory=list)


def _set(compressor: Compressor, name: str, data: Path, limit: int | None, step: Callable[[], None]) -> _Set:
    size = MEASURES[name][1]
    found = _Set(name)
    for item in TASKS[name.removesuffix(UNASKED)].load(data, min(limit or size, size)):
        counts = _Counts(name, item)
        if counts.whole:
            asked = None if name.endswith(UNASKED) else item.question
            found.groups[_item(compressor, item, asked, counts, found)] += 1
            found.records.append(item.group)
        step()
    return found


def _together(sets: Sequence[_Set]) -> _Set:
    """Texts of all sets in one traffic; each weighs the same, however long it is."""
    found = _Set(ALL)
    for one in sets:
        found.records += one.records
        found.groups.update(one.groups)
        for mine, theirs in ((found.floors, one.floors), (found.fixed, one.fixed)):
            for at, counted in theirs.items():
                mine[at].take(counted)
    return found


def _told_of(one: _Set) -> SetFloors:
    curve = [(asked, counted.ratio, counted.share) for asked, counted in one.fixed.items()]
    found = [_at(at, counted, one.records, curve) for at, counted in one.floors.items()]
    return SetFloors(one.name, len(one.records), found, curve, dict(one.groups))


class _Counts:
    """What is kept of one item, of what its whole text holds: some answers are in none."""

    def __init__(self, name: str, item: Item) -> None:
        self._item, self._measure = item, MEASURES[name][0]
        self._task = TASKS[name.removesuffix(UNASKED)]
        self.whole = self._of(Shortened(KeptSpans(((0, len(item.text)),)), item.text, 1, 1))

    def of(self, outcome: Outcome) -> tuple[float, float]:
        """The same of a shortened text."""
        short = Shortened(outcome.kept, outcome.text, outcome.tokens_after, outcome.tokens_after)
        return self._of(short), self.whole

    def _of(self, short: Shortened) -> float:
        return self._task.measure(self._item, short)[self._measure][0]


def _item(compressor: Compressor, item: Item, asked: str | None, counts: _Counts, found: _Set) -> str:
    """Counts one item under every condition; gives its group."""
    settings = CompressionSettings(ratio=GRID[-1], question=asked or "off")
    plan = compressor.plan(item.text, settings)
    selection = selection_of(plan, compressor.score(plan.windows))
    before = int(plan.costs.sum())
    for ratio, counted in found.fixed.items():
        _add(counted, selection.at(ratio), before, counts)
    for at, counted in found.floors.items():
        floored = replace(plan, settings=replace(settings, quality=at))
        told, outcome = floor.choose(floored, selection, compressor.calibration)
        counted.predicted.append(told.predicted)
        if outcome is None:
            counted.whole += 1
            counted.kept.append((counts.whole, counts.whole))
            counted.tokens.append((before, before))
        else:
            _add(counted, outcome, before, counts)
    return floor.group_of(plan, selection)


def _add(counted: _Counted, outcome: Outcome, before: int, counts: _Counts) -> None:
    counted.kept.append(counts.of(outcome))
    counted.tokens.append((before, outcome.tokens_after))


def _at(at: float, one: _Counted, groups: list[str], curve: Sequence[tuple[float, float, float]]) -> AtFloor:
    by_group: dict[str, list[tuple[float, float]]] = {}
    for group, counts in zip(groups, one.kept, strict=True):
        by_group.setdefault(group, []).append(counts)
    found = statistics.share(statistics.by_group(by_group, list(by_group)))
    return AtFloor(
        at,
        float(np.mean(one.predicted)),
        found.value,
        found.low,
        found.high,
        one.ratio,
        same_quality(curve, found.value),
        one.whole / len(groups),
    )


def same_quality(curve: Sequence[tuple[float, float, float]], share: float) -> float:
    """The highest ratio for all texts alike that keeps the share, between two of the curve by a straight line.

    curve: asked ratio, ratio reached, share kept, ascending.
    """
    points = [(1.0, 1.0), *((reached, kept) for _, reached, kept in curve)]
    for (low, better), (high, worse) in reversed(list(pairwise(points))):
        if worse >= share:
            return high
        if better >= share:
            return low + (high - low) * (better - share) / (better - worse)
    return 1.0
