"""Policy files in a temporary folder, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files.load import load
from moosproxy.policies.resolve import PolicySet

Write = Callable[..., Path]
Faults = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the main file and team files (by name); returns the main file's path."""

    def _write(main: str, **teams: str) -> Path:
        file = tmp_path / "moos.yaml"
        file.write_text(dedent(main))
        for name, text in teams.items():
            (tmp_path / "teams").mkdir(exist_ok=True)
            (tmp_path / "teams" / f"{name}.yaml").write_text(dedent(text))
        return file

    return _write


@pytest.fixture
def loaded(write: Write) -> Callable[..., PolicySet]:
    """Write files and load them."""

    def _loaded(main: str, environ: Mapping[str, str] | None = None, **teams: str) -> PolicySet:
        return load(write(main, **teams), environ or {})

    return _loaded


@pytest.fixture
def faults(write: Write, tmp_path: Path) -> Faults:
    """Write files that are wrong; returns one line per fault, without the folder."""

    def _faults(main: str, environ: Mapping[str, str] | None = None, **teams: str) -> list[str]:
        with pytest.raises(PolicyError) as caught:
            load(write(main, **teams), environ or {})
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return _faults
