import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.kept import KeptSpans


@st.composite
def text_and_spans(draw: st.DrawFn) -> tuple[str, KeptSpans]:
    text = draw(st.text(max_size=200))
    bounds = sorted(draw(st.sets(st.integers(0, len(text)), max_size=20)))
    return text, KeptSpans(tuple(zip(bounds[::2], bounds[1::2], strict=False)))


@given(text_and_spans())
def test_kept_spans_survive_their_bytes(case: tuple[str, KeptSpans]) -> None:
    _, kept = case

    assert kept == KeptSpans.from_bytes(kept.to_bytes())


@given(st.binary(max_size=50))
def test_garbage_bytes_are_refused_or_give_valid_spans(data: bytes) -> None:
    try:
        kept = KeptSpans.from_bytes(data)
    except ValueError:
        return
    flat = [bound for span in kept.spans for bound in span]

    assert sorted(set(flat)) == flat


@given(text_and_spans())
def test_the_output_is_a_subsequence_of_the_original_but_for_white_space(case: tuple[str, KeptSpans]) -> None:
    text, kept = case
    rest = iter(text)

    assert all(character in rest for character in kept.apply(text) if not character.isspace())


@pytest.mark.parametrize(
    ("text", "kept", "expected"),
    [
        ("one two three", ((0, 3), (8, 13)), "one three"),
        ("one\ntwo\nthree", ((0, 3), (8, 13)), "one\nthree"),
        ("one\r\ntwo\r\nthree", ((0, 3), (10, 15)), "one\r\nthree"),
        ("one\n\ntwo three", ((0, 3), (9, 14)), "one\n\nthree"),
        ("well-known", ((0, 4), (5, 10)), "well known"),
        ("你好世界", ((0, 1), (3, 4)), "你界"),
        ("end. (start", ((0, 3), (6, 11)), "end start"),
    ],
)
def test_gaps_become_the_white_space_they_held(
    text: str, kept: tuple[tuple[int, int], ...], expected: str
) -> None:
    assert expected == KeptSpans(kept).apply(text)
