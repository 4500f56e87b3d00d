"""The door to all detectors: order, switches, callers' spans and patterns, and limits on time."""

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.errors import SettingsError
from moosproxy.compressor.protect import DETECTORS, ProtectedSpan, find
from moosproxy.compressor.settings import Kind
from moosproxy.compressor.text.layout import SECTION, blocks, lines, paragraphs, sections, sentence_ends

PIECES = [
    "not",
    "no",
    "12 kg",
    "$3.50",
    "ERROR",
    "failed",
    '"',
    "'",
    "`",
    "```",
    "\n",
    "\n\n",
    " ",
    "{",
    "}",
    "[",
    "]",
    '{"a": 1}',
    ",",
    ":",
    "<b>",
    "</b>",
    "<",
    "&amp;",
    "https://a.io/b",
    "www.a.io",
    "a@b.io",
    "/usr/bin",
    "C:\\x",
    "\\",
    "3f2a9c1",
    "ABC-12",
    "v1.2",
    "2024-05-03",
    "10:30",
    "5 May",
    "May 5",
    "?",
    "？",
    "What is it?",
    "Please answer",
    "Question: who",
    "# Top",
    "===",
    "TITLE",
    "1. A",
    "不",
    "没有",
    "3月",
    "「",
    "」",
    "“",
    "”",
    "n't",
    "don’t",
    "\r\n",
    "\t",
    "é",
    "🙂",
    "\u0301",
    "<question>",
    "</question>",
    "word",
    "Word",
]
texts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


@given(texts)
def test_spans_are_ordered_inside_the_text_and_never_empty(text: str) -> None:
    spans = find(text, set(Kind))

    assert spans == sorted(spans)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)


@given(texts, st.sets(st.sampled_from(list(Kind))))
def test_each_kind_is_found_independently_of_the_others(text: str, kinds: set[Kind]) -> None:
    alone = sorted(span for kind in kinds for span in find(text, {kind}))

    assert find(text, kinds) == alone


@given(texts)
def test_the_same_text_gives_the_same_spans(text: str) -> None:
    assert find(text, set(Kind)) == find("".join(list(text)), set(Kind))


def test_no_kind_no_span() -> None:
    assert find("ERROR 12 not", frozenset()) == []


def test_callers_spans_are_clipped_to_the_text() -> None:
    assert find("abcdef", frozenset(), spans=[(-3, 2), (4, 99), (3, 3), (9, 12)]) == [
        ProtectedSpan(0, 2, "span"),
        ProtectedSpan(4, 6, "span"),
    ]


def test_callers_patterns_are_found_and_empty_matches_left_out() -> None:
    assert find("aXbXX", frozenset(), patterns=(r"X*",)) == [
        ProtectedSpan(1, 2, "pattern"),
        ProtectedSpan(3, 5, "pattern"),
    ]


def test_a_pattern_that_is_no_regular_expression_is_named() -> None:
    with pytest.raises(SettingsError, match=r"pattern '\(' is not a regular expression"):
        find("text", frozenset(), patterns=("(",))


def test_a_pattern_that_backtracks_without_end_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moosproxy.compressor.protect.PATTERN_SECONDS", 0.1)
    began = time.perf_counter()
    with pytest.raises(SettingsError, match="backtracks without end"):
        find("a" * 5000 + "!", frozenset(), patterns=(r"(a|aa)+$",))

    assert time.perf_counter() - began < 5


@given(st.text(alphabet="ab \n.", max_size=300), st.integers(1, 40))
def test_sections_cover_the_text_without_a_gap(text: str, size: int) -> None:
    assert "".join(text[start:end] for start, end in sections(text, size)) == text
    assert all(0 < end - start <= size for start, end in sections(text, size))


def test_a_find_is_the_same_wherever_a_section_ends() -> None:
    line = "The 12 kg crate was not opened on 5 March 2024 (ERROR 3f2a9c1).\n"
    text = line * (3 * SECTION // len(line))
    once = find(line, set(Kind) - {Kind.HEADING, Kind.INSTRUCTION})

    assert len(find(text, set(Kind) - {Kind.HEADING, Kind.INSTRUCTION})) == len(once) * text.count("\n")


@given(texts)
def test_lines_are_those_of_a_split_at_line_feeds(text: str) -> None:
    assert [text[start:end] for start, end in lines(text)] == text.split("\n")


@given(texts)
def test_paragraphs_hold_all_that_is_not_white_space(text: str) -> None:
    for cut in (paragraphs, blocks):
        assert "".join("".join(text[s:e].split()) for s, e in cut(text)) == "".join(text.split())


@given(texts)
def test_sentence_ends_ascend_inside_the_text(text: str) -> None:
    ends = sentence_ends(text)

    assert ends == sorted(set(ends))
    assert all(0 < end <= len(text) for end in ends)


HOSTILE = [
    *"a[({\"'0. \n`~<&@/\\:?#-_=A不é“",
    "ab ",
    '["',
    "[1,",
    '{"a":',
    "://",
    ".com",
    "a@",
    "<a ",
    "</",
    "<question>",
    "C:\\",
    "a/",
    "a.py",
    "1.",
    "1-",
    "1 ",
    "May ",
    "n't",
    '"a',
    "“„",
    "? ",
    "a?\n",
    "Q: x\n",
    "```\n",
    "` `` ",
    "\n \n",
    "A\n",
    "a:",
    "a_",
    "<!--",
    "12:30:",
    "www.",
    "'a' ",
    "\\\\a ",
]


def _seconds(detect: Callable[[str], Iterator[tuple[int, int]]], text: str) -> float:
    began = time.process_time()
    for _ in detect(text):
        pass
    return time.process_time() - began


@pytest.mark.parametrize("kind", Kind)
def test_hostile_text_costs_microseconds_per_character(kind: Kind) -> None:
    for piece in HOSTILE:
        text = piece * (40_000 // len(piece))

        assert _seconds(DETECTORS[kind], text) < 0.6, piece


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
def test_much_hostile_text_is_linear_work(kind: Kind) -> None:
    for piece in HOSTILE:
        text = piece * (300_000 // len(piece))

        assert _seconds(DETECTORS[kind], text) < 4, piece


def test_prose_costs_a_few_microseconds_per_word() -> None:
    text = (
        "The committee, which met in 1998 near the old harbour, did not agree on what it had seen there. " * 25
        + "\n\n"
    ) * 80
    words = text.count(" ")
    best = min(_timed(text) for _ in range(3))

    assert best / words < 15e-6


def _timed(text: str) -> float:
    began = time.process_time()
    find(text, set(Kind))
    return time.process_time() - began
