"""The outcome of a run as a file: sums per record, from which every table, interval and plot follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import orjson

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.measures.statistics import Counts

FULL_TEXT = "full text"
# The measure under which realised ratios are kept: pieces before, pieces after.
REALISED = "ratio"

Groups = dict[str, tuple[float, float]]


@dataclass
class Results:
    """facts: checkpoint, judge, data, machine. sums[task][method][ratio][measure][group] = summed counts."""

    facts: dict[str, Any] = field(default_factory=dict)
    sums: dict[str, dict[str, dict[str, dict[str, Groups]]]] = field(default_factory=dict)

    def add(self, task: str, method: str, ratio: str, measure: str, group: str, counts: Counts) -> None:
        """Adds the counts of one item."""
        groups = (
            self.sums.setdefault(task, {}).setdefault(method, {}).setdefault(ratio, {}).setdefault(measure, {})
        )
        old = groups.get(group, (0.0, 0.0))
        groups[group] = (old[0] + counts[0], old[1] + counts[1])

    def table(self, task: str, method: str, ratio: str, measure: str) -> npt.NDArray[np.float64] | None:
        """Sums by group in the order of the task's full text, shape (groups, 2); None if not measured."""
        groups = self.sums.get(task, {}).get(method, {}).get(ratio, {}).get(measure)
        if not groups:
            return None
        order = self.sums[task].get(FULL_TEXT, {}).get("1", {}).get(measure, groups)
        return np.array([groups.get(group, (0.0, 0.0)) for group in order], np.float64)

    def tasks(self, known: Iterable[str]) -> list[str]:
        """Measured tasks, in the order of `known`."""
        return [name for name in known if name in self.sums]

    def methods(self, task: str) -> list[str]:
        """Methods measured on the task, in the order of the run."""
        return list(self.sums.get(task, {}))

    def ratios(self, task: str) -> list[str]:
        """Every asked ratio of the task, ascending, the full text's left out."""
        found: dict[str, None] = defaultdict(lambda: None)
        for method, by_ratio in self.sums.get(task, {}).items():
            if method != FULL_TEXT:
                found.update(dict.fromkeys(by_ratio))
        return sorted(found, key=lambda ratio: float(ratio) if ratio != "own" else 0.0)

    def save(self, path: Path) -> None:
        """Writes JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps({"facts": self.facts, "sums": self.sums}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote. Raises CompressorError."""
        try:
            value = orjson.loads(path.read_bytes())
            return cls(value["facts"], value["sums"])
        except (OSError, ValueError, KeyError) as fault:
            raise CompressorError(f"no results at {path}: {fault}; run `moos eval run` first") from fault
