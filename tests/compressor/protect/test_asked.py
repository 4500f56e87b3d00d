"""Questions and instructions: which are the user's own, and which are material."""

import pytest

from moosproxy.compressor.protect import find
from moosproxy.compressor.settings import Kind
from tests.compressor.protect.finds import found


def test_many_questions_are_material_and_only_those_at_the_edges_stay() -> None:
    middle = "\n\n".join(f"Was it {word}? It was." for word in ("red", "green", "blue", "grey", "pink"))
    text = f"What colour was it?\n\n{middle}\n\nSo which colour won?"

    assert found(text, Kind.QUESTION) == ["What colour was it?", "So which colour won?"]


def test_few_questions_all_stay() -> None:
    text = "Is it on?\n\n" + "It rained. " * 200 + "Did it pour? It did.\n\nIt rained."

    assert found(text, Kind.QUESTION) == ["Is it on?", "Did it pour?"]


def test_in_worked_examples_only_the_last_labelled_question_stays() -> None:
    shots = "\n\n".join(
        f"Question: what is {n} plus {n}\nAnswer: it is {2 * n}. " + "Because. " * 60 for n in range(8)
    )
    text = f"{shots}\n\nQuestion: what is 9 plus 9\nAnswer:"

    asked = [piece for piece in found(text, Kind.INSTRUCTION) if "plus" in piece]
    assert {n for n in range(10) if any(f"is {n} plus" in piece for piece in asked)} == {
        0,
        9,
    }  # 0 is the first line


def test_a_short_block_that_asks_is_an_instruction_to_its_end() -> None:
    asked = 'Answer in JSON with the keys "person" and "date". Do not add any explanation.'
    text = "The committee met on Monday. It was long.\n\n" * 9 + asked

    found = find(text, frozenset({Kind.INSTRUCTION}))

    assert asked in [text[span.start : span.end] for span in found]


MATERIAL = "The committee met on Monday and talked about the roof. " * 12
ASKED = [
    "You must answer in one sentence and never mention the warehouse.",
    "Make this more formal and fix the grammar mistakes.",
    "The answer should be a single word in upper case letters.",
    "My question is whether the chair was happy with the result.",
    "It would be great if you could rewrite this for children.",
    "I'd like to know how many members there were and what the chair said",
    "tl;dr pls",
    "Resume el texto anterior en dos frases, sin mencionar el almacén.",
    "以下の文章を日本語で三行に要約してください。",
]


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    "form", ["{m}\n\n{a}", "{a}\n\n{m}", "{m}\n{a}", "{m}\n\n{m}\n{a}", "{m}\n\n{a}\n\nThanks,\nAnna"]
)
def test_a_short_block_or_line_at_an_edge_is_the_users_own(asked: str, form: str) -> None:
    assert any(asked in piece for piece in found(form.format(m=MATERIAL, a=asked), Kind.INSTRUCTION))


@pytest.mark.parametrize(
    "asked",
    [
        "Compare it with text B below and list every difference as a bullet point.",
        "Summarise the report above in three bullet points, then translate the text below.",
        "List the names of every person and tell me whether the chair agreed.",
        "Could you give me the three most important decisions in a table",
    ],
)
def test_a_request_counts_between_two_materials(asked: str) -> None:
    assert asked in found(f"{MATERIAL}\n\n{asked}\n\n{MATERIAL}", Kind.INSTRUCTION)
    many = "\n\n".join([MATERIAL, *[f"{asked} {number}" for number in range(9)], MATERIAL])
    assert not any(asked in piece for piece in found(many, Kind.INSTRUCTION))


def test_a_long_last_paragraph_is_material() -> None:
    assert not found("\n\n".join([MATERIAL] * 20), Kind.INSTRUCTION)
