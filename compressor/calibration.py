"""What share of answers a checkpoint keeps, and how far a text may be shortened for it: a table in a file.

A level tells how much of what matters is left of a text, in [0, 1]: see `selection/floor.py`. A curve says, for
texts of one group, what share of answers was kept where every text was shortened as far as its level stayed at or
above one: the lower end of an interval, and never falling as the level rises.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from moosproxy.compressor.errors import CheckpointError

FILE_NAME = "calibration.json"
VERSION = 1
GRID = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""The ratios among which a floor chooses."""


@dataclass(frozen=True)
class Curve:
    """levels: ascending. kept: predicted share at each of them, ascending. texts, answers: what it was made of."""

    levels: tuple[float, ...]
    kept: tuple[float, ...]
    texts: int
    answers: int

    def at(self, level: float) -> float:
        """The predicted share of answers kept where texts keep at least this level; 0 below the lowest."""
        index = bisect_right(self.levels, level) - 1
        return self.kept[index] if index >= 0 else 0.0


@dataclass(frozen=True)
class Calibration:
    """checkpoint: the fingerprint it was made for. groups: curves by name. facts: how it was made, for people."""

    checkpoint: str
    groups: Mapping[str, Curve]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def predicted(self, group: str, level: float) -> float:
        """The predicted share of answers kept: of the worst of all groups where this one has no curve."""
        curve = self.groups.get(group)
        if curve is not None:
            return curve.at(level)
        return min((other.at(level) for other in self.groups.values()), default=0.0)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 over what decides a ratio: part of the cache keys of texts with a floor."""
        told = [VERSION, GRID, self.checkpoint, self._groups()]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Writes JSON, a curve a line."""
        groups = ",\n".join(f'  "{name}": {json.dumps(told)}' for name, told in sorted(self._groups().items()))
        head = json.dumps({"version": VERSION, "checkpoint": self.checkpoint, "facts": dict(self.facts)})
        path.write_text(f'{head[:-1]}, "groups": {{\n{groups}\n}}}}\n', encoding="utf-8")

    @classmethod
    def load(cls, path: Path, checkpoint: str) -> Self:
        """Reads what `save` wrote. Raises CheckpointError for a damaged file and for another checkpoint's."""
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise CheckpointError(
                f"a quality floor needs a calibration, and {path} is missing; make it with `moos calibrate`"
            ) from None
        except (OSError, ValueError) as fault:
            raise CheckpointError(f"calibration {path} cannot be read as JSON: {fault}") from None
        try:
            version, made_for = value["version"], str(value["checkpoint"])
            groups = {str(name): _curve(told) for name, told in value["groups"].items()}
            facts = dict(value.get("facts", {}))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise CheckpointError(f"{path} is no calibration ({fault!r}); make it with `moos calibrate`") from None
        if version != VERSION:
            raise CheckpointError(f"calibration {path} is of version {version}, {VERSION} is known; make it anew")
        if made_for != checkpoint:
            raise CheckpointError(
                f"calibration {path} was made for checkpoint {made_for}, not for {checkpoint}: what it predicts "
                "does not hold here; make one with `moos calibrate --checkpoint DIR`"
            )
        return cls(made_for, groups, facts)

    def _groups(self) -> dict[str, dict[str, Any]]:
        return {
            name: {"texts": one.texts, "answers": one.answers, "levels": one.levels, "kept": one.kept}
            for name, one in self.groups.items()
        }


def _curve(told: Mapping[str, Any]) -> Curve:
    levels, kept = tuple(map(float, told["levels"])), tuple(map(float, told["kept"]))
    if len(levels) != len(kept) or list(levels) != sorted(levels) or list(kept) != sorted(kept):
        raise ValueError("levels and shares must ascend together")
    if not all(0 <= value <= 1 for value in (*levels, *kept)):
        raise ValueError("levels and shares lie between 0 and 1")
    return Curve(levels, kept, int(told["texts"]), int(told["answers"]))


def highest(ratios: Sequence[float], holds: Callable[[int], bool]) -> int:
    """Index of the highest of the ascending ratios that holds, -1 for none, by bisection.

    holds: of an index. Where it holds for one ratio it should for all lower ones; where it does not, what is found
    holds all the same, and may not be the highest.
    """
    first, behind = 0, len(ratios)
    while first < behind:
        middle = (first + behind) // 2
        if holds(middle):
            first = middle + 1
        else:
            behind = middle
    return first - 1
