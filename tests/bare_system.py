"""A system that lacks what Linux has: no /proc, no affinity, no load, none of the modules that only Unix knows.

`python -c "from tests.bare_system import pretend; pretend(); ..."`, or the fixture `bare_system` within a test.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from typing import Any

import pytest

UNIX_ONLY = ("resource", "fcntl", "termios", "pwd", "grp", "uvloop")
MISSING = ("sched_getaffinity", "getloadavg", "sysconf", "sysconf_names")


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes all of it away until the patch is undone."""
    for name in UNIX_ONLY:
        monkeypatch.setitem(sys.modules, name, None)
    for name in MISSING:
        monkeypatch.delattr(os, name, raising=False)
    usual = io.open

    def opened(file: Any, *rest: Any, **options: Any) -> Any:
        if not isinstance(file, int) and os.fsdecode(file).startswith(("/proc", "/sys", "/dev/shm")):
            raise FileNotFoundError(file)
        return usual(file, *rest, **options)

    monkeypatch.setattr(builtins, "open", opened)
    monkeypatch.setattr(io, "open", opened)


def pretend() -> None:
    """For the rest of this process."""
    without(pytest.MonkeyPatch())
