"""The page: one table for each group of faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moosproxy import __version__
from moosproxy.proxy.bench.faults.scenario import Fault, Row
from moosproxy.proxy.machine import machine

_HEAD = """# What faults cost

Written by `moos bench faults --write FILE`; run it to get your own figures. Each line was made to happen to a real
`moos serve`, with the bundled compressor and an upstream that keeps what it is sent. *Lost* is checked there: the
request must come once, whole or shortened, a text that was sent before must go out as the same bytes, and a cut
answer must look cut. *Normal after* is the time from the end of the fault until a new text is shortened and
answered whole (for Redis: until it is in Redis, too); where the proxy was started again, its start is in it.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One fault and its row, or why there is none."""

    fault: Fault
    row: Row | None
    reason: str = ""

    @property
    def state(self) -> str:
        """held, found or skipped."""
        return "skipped" if self.row is None else "found" if self.row.findings else "held"


def page(results: Sequence[Result]) -> str:
    """Markdown."""
    out = [_HEAD, f"Machine: {machine()}. moosproxy {__version__}.\n"]
    for group in dict.fromkeys(result.fault.group for result in results):
        out.append(f"## {group}\n\n| fault | a client sees | lost | normal after |\n|---|---|---|---|")
        out += [_line(result) for result in results if result.fault.group == group]
        out.append("")
    counts = {state: sum(1 for one in results if one.state == state) for state in ("held", "found", "skipped")}
    out.append(
        f"{counts['held']} as they should be, {counts['found']} with findings, {counts['skipped']} not run.\n"
    )
    return "\n".join(out)


def _line(result: Result) -> str:
    row = result.row
    if row is None:
        return f"| {result.fault.title} | not run: {result.reason} | | |"
    lost = "; ".join([row.lost, *(f"**finding: {one}**" for one in dict.fromkeys(row.findings))])
    return f"| {result.fault.title} | {row.sees} | {lost} | {duration(row.seconds)} |"


def duration(seconds: float | None) -> str:
    """For the table."""
    if seconds is None:
        return "–"
    if seconds == float("inf"):
        return "**never**"
    return "at once" if seconds < 0.1 else f"{seconds:.1f} s"
