"""Where the question stands in a text, and when there is none."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.planning import question

RAIN = "The rain fell on the harbour for nine days and the boats stayed in. " * 6
SUN = "Later the sun came back and the market opened again near the old gate. " * 6
DOCUMENTS = "\n".join(f"Document [{n}](Title: Day {n}) {RAIN}" for n in range(1, 6))


def asked(text: str) -> str | None:
    span = question.find(text)
    return text[span[0] : span[1]] if span else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Answer this.\n\n{DOCUMENTS}\n\nQuestion: how long did it rain\nAnswer:", "how long did it rain"),
        (f"{DOCUMENTS}\n\nhow long did it rain", "how long did it rain"),
        (f"{DOCUMENTS}\n\nthe number of rainy days is", "the number of rainy days is"),
        (f"{RAIN}\n\n{SUN}\n\nHow long did it rain?", "How long did it rain?"),
        (f"{RAIN}\nHow long did it rain?", "How long did it rain?"),
        (f"How long did it rain?\n\n{RAIN}\n\n{SUN}", "How long did it rain?"),
        (f"<doc>{RAIN}</doc>\n<question>How long?</question>", "How long?"),
        (f"<question>How long?</question>\n<doc>{RAIN}</doc>", "How long?"),
        (f"<instructions>Be brief.</instructions>{RAIN}<query>How long?</query>", "How long?"),
        (f"{RAIN}\n\nSummarize the text above in one sentence.", "Summarize the text above in one sentence."),
        (f"Please translate the following text.\n\n{RAIN}", "Please translate the following text."),
        (f"{RAIN}\n\n**Question:** How long?\n(A) two days\n(B) nine", "How long?\n(A) two days\n(B) nine"),
        ("雨は九日間降り続き、船は港に留まった。" * 12 + "\n\n雨は何日間降りましたか", "雨は何日間降りましたか"),
        ("雨下了九天，船都留在港口里。" * 12 + "\n\n问题：雨下了几天？", "雨下了几天？"),
        ("Дождь шёл девять дней, и лодки стояли. " * 8 + "\n\nСколько дней шёл дождь?", "Сколько дней шёл дождь?"),
        ("هطل المطر تسعة أيام وبقيت القوارب. " * 8 + "\n\nكم يوما هطل المطر؟", "كم يوما هطل المطر؟"),
    ],
)
def test_a_question_beside_its_material_is_found(text: str, expected: str) -> None:
    assert asked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How long did it rain?",
        "How long did it rain? And where?\n\nTell me.",
        RAIN,
        f"{RAIN}\n\n{SUN}",
        DOCUMENTS,
        f"# How long did it rain?\n\n{RAIN}",
        f"Rain, friend or foe?\n\n{RAIN}",
        f"{RAIN} But how long did it rain? {SUN}",
        "\n\n".join(f"{RAIN} Was it long?" for _ in range(6)) + "\n\nWho knows?",
        "\n".join(f"Speaker {'AB'[n % 2]}: {RAIN}" for n in range(6)) + "\nSpeaker A: Who knows?",
        "\n\n".join(f"Write the {n}th file and show it to me. {RAIN}" for n in range(5)),
        "\n\n".join(f"Question: why {n}?\nAnswer: because. {RAIN}" for n in range(5)),
        "def f(x):\n    return x\n\n" * 20 + "Use = f(x) if you == {1}",
        "\n".join(f"2024-05-03 10:30:{n:02d} INFO request {n} served" for n in range(40)),
    ],
    ids=lambda text: repr(text[:20] + "..." + text[-20:]),
)
def test_a_plain_document_has_no_question_about_itself(text: str) -> None:
    assert asked(text) is None


def test_a_question_beside_a_transcript_is_found_although_the_speakers_ask_too() -> None:
    talk = "\n".join(f"Speaker {'AB'[n % 2]}: Was it the {n}th day? {RAIN[:60]}" for n in range(20))

    assert asked(f"{talk}\n\nWhat did they discuss?") == "What did they discuss?"


def test_of_worked_examples_only_the_open_one_is_the_question() -> None:
    shots = "\n\n".join(f"Question: what is {n} plus {n}?\nAnswer: {2 * n}" for n in range(8))

    assert asked(f"{shots}\n\nQuestion: what is 9 plus 9?\nAnswer:") == "what is 9 plus 9?"


@given(st.text(max_size=300), st.text(max_size=80))
def test_a_find_is_a_span_of_the_text_without_white_space_around_it(before: str, after: str) -> None:
    for text in (before + after, f"{RAIN}{before}\n\n{after}?", f"<query>{after}</query>{RAIN}{before}"):
        span = question.find(text)
        if span:
            piece = text[span[0] : span[1]]
            assert piece == piece.strip() != ""


def _pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in question.passages(text)]


def test_documents_with_headers_are_passages() -> None:
    pieces = _pieces(f"Answer this.\n\n{DOCUMENTS}")

    assert [piece[:12] for piece in pieces] == ["Answer this.", *(f"Document [{n}]" for n in range(1, 6))]


@pytest.mark.parametrize(
    "form",
    [
        "<document id='{n}'>{text}</document>\n",
        "Passage {n}: {text}\n",
        "[{n}] {text}\n",
        "{n}. {text}\n",
        "{text}\n---\n",
        "{text}\n\n",
        "Title {n}\n\n{text}\n\n",
        "### Source {n}\n{text}\n\n",
    ],
)
def test_each_way_to_write_passages_down_gives_as_many(form: str) -> None:
    pieces = _pieces("".join(form.format(n=n, text=RAIN.strip()) for n in range(1, 7)))

    assert len(pieces) == 6
    assert all("harbour" in piece for piece in pieces)


def test_text_without_passages_is_cut_into_pieces_of_some_hundred_characters() -> None:
    for text in (RAIN * 20, (RAIN[:67] + "\n") * 120, "雨下了九天，船都留在港口里。" * 400):
        sizes = [end - start for start, end in question.passages(text)]

        assert len(sizes) > 4
        assert max(sizes) <= 2 * question.PASSAGE


def test_notes_behind_a_text_do_not_make_it_one_passage() -> None:
    text = "\n\n".join([RAIN] * 10 + [f"[{n}] {SUN}" for n in (1, 2, 3)])

    assert len(question.passages(text)) == 13


@given(st.text(alphabet="ab .\n?<doc>/[1]-", max_size=300))
def test_passages_are_disjoint_and_leave_nothing_out(text: str) -> None:
    spans = question.passages(text)

    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    assert "".join("".join(text[s:e].split()) for s, e in spans) == "".join(text.split())
