"""Where a sentence ends, and above all where it does not."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.text.sentences import LONGEST, sentences
from tests.compressor.linear import check_linear


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text, 0, len(text))]


@pytest.mark.parametrize(
    "text",
    [
        "He met Dr. J. K. Smith of Smith Inc. in St. Mary's.",
        "It grew by approx. 3.5 percent, see fig. 4 and No. 7 there.",
        "Der Bau, z.B. gem. § 5 Abs. 2 S. 1 BauO, begann am 3. Oktober.",
        "Die 2. Auflage und Ludwig XIV. von Frankreich.",
        "The genus, e.g. E. coli, cf. Miller et al. 1999, is common.",
        "Roe v. Wade was cited in 28 U.S.C. § 1331.",
        '"I did not do it. I swear it," he said.',
        "She denied that “the roof leaks. The wall is wet.”",
        "The tenant (see sec. 4. It was changed later.) pays.",
        "He waited ... and went.",
        "「もう帰らない。」と言った。",
        "“我不去。”他说。",
        "Стоимость в т.ч. НДС указана на стр. 4 договора.",
        "温度は３．５度だった。",
        "This line was wrapped by\nhand in the middle of it.",
        "We leave at noon. Otherwise we miss it.",
        "The rule holds. Except on Sundays.",
        "Is it open? No.",
        "門は開いている。ただし月曜は休みだ。",
        "他可以进来。除非门关着。",
    ],
)
def test_it_is_one_sentence(text: str) -> None:
    assert [text] == split(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained. He left in 1999. Then it snowed!", ["It rained.", "He left in 1999.", "Then it snowed!"]),
        ("She said no. They went home again.", ["She said no.", "They went home again."]),
        ("今天下雨了。明天是晴天。", ["今天下雨了。", "明天是晴天。"]),
        ("雨が降った。「そうだ。」そして晴れた。", ["雨が降った。", "「そうだ。」そして晴れた。"]),
        ("वह घर गया। बारिश हुई।", ["वह घर गया।", "बारिश हुई।"]),
        (
            "ذهب إلى البيت. هل عاد إلى هنا؟ كان الجو باردا.",
            ["ذهب إلى البيت.", "هل عاد إلى هنا؟", "كان الجو باردا."],
        ),
        ("we went home. then it rained. it was late.", ["we went home.", "then it rained.", "it was late."]),
        ("Did he come? She saw him there.", ["Did he come?", "She saw him there."]),
    ],
)
def test_sentences_are_parted(text: str, expected: list[str]) -> None:
    assert expected == split(text)


def test_thai_is_parted_at_blanks_but_not_before_an_exception() -> None:
    opening = "ร้านเปิดทุกวันตั้งแต่เวลาเก้าโมงเช้าจนถึงสองทุ่มและมีที่จอดรถ"
    exception = "ยกเว้นวันจันทร์ที่ร้านปิดทำการตลอดทั้งวันเพราะต้องทำความสะอาด"
    other = "ลูกค้าสามารถโทรศัพท์มาสอบถามได้ตลอดเวลาทำการของร้านโดยไม่มีค่าใช้จ่าย"

    assert [f"{opening} {exception}", other] == split(f"{opening} {exception} {other}")


def test_a_long_sentence_with_an_end_is_not_parted() -> None:
    clause = "the party of the first part hands over the goods that are listed in the annex, "
    text = "Where " + clause * (LONGEST // len(clause) - 1) + "the price is due."

    assert [text] == split(text)


def test_speech_without_marks_is_parted_where_something_begins() -> None:
    text = "so we looked at the numbers of the quarter and they were fine and then we talked about the plan " * 100

    parts = split(text)

    assert len(parts) > 5
    assert max(map(len, parts)) <= 1000
    assert all(part.split()[0] in ("and", "so", "then", "we", "they") for part in parts)


@given(text=st.text(alphabet='aA1 .!?\n"“”()。「」;,’…§', max_size=300))
@settings(max_examples=300, deadline=None)
def test_nothing_is_lost_and_nothing_overlaps(text: str) -> None:
    found = sentences(text, 0, len(text))

    assert "".join(text.split()) == "".join("".join(text[start:end].split()) for start, end in found)
    assert all(start < end for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))


@pytest.mark.parametrize("piece", ["a", "a ", "(a", '"', "“a", "。", ". ", "ก ", "; ", "x.", "Mr. ", "\ud800"])
def test_time_is_linear_in_the_length_of_one_line(piece: str) -> None:
    check_linear(lambda text: sentences(text, 0, len(text)), lambda size: (piece * size)[:size], 20_000)
