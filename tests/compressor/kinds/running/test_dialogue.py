"""Conversations as units: who speaks stays with what is said, an answer with what it answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kinds.base import Asked, Block, Rows, TextKind, Unit
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.running.dialogue import LONG, Dialogue
from tests.compressor.kinds.kit import piece_of
from tests.compressor.linear import check_linear

CHAT = """\
[10:02] Ana: will the boat be ready today
[10:03] Bo: no
[10:03] Ana: is it because of the paint or because of the engine
[10:04] Bo: engine
[10:05] Cem: I ran it for an hour yesterday and it became far too hot
[10:06] Dee: then we sail on Monday with the smaller one instead
[10:07] Ana: who tells the guests about that, I have no time today
[10:08] Bo: Cem
[10:09] Cem: no, I have swapped that with Dee already
[10:10] Dee: the harbour wants a list of everybody on board by noon"""

WHATSAPP = """\
12/05/2024, 10:02 - Messages and calls are encrypted.
12/05/2024, 10:02 - Ana Lopez: can you come on Friday and help us with the roof?
12/05/2024, 10:03 - Bo: no
12/05/2024, 10:04 - Ana Lopez: what about Saturday then
I could bring the ladder
12/05/2024, 10:05 - Bo: I can come in the afternoon with my brother"""

SLACK = """\
Ana Lopez  10:02 AM
can we ship the release today
Bo Berg  10:03 AM
no
Ana Lopez  10:04 AM
is it because of the flaky test or because of the migration
or of both
Bo Berg  10:05 AM
migration"""

IRC = """\
10:02 <ana> can we ship it today or is there anything left
10:03 <bo> no
10:04 <ana> what is missing, and who is working on it now
10:05 <bo> the migration takes forty minutes on the copy
10:06 <ana> then we do it at night when nobody is there"""

INTERVIEW = """\
Q. Did you see the red car at the corner that night?
A. No.
Q. Was the lamp above the door broken at the time?
A. Yes, since the storm in May.
Q. Who else was in the house when you came home?
A. My brother and his wife were in the kitchen."""

MINUTES = """\
主持人：今天我们讨论下个季度的预算和人员安排。
王经理：不行。
主持人：那么这个问题推迟到什么时候再讨论比较好？
王经理：下个月。
李工：我同意推迟，但是测试环境的费用要先批准。"""

SUBTITLES = """\
1
00:00:01,000 --> 00:00:04,000
I did not

2
00:00:04,100 --> 00:00:06,000
see him there.

3
00:00:07,000 --> 00:00:09,000
Who did it then?"""


def units(text: str, asked: Asked | None = None) -> list[Unit]:
    return list(Dialogue().edit(text, Block(0, len(text), TextKind.DIALOGUE), asked or Asked()).units)


def pieces(text: str) -> list[str]:
    return [piece_of(text, unit) for unit in units(text)]


@pytest.mark.parametrize("text", [CHAT, WHATSAPP, SLACK, IRC, INTERVIEW, MINUTES, SUBTITLES], ids=lambda t: t[:12])
def test_it_is_told_and_nothing_of_it_is_lost(text: str) -> None:
    assert TextKind.DIALOGUE in {block.kind for block in split(text)}
    assert "".join(text.split()) == "".join("".join(pieces(text)).split())


@pytest.mark.parametrize(
    ("text", "answer", "answered"),
    [
        (CHAT, "Bo: no", "will the boat"),
        (CHAT, "Bo: engine", "because of the paint"),
        (CHAT, "Bo: Cem", "who tells"),
        (CHAT, "no, I have swapped", "Bo: Cem"),
        (WHATSAPP, "Bo: no", "Ana Lopez: can you come"),
        (SLACK, "10:03 AM\nno", "can we ship"),
        (SLACK, "migration", "flaky test"),
        (IRC, "<bo> no", "<ana> can we"),
        (INTERVIEW, "A. No.", "the red car"),
        (INTERVIEW, "A. Yes", "Was the lamp"),
        (MINUTES, "不行", "预算"),
        (MINUTES, "下个月。", "推迟到什么时候"),
        (SUBTITLES, "see him there.", "I did not"),
    ],
)
def test_an_answer_is_one_with_what_it_answers(text: str, answer: str, answered: str) -> None:
    (unit,) = [piece for piece in pieces(text) if answer in piece and answered in piece]

    assert unit.index(answered) < unit.index(answer)


def test_where_something_is_asked_an_answer_still_needs_what_it_answers() -> None:
    found = units(CHAT, Asked("Who tells the guests?", frozenset({"tells", "guests"})))
    said = [piece_of(CHAT, unit) for unit in found]

    assert said.index("[10:02] Ana: will the boat be ready today") == found[said.index("[10:03] Bo: no")].head


def test_rows_without_a_name_belong_to_who_spoke() -> None:
    assert any("Saturday then\nI could bring the ladder" in piece for piece in pieces(WHATSAPP))


def test_a_long_turn_is_its_speaker_and_its_sentences() -> None:
    long = "The engine has to cool down for an hour before we touch it. " * (LONG // 50)
    text = CHAT + f"\n[10:11] Ana: {long.strip()}"

    found = units(text)
    head = next(at for at, unit in enumerate(found) if unit.heads)

    assert "[10:11] Ana:" == text[found[head].start : found[head].end].strip()
    assert {head} == {unit.head for unit in found[head + 1 :]}


@pytest.mark.parametrize(
    "text",
    [
        "name: web\nimage: nginx\nname: db\nimage: postgres\nname: x\nimage: y",
        "Note: it rains in the hills.\nNote: the road is closed for cars.\nNote: take the boat to the town.",
        "Dear Ana,\n\nwe met at 10:02 and talked about: boats, tea and roofs.\nYours,\nBo",
        "2024-05-01 10:02:00 INFO: started on port one\n2024-05-01 10:02:01 WARN: disk is nearly full\n" * 3,
        "Host: a.example\nAccept: text/html\nUser-Agent: x\nHost: b.example",
        "Ana: we said that once, and that was all of it.",
        "1\n2\n3\n\n4\n5",
    ],
)
def test_other_text_is_no_conversation(text: str) -> None:
    assert TextKind.DIALOGUE not in {block.kind for block in split(text)}


ROWS = st.sampled_from(
    [
        *(
            "[10:02] Ana: hello to all of you",
            "Bo: no",
            "<cem> who is there",
            "Ana  10:02 AM",
            "Q. Where?",
            "A. There.",
        ),
        *(
            "",
            "and more of it",
            "x" * 600,
            "10:05 - left",
            "1",
            "00:00:01,000 --> 00:00:02,000",
            "王：不",
            "\ud800:",
            "a\r",
        ),
    ]
)


@given(st.lists(ROWS, min_size=1, max_size=40).map("\n".join))
@settings(max_examples=150)
def test_units_hold_every_character_and_a_name_stays_with_its_words(text: str) -> None:
    for block in split(text):
        if block.kind is not TextKind.DIALOGUE:
            continue
        found = Dialogue().edit(text, block, Asked()).units

        assert "".join(text[block.start : block.end].split()) == "".join(
            "".join(piece_of(text, unit).split()) for unit in found
        )
        assert all(unit.head < at for at, unit in enumerate(found))
        for unit in found:
            ahead = text[max(block.start, text.rfind("\n", 0, unit.start) + 1) : unit.start]
            assert not ahead.strip() or unit.head >= 0  # only sentences of a long turn begin inside of a row


@pytest.mark.parametrize("row", ["Ana: no", "Key: value of it", "<x> hi", "Ana  10:02 AM", "1", "\n\nx", "10:02"])
def test_time_is_linear_in_rows(row: str) -> None:
    def work(text: str) -> None:
        rows, editor, at = Rows(text), Dialogue(), 0
        while at < len(rows):
            end = editor.claim(rows, at, "") if not rows.blank(at) else at
            if end > at:
                editor.edit(text, Block(rows.spans[at][0], rows.spans[end - 1][1], editor.kind), Asked())
            at = max(end, at + 1)

    check_linear(work, lambda count: "\n".join([row, row.replace("Ana", "Bo")] * count), 100)
