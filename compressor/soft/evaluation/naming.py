"""What results are filed under, in order, and as a reader sees it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from moosproxy.compressor.soft.evaluation.evaluate import BLIND, HARD

LABELS: Final = {
    "sac": "SAC",
    "epl": "EPL",
    "500x": "500x-like",
    "icae": "ICAE",
    "icformer": "IC-Former",
    HARD: HARD,
    BLIND: BLIND,
}


def filed(names: Iterable[str]) -> list[str]:
    """Every compressor among them once: method by method, the default form of each first."""
    known = list(LABELS)
    return sorted(
        {each for each in names if _method(each) in LABELS}, key=lambda each: (known.index(_method(each)), each)
    )


def label(name: str) -> str:
    """ "icformer published form" -> "IC-Former, published form"."""
    method = _method(name)
    rest = name.removeprefix(method).strip()
    return LABELS[method] + (f", {rest}" if rest else "")


def _method(name: str) -> str:
    return name if name in (HARD, BLIND) else name.partition(" ")[0]
