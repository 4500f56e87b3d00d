"""What the commands of this room share: faults in one line, and a bar of a run's steps. Needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, Protocol, Self, TypeVar

import click

from moosproxy.compressor.errors import CompressorError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_P = ParamSpec("_P")
_R = TypeVar("_R")


def one_line(extra: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Faults of the input, and a package that the extra would bring, end in one line and exit code 2."""

    def decorate(command: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(command)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return command(*args, **kwargs)
            except CompressorError as fault:
                click.echo(f"moos: {fault}", err=True)
            except ModuleNotFoundError as fault:
                click.echo(f"moos: this needs {fault.name}; install moosproxy[{extra}]", err=True)
            sys.exit(2)

        return guarded

    return decorate


class Step(Protocol):
    """Where a run stands: so many of its steps are done."""

    @property
    def step(self) -> int: ...

    @property
    def steps(self) -> int: ...


class StepBar:
    """A progress bar on a terminal, a line every fifty steps elsewhere. Both on standard error."""

    def __enter__(self) -> Self:
        from rich.console import Console

        console = Console(stderr=True)
        self._live = console.is_terminal
        self._progress = _progress(console)
        self._task = self._progress.add_task("", total=None)
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """A line above the bar."""
        click.echo(line, err=True)

    def show(self, at: Step, line: str, about: str = "") -> None:
        """After each step. about: what the line's figures are, where no bar shows them."""
        self._progress.update(self._task, completed=at.step, total=at.steps, description=line)
        if not self._live and (at.step % 50 == 0 or at.step == at.steps):
            self.say(f"step {at.step}/{at.steps}  {about}{line}")


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.description}"), console=console, disable=not console.is_terminal)
