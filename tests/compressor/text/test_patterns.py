"""Patterns that keep the interpreter lock find what the library finds."""

from __future__ import annotations

import pytest
import regex

from moosproxy.compressor.text.patterns import Pattern

TEXT = "one 1, two 22, three 333\nfour 4444"
PATTERN = r"(?P<digits>\d+)"


def spans(found: object) -> list[tuple[int, int]]:
    """Of matches."""
    return [match.span() for match in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("pos", "endpos"), [(None, None), (5, None), (5, 20), (0, 0), (40, 50)])
def test_every_method_finds_the_same(pos: int | None, endpos: int | None) -> None:
    ours, theirs = Pattern(PATTERN), regex.compile(PATTERN)

    assert spans(ours.finditer(TEXT, pos, endpos)) == spans(theirs.finditer(TEXT, pos, endpos))
    assert ours.findall(TEXT, pos, endpos) == theirs.findall(TEXT, pos, endpos)
    for name in ("match", "search", "fullmatch"):
        one, other = getattr(ours, name)(TEXT, pos, endpos), getattr(theirs, name)(TEXT, pos, endpos)
        assert (one is None) == (other is None)
        assert one is None or one.span() == other.span()


def test_splitting_and_replacing() -> None:
    assert Pattern(r"\d+").split(TEXT, 2) == regex.split(r"\d+", TEXT, 2)
    assert Pattern(PATTERN).sub(r"<\g<digits>>", TEXT, 1) == "one <1>, two 22, three 333\nfour 4444"
    assert Pattern(PATTERN).sub(lambda match: str(len(match[0])), TEXT) == "one 1, two 2, three 3\nfour 4"


def test_flags_and_faults_are_those_of_the_library() -> None:
    assert Pattern("THREE", regex.IGNORECASE).search(TEXT) is not None
    with pytest.raises(regex.error):
        Pattern("(")
