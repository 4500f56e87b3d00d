"""Whoever follows a link in the documents arrives: files are there, and so are the headings."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
LOG = ROOT / "docs" / "experiments.md"


@lru_cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Where the page's links and pictures lead."""
    inline = [child for token in tokens(page) for child in token.children or ()]
    found = [token.attrGet("href") or token.attrGet("src") for token in inline]
    return [str(target) for target in found if target]


@lru_cache
def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the page's headings."""
    seen: Counter[str] = Counter()
    names = set()
    for opening, heading in zip(tokens(page), tokens(page)[1:], strict=False):
        if opening.type == "heading_open":
            text = "".join(child.content for child in heading.children or ())
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            names.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return names


def fault(page: Path, link: str) -> str | None:
    """What is wrong with it; None for links to other places, which nobody follows here."""
    target = urlsplit(unquote(link))
    if target.scheme or target.netloc:
        return None
    file = (page.parent / target.path).resolve() if target.path else page
    if not file.exists():
        return f"{link}: no such file"
    if target.fragment and target.fragment not in anchors(file):
        return f"{link}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    assert [found for link in links(page) if (found := fault(page, link))] == []


def test_a_link_that_leads_nowhere_would_be_seen() -> None:
    assert fault(LOG, "none.md") and fault(LOG, "#none") and fault(LOG, "results.md#none")
    assert fault(LOG, "#how-to-read-the-log") is None


def test_every_experiment_has_its_row_on_the_front_page_of_the_log() -> None:
    entries = {name for name in anchors(LOG) if re.match(r"20\d\d-", name)}

    assert entries <= {link.removeprefix("#") for link in links(LOG)}
