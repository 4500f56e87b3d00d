"""Texts for measurements: sentences of the bundled document in ever new orders, so that no two texts are alike."""

from __future__ import annotations

import math
import random
import re
from importlib.resources import files

CHARS_PER_TOKEN = 4.4
"""Of the bundled document, about."""


class Texts:
    """The same numbers give the same texts."""

    def __init__(self, seed: int) -> None:
        document = files("moosproxy.proxy.commands").joinpath("demo_document.md").read_text(encoding="utf-8")
        self._sentences = re.findall(r"[A-Z][^.!?\n]{30,}[.!?]", document)
        self._dice = random.Random(seed)

    def of(self, tokens: int) -> str:
        """About that many tokens."""
        out: list[str] = []
        size = 0
        while size < tokens * CHARS_PER_TOKEN:
            out.append(f"{self._dice.choice(self._sentences)} Entry {self._dice.randrange(10**6)} was filed.")
            size += len(out[-1]) + 1
        return " ".join(out)

    def length(self, low: int, high: int) -> int:
        """A number of tokens between bounds, each order of magnitude as often as the other."""
        return round(math.exp(self._dice.uniform(math.log(low), math.log(high))))

    def share(self) -> float:
        """A number from 0 to 1, each as likely."""
        return self._dice.random()

    def chance(self, share: float) -> bool:
        """True in that share of calls."""
        return self._dice.random() < share
