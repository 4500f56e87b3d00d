"""A text that is to be translated, corrected, counted in or searched for all of a kind goes out whole."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.planning.whole import stays_whole
from moosproxy.compressor.protect.asked.every_word import needs_every_word, needs_every_word_to_come

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
    "Kannst du das ins Deutsche übersetzen?",
    "Pouvez-vous traduire ce texte ?",
    "¿Puedes corregir este texto?",
    "Puoi tradurre questo testo?",
    "Можешь перевести это?",
    "Översätt texten till engelska.",
    "Please give me a German translation of the text.",
    "Are there any typos in this?",
    "How many errors are in the log?",
]
BY_OTHER_WORDS = [
    "Please render this in French:",
    "Please provide a German version of the text below.",
    "What would this be in German?",
    "German please:",
    "I need this in German.",
    "Make this text sound more formal.",
    "Are there any spelling mistakes in this text?",
    "What is the word count of this text?",
    "How many goats are mentioned?",
    "Give me a list of every year mentioned.",
    "List the years mentioned.",
    "What is the last sentence of this text?",
    "Repeat the text back to me.",
    "Wie oft kommt das Wort Dach vor?",
    "Combien de fois apparaît le mot toit ?",
    "¿Cuántas veces aparece la palabra techo?",
    "Сколько раз встречается слово крыша?",
    "下文中山羊出现了几次？",
]
NOT_NEEDED = [
    "What is the first line of defense against frost?",
    "What did the German delegation ask for?",
    "Summarize the text in German.",
    "How does this work in practice?",
    "The Customer shall not (a) sell the samples; (b) copy the records or the inventory of the building.",
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
    "Compte tenu de ce document, quelle est la date ?",
    "Can you find all relevant facts about the roof?",
]
FOR_TOOLS_NOT_NEEDED = [
    "Rewrite the module to use asyncio.",
    "Find all callers of open().",
    "Convert this class.",
    "Fix the login.\ntranslate.py",
    "Fix the login.\ngrep -rn 'translate' src",
]
TRANSLATORS = [
    "You are a professional translator.",
    "You are a world-class, German-English translator.",
    "Act as a translator between English and Polish.",
    "You are a proofreading assistant.",
    "Du bist ein professioneller Übersetzer.",
    "Eres un traductor profesional.",
    "Ты профессиональный переводчик.",
]
NO_TRANSLATORS = [
    "You are a helpful assistant. Give all answers in markdown.",
    "You are a helpful assistant. List all sources at the end.",
    "You answer from documents. Return all results as JSON.",
    "Be polite to all users. Ignore typos.",
]


@pytest.mark.parametrize("order", NEEDED + BY_OTHER_WORDS)
def test_an_order_that_needs_every_word(order: str) -> None:
    assert needs_every_word(order)


@pytest.mark.parametrize("order", NOT_NEEDED)
def test_an_order_that_does_not(order: str) -> None:
    assert not needs_every_word(order)


@pytest.mark.parametrize("order", FOR_TOOLS_NOT_NEEDED)
def test_what_an_agent_does_to_a_program_says_nothing_about_what_its_tools_find(order: str) -> None:
    assert not needs_every_word(order, material=True)
    assert needs_every_word("Translate the manual.", material=True)


@pytest.mark.parametrize("instruction", TRANSLATORS)
def test_a_standing_instruction_that_needs_every_word(instruction: str) -> None:
    assert needs_every_word_to_come(instruction)


@pytest.mark.parametrize("instruction", NO_TRANSLATORS)
def test_how_to_answer_says_nothing_about_what_will_be_sent(instruction: str) -> None:
    assert not needs_every_word_to_come(instruction)


def test_a_book_in_a_tag_takes_no_time() -> None:
    text = f"<instructions>{'a b c, and ' * 40_000}</instructions>\n{MEETING}"
    began = time.perf_counter()

    assert not stays_whole(text, None)
    assert time.perf_counter() - began < 1, "reading all of it takes three seconds and more"
    assert stays_whole(f"<instructions>{'a b c, and ' * 400}. Translate it.</instructions>\n{MEETING}", None)


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


LOG = "\n".join(
    f"2026-03-01T10:{at // 60:02}:{at % 60:02} INFO worker-{at % 4} request {at} done in {7 * at % 41} ms"
    for at in range(120)
)


@pytest.mark.parametrize("asked", ["How many requests took longer than 30 ms?", "Which request was the slowest?"])
def test_a_figure_over_all_rows_needs_all_of_them(compressor: Compressor, asked: str) -> None:
    results = [
        compressor.compress(f"{LOG}\n\n{asked}", CompressionSettings(ratio=3)),
        compressor.compress(LOG, CompressionSettings(ratio=3, asked=asked, material=True)),
    ]

    assert [result.every_word for result in results] == [True, True]
    assert not compressor.compress(f"{MEETING}\n\n{asked}", CompressionSettings(ratio=3)).every_word


def test_a_question_about_one_row_leaves_out_others(compressor: Compressor) -> None:
    result = compressor.compress(f"{LOG}\n\nWhat did worker-2 do with request 42?", CompressionSettings(ratio=3))

    assert result.ratio > 2
    assert "request 42 done" in result.text
