"""Whether work takes longer as its text grows and no longer than that, told from short texts."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

TIMES = 4
LIMIT = 6.0
"""Linear work takes 4 times as long for 4 times the text, quadratic work 16 times."""
ATTEMPTS = 4


def check_linear(work: Callable[[str], object], make: Callable[[int], str], size: int) -> None:
    """The work takes time in proportion to its text; make: a text of about so many rows, signs or pieces.

    Work that looks a bounded way ahead seems quadratic while the text is shorter than that, and other users of the
    machine spoil a measurement: so longer texts are looked at, too. Quadratic work fails at each length.
    """
    grown: list[float] = []
    for attempt in range(ATTEMPTS):
        grown.append(growth(work, make(size << attempt), make((size << attempt) * TIMES)))
        if grown[-1] < LIMIT:
            return
    raise AssertionError(
        f"{TIMES} times the text takes {', '.join(f'{times:.1f}' for times in grown)} times as long"
    )


def growth(work: Callable[[str], object], short: str, long: str) -> float:
    """How many times as long the work takes for the longer text; of two runs each, by turns, the better ones."""
    taken = [(seconds(work, short), seconds(work, long)) for _ in range(2)]
    return min(slow for _, slow in taken) / min(quick for quick, _ in taken)


def seconds(work: Callable[[str], object], text: str) -> float:
    """Processor time of this thread alone."""
    return timeit.timeit(lambda: work(text), timer=time.thread_time, number=1)
