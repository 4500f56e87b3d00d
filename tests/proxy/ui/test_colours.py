"""Colours of the page: readable in both themes (WCAG 2.2, level AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[3] / "proxy" / "ui" / "style.css").read_text(encoding="utf-8")
THEMES = [
    dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r"{([^{}]*--ground:[^{}]*)}", CSS)
]
WORDS = [
    *((words, ground) for ground in ("panel", "ground") for words in ("text", "soft", "accent", "bad", "warn")),
    *((words, "bad-ground") for words in ("text", "soft", "bad")),
    *(("text", heat) for heat in ("h1", "h2", "h3", "h4", "line")),
    ("on-accent", "accent"),
    ("gone", "panel"),
]
SHAPES = [("edge", "panel"), ("edge", "ground"), ("accent", "panel"), ("second", "panel")]


def light_of(colour: str) -> float:
    """Relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((light_of(one), light_of(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_dark_colours_are_the_same_by_choice_and_by_the_system() -> None:
    assert len(THEMES) == 3
    assert THEMES[1] == THEMES[2] != THEMES[0]


@pytest.mark.parametrize("theme", THEMES[:2], ids=["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(WORDS, 4.5), (SHAPES, 3.0)], ids=["words", "shapes"])
def test_contrast_is_enough(theme: dict[str, str], pairs: list[tuple[str, str]], least: float) -> None:
    found = {f"{one} on {other}": round(contrast(theme[one], theme[other]), 2) for one, other in pairs}

    assert {pair: value for pair, value in found.items() if value < least} == {}
