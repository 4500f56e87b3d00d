"""A text that is to be translated, corrected, counted in or searched for all of a kind goes out whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.protect.asked.every_word import needs_every_word

MEETING = """
Anna opened the meeting and thanked everyone for coming on such a cold morning. The roof of the old hall was
looked at in March, and the builders found two beams that are rotten. Ben said that the insurance pays nothing
for wood that was wet for years. The treasurer has 41,000 euros left for repairs, of which 12,000 are promised
to the kitchen. Clara asked whether the summer concert could be held in the church. The vicar has agreed, but
the church is not free on the second weekend of June. Dora will write to the choir. After that people spoke
about the parking places behind the school, which are full every evening. Emil wants a sign, Frida wants a
fence. It was decided to ask the town for both.
"""


@pytest.fixture(scope="module")
def compressor() -> Iterator[Compressor]:
    with Compressor.load() as opened:
        yield opened


NEEDED = [
    "Translate the following text into German:",
    "Please translate to French",
    "Could you proofread this essay?",
    "Summarize it, and translate the text into Spanish.",
    "Fix the grammar of this letter.",
    "How many times does the word 'limit' occur?",
    "How many words are there in this story?",
    "Count the rows with an error.",
    "List all people who spoke.",
    "Convert this to a table.",
    "Übersetze den Text ins Englische.",
    "Traduisez en anglais :",
    "Traduce al inglés:",
    "Переведи на английский:",
    "翻译成英文：",
    "英語に翻訳してください。",
    "영어로 번역해 줘",
    "ترجم إلى الإنجليزية:",
]
NOT_NEEDED = [
    "What does the contract say about translation?",
    "Who translated the book?",
    "Explain how to translate addresses.",
    "How many people live in the town?",
    "How many times did the team win?",
    "Summarize this in French.",
    "Answer the question, then translate your answer into German.",
    "Which words count?",
    "What was decided about the list of all members?",
    "在佛教术语中，禅那是什么？",
]
FOR_TOOLS_NOT_NEEDED = ["Rewrite the module to use asyncio.", "Find all callers of open().", "Convert this class."]


@pytest.mark.parametrize("order", NEEDED)
def test_an_order_that_needs_every_word(order: str) -> None:
    assert needs_every_word(order)


@pytest.mark.parametrize("order", NOT_NEEDED)
def test_an_order_that_does_not(order: str) -> None:
    assert not needs_every_word(order)


@pytest.mark.parametrize("order", FOR_TOOLS_NOT_NEEDED)
def test_what_an_agent_does_to_a_program_says_nothing_about_what_its_tools_find(order: str) -> None:
    assert not needs_every_word(order, material=True)
    assert needs_every_word("Translate the manual.", material=True)


@pytest.mark.parametrize("order", NEEDED)
def test_the_text_beside_it_stays_whole_wherever_it_stands(compressor: Compressor, order: str) -> None:
    settings = CompressionSettings(ratio=3)
    before = CompressionSettings(ratio=3, asked=order)

    results = [
        compressor.compress(f"{order}\n\n{MEETING}", settings),
        compressor.compress(f"{MEETING}\n\n{order}", settings),
        compressor.compress(MEETING, before),
    ]

    assert [(result.every_word, result.ratio) for result in results] == [(True, 1.0)] * 3
    assert "needs every word" in results[0].summary()


@pytest.mark.parametrize("order", NOT_NEEDED)
def test_the_text_beside_another_is_shortened(compressor: Compressor, order: str) -> None:
    assert compressor.compress(f"{MEETING}\n\n{order}", CompressionSettings(ratio=3)).ratio > 1


def test_who_looks_for_no_question_finds_no_order(compressor: Compressor) -> None:
    text = f"Translate the following text into German:\n\n{MEETING}"

    assert not compressor.compress(text, CompressionSettings(ratio=3, question="off")).every_word


def test_what_a_tool_answers_gives_no_orders(compressor: Compressor) -> None:
    text = f"Translate the following text into German:\n\n{MEETING}"

    assert not compressor.compress(text, CompressionSettings(ratio=3, material=True)).every_word
