"""The commit that this code stands at: a fact of every run."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str | None:
    """The commit that this code stands at, with a plus if the tree differs; None outside a checkout."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changed else "")


def _git(*words: str) -> str:
    room = str(Path(__file__).parent.parent)
    done = subprocess.run(["git", "-C", room, *words], capture_output=True, check=True, text=True)  # noqa: S603, S607
    return done.stdout.strip()
