"""What a fault is to this bench: a function that makes it happen and says what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from moosproxy.proxy.bench.faults.stage import Stage

NOTHING: Final = "nothing"


class CannotRun(Exception):
    """This machine lacks what the scenario needs; the text says what."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    sees: what a client gets. seconds: from the end of the fault until normal service; None without a meaning.
    lost: in words. findings: what should not be so.
    """

    sees: str
    seconds: float | None
    lost: str = NOTHING
    findings: list[str] = field(default_factory=list)


Scenario: TypeAlias = Callable[[Stage], Row]


@dataclass(frozen=True, slots=True)
class Fault:
    """A scenario under its name. group: the heading that it stands under."""

    group: str
    title: str
    run: Scenario

    @property
    def name(self) -> str:
        """For the command line."""
        return self.run.__name__


FAULTS: Final[list[Fault]] = []


def fault(group: str, title: str) -> Callable[[Scenario], Scenario]:
    """Puts a scenario on the list."""

    def put(run: Scenario) -> Scenario:
        FAULTS.append(Fault(group, title, run))
        return run

    return put


def until(check: Callable[[], bool], patience_s: float = 60.0) -> float:
    """Seconds until the check holds; infinity if it does not in time."""
    began = time.monotonic()
    while time.monotonic() - began < patience_s:
        if check():
            return time.monotonic() - began
        time.sleep(0.02)
    return float("inf")
