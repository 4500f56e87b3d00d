"""The wire form of an answer, its seal, and the cut that it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor import KeptSpans
from moosproxy.compressor.kept import Mark, Noun, Wrap
from moosproxy.proxy.cache.cut import Cut, Kinds, Limit, scaled
from moosproxy.proxy.cache.key import Key, KeySpace
from moosproxy.proxy.cache.record import Record, Skip
from moosproxy.proxy.reasons import SkipReason

PINNABLE = [
    SkipReason.PROTECTED_KIND,
    SkipReason.NOT_WORTH_IT,
    SkipReason.DEADLINE,
    SkipReason.OVERLOADED,
    SkipReason.FAILED,
]
KINDS = st.lists(
    st.tuples(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.integers(0, 2**40), st.integers(0, 2**40)),
    max_size=4,
).map(tuple)
LIMITS = st.none() | st.builds(Limit, st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.integers(0, 100))


@st.composite
def texts_and_spans(draw: st.DrawFn) -> tuple[str, KeptSpans]:
    text = draw(st.text("ab1 \n\r\té漢.", min_size=1, max_size=200).filter(str.strip))
    borders = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2)))
    spans = tuple(zip(borders[::2], borders[1::2], strict=False))
    kept = KeptSpans(spans)
    if not spans or not kept.apply(text).strip():
        kept = KeptSpans(((0, len(text)),))
    return text, kept


@given(texts_and_spans(), st.integers(1, 10**9), st.integers(0, 10**9), LIMITS, KINDS)
def test_a_cut_comes_back_from_its_bytes_and_gives_the_text_that_the_spans_give(
    example: tuple[str, KeptSpans], after: int, saved: int, limit: Limit | None, kinds: Kinds
) -> None:
    text, kept = example
    cut = Cut.of(text, kept, after + saved, after, limit, kinds)
    again = Record.from_bytes(Record.of(cut).to_bytes()).answer(text)
    assert again == cut
    assert kept.apply(text) == cut.apply(text)


@given(texts_and_spans(), st.data())
def test_a_cut_says_where_something_was_left_out(example: tuple[str, KeptSpans], data: st.DataObject) -> None:
    text, kept = example
    gaps = sorted(data.draw(st.sets(st.integers(0, len(kept.spans)), min_size=1, max_size=4)))
    marks = tuple(Mark(gap, data.draw(st.sampled_from(Noun)), data.draw(st.sampled_from(Wrap))) for gap in gaps)
    marked = KeptSpans(kept.spans, marks)
    assert marked.apply(text) == Cut.of(text, marked, 4, 2).apply(text)


@given(st.sampled_from(PINNABLE), st.integers(0, 2**40), st.integers(0, 2**40), LIMITS, KINDS)
def test_a_skip_comes_back_from_its_bytes(
    reason: SkipReason, tokens: int, expires: int, limit: Limit | None, kinds: Kinds
) -> None:
    skip = Skip(reason, tokens, expires, limit, kinds)
    assert Record.from_bytes(Record.of(skip).to_bytes()).answer("any text") == skip


@pytest.mark.parametrize("limit", [b"\x05co\nde\x10", b"\x15" + b"a" * 21 + b"\x10", b"\x04code\x65", b"\x04code"])
def test_a_limit_that_is_none_is_refused(limit: bytes) -> None:
    good = Record.of(Skip(SkipReason.NOT_WORTH_IT, 5, 0)).to_bytes()

    with pytest.raises(ValueError, match="limit"):
        Record.from_bytes(good[:-2] + limit)


@pytest.mark.parametrize(
    "kinds", [b"\xff", b"\x01\x04co\nd\x01\x01", b"\x01\x04code\x01", b"\x02\x04code\x01\x01", b""]
)
def test_kinds_that_are_none_are_refused(kinds: bytes) -> None:
    good = Record.of(Skip(SkipReason.NOT_WORTH_IT, 5, 0)).to_bytes()

    with pytest.raises(ValueError, match="record"):
        Record.from_bytes(good[:-1] + kinds)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 999), st.integers(1, 999)), min_size=1),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
)
def test_tokens_by_kind_add_up_to_those_that_were_counted(
    kinds: dict[str, tuple[int, int]], before: int, after: int
) -> None:
    found = scaled(kinds, before, after)

    assert [name for name, _, _ in found] == list(kinds)
    assert (sum(came for _, came, _ in found), sum(sent for _, _, sent in found)) == (before, after)
    assert all(came >= 0 and sent >= 0 for _, came, sent in found)


@given(st.binary(max_size=60), st.text(max_size=40))
def test_garbage_is_a_value_error_or_an_answer_that_fits_the_text(data: bytes, text: str) -> None:
    try:
        answer = Record.from_bytes(data).answer(text)
    except ValueError:
        return
    if isinstance(answer, Cut):
        assert answer.apply(text).strip()
        assert answer.tokens_after <= answer.tokens_before
        assert answer.ends[-1] <= len(text)


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_a_value_opens_only_with_the_key_that_closed_it(value: bytes, text: bytes) -> None:
    space = KeySpace(["team"])
    key, other = space.key(text), space.key(text + b"x")
    assert key.open(key.close(value)) == value
    with pytest.raises(ValueError, match="seal"):
        other.open(key.close(value))


@given(st.binary(max_size=60), st.data())
def test_a_flipped_bit_breaks_the_seal(value: bytes, data: st.DataObject) -> None:
    key = KeySpace([]).key(b"text")
    sealed = bytearray(key.close(value))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="seal"):
        key.open(bytes(sealed))


@pytest.mark.parametrize("spans", [(), ((0, 6),), ((3, 9),)], ids=["none", "too long", "beyond the end"])
def test_spans_that_cannot_be_the_texts_are_refused(spans: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="kept spans"):
        Cut.of("hello", KeptSpans(spans), 4, 2)


def test_spans_that_leave_white_space_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="white space"):
        Cut.of("one \n two", KeptSpans(((3, 6),)), 4, 2)


@pytest.mark.parametrize(("before", "after"), [(4, 5), (4, 0)])
def test_token_counts_that_cannot_be_are_refused(before: int, after: int) -> None:
    with pytest.raises(ValueError, match="tokens"):
        Cut.of("hello", KeptSpans(((0, 2),)), before, after)


def test_every_share_of_the_scope_and_the_text_changes_the_key() -> None:
    scopes: list[list[str | None]] = [
        ["team", "print", "role"],
        ["team", "print", "other"],
        ["team", "other", "role"],
        [None, "print", "role"],
        ["", "print", "role"],
        ["teamp", "rint", "role"],
        ["-", "print", "role"],
    ]
    keys: set[Key] = {KeySpace(scope).key(text) for scope in scopes for text in (b"text", b"Text", b"")}
    assert len(scopes) * 3 == len(keys) == len({key.name for key in keys})


def test_the_name_does_not_tell_the_seal() -> None:
    key = KeySpace(["team"]).key(b"text")
    assert key.seal.hex().encode() not in key.name
