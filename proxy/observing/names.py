"""Names that callers choose, made fit for labels and tables: few, short, and no place for a text or a key."""

from __future__ import annotations

import re
from functools import lru_cache

OTHER = "other"
_MODEL = re.compile(r"[A-Za-z0-9][\w.:/@+-]{0,127}", re.ASCII)
_A_KEY = re.compile(r"sk-|[A-Za-z0-9_+/-]{48,}")
"""What no model is called like: a provider's key, or a long run of letters."""
LABELS = 100


@lru_cache(maxsize=1024)
def model_name(asked: str | None) -> str:
    """The model as log, metrics and ledger name it: `other` where it looks like none, empty for none."""
    if not asked:
        return ""
    return asked if _MODEL.fullmatch(asked) and not _A_KEY.search(asked) else OTHER


class Few:
    """The first hundred names; whatever comes later is `other`."""

    def __init__(self, bound: int = LABELS) -> None:
        self._known: set[str] = set()
        self._bound = bound

    def of(self, name: str, *, new: bool) -> str:
        """The name if it is among them. new: whether it may become one."""
        if name in self._known or not name:
            return name
        if new and len(self._known) < self._bound:
            self._known.add(name)
            return name
        return OTHER
