import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.text import words


def cut(text: str) -> list[str]:
    starts, ends = words.find(text)
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \r\n\t", []),
        ("Hello, don't!", ["Hello", ",", "don't", "!"]),
        ("a state-of-the-art idea", ["a", "state-of-the-art", "idea"]),
        ("1,234.5% at 12:30", ["1,234.5%", "at", "12:30"]),
        ("你好世界。", ["你", "好", "世", "界", "。"]),
        ("カタカナひらがな", ["カタカナ", "ひらがな"]),
        ("mixed混合text", ["mixed", "混", "合", "text"]),
        ("👨‍👩‍👧 ok", ["👨‍👩‍👧", "ok"]),
        ("e\u0301tude", ["e\u0301tude"]),
        ("one\r\ntwo", ["one", "two"]),
        ("--- ==", ["---", "=="]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
    ],
)
def test_text_is_cut_into_words(text: str, expected: list[str]) -> None:
    assert expected == cut(text)


def test_a_giant_word_is_cut_into_bounded_ones() -> None:
    pieces = cut("x" * 10_000)

    assert "x" * 10_000 == "".join(pieces)
    assert words.MAX_WORD_CHARS >= max(map(len, pieces))


def test_scripts_without_spaces_are_cut_between_grapheme_clusters() -> None:
    pieces = cut("สวัสดีชาวโลกที่น่ารัก")

    assert len(pieces) > 3
    assert not any(piece[0] in "\u0e31\u0e34\u0e35\u0e48\u0e49" for piece in pieces)


@given(st.text())
def test_every_visible_character_lies_in_exactly_one_word(text: str) -> None:
    starts, ends = words.find(text)
    covered = "".join(text[start:end] for start, end in zip(starts, ends, strict=True))

    assert "".join(text.split()) == "".join(covered.split())
    assert all(end <= start for end, start in zip(ends[:-1], starts[1:], strict=True))


@given(st.text(st.sampled_from("abZ09_ .,:/-'%!?\n\t\r\x0b\x1c\x7f\xa0é’—你ー\u0301\u200d👩ไ"), max_size=200))
def test_the_quick_way_for_ascii_finds_the_same_words(text: str) -> None:
    slow = [match.span() for match in words._WORD.finditer(text)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_STRETCH", 12)
        starts, ends = words.find(text)

    assert slow == list(zip(starts.tolist(), ends.tolist(), strict=True))
