"""What the small model and the compressors learn from, and what they are asked."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("torch")

import torch
from transformers import PreTrainedTokenizerFast

from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.training.batches import IGNORED, WorldSource
from moosproxy.compressor.soft.training.small_lm import tokenizer_for
from moosproxy.compressor.soft.training.texts import TextSource, other_paragraphs, paragraphs
from moosproxy.compressor.soft.training.world import World, corpus, is_held_out

TOKENIZER = tokenizer_for(corpus(300, 0), 1024)


@pytest.mark.parametrize(("names", "held"), [("train", False), ("held_out", True)])
def test_training_and_held_out_share_no_name_and_no_value(names: str, held: bool) -> None:
    facts = World(names).facts(12, Random(1))  # type: ignore[arg-type]

    assert {held} == {is_held_out(fact.entity) for fact in facts} | {is_held_out(fact.value) for fact in facts}


def test_the_held_out_wording_is_never_a_trained_one() -> None:
    fact = World().facts(1, Random(0))[0]
    trained = {World().statement(fact, Random(seed)) for seed in range(50)}
    held = {World("train", "held_out").statement(fact, Random(seed)) for seed in range(50)}

    assert not trained & held


def test_a_context_is_as_long_as_asked_and_answers_its_questions() -> None:
    batch = WorldSource(TOKENIZER, World("held_out")).questions(8, 102, 1, Random(3))

    assert (8, 102) == tuple(batch.context.shape)
    for context, tail, labels, reference in zip(
        batch.context, batch.tail, batch.labels, batch.references, strict=True
    ):
        text, question = TOKENIZER.decode(context), TOKENIZER.decode(tail[labels == IGNORED])
        assert f"is {reference} ." in text
        assert reference not in question
        answer = labels[labels != IGNORED]
        assert f" {reference}" == TOKENIZER.decode(answer[:-1])
        assert TOKENIZER.eos_token_id == answer[-1]


def test_the_same_seed_draws_the_same_batch() -> None:
    first, second = (WorldSource(TOKENIZER, World()).questions(3, 51, 2, Random(7)) for _ in range(2))

    assert torch.equal(first.context, second.context)
    assert torch.equal(first.tail, second.tail)


def test_copying_tells_the_same_runs_in_another_order() -> None:
    batch = WorldSource(TOKENIZER, World()).copying(4, 1024, Random(0))

    assert not torch.equal(batch.context, batch.tail)
    assert torch.equal(batch.context.sort().values, batch.tail.sort().values)
    assert 6 == (batch.labels[0] == IGNORED).sum()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    text = "The tower was built in 1889 by a company from the north. It is made of iron."
    answers = [{"text": "1889", "start": text.index("1889")}]
    late = [{"text": "iron", "start": text.index("iron")}]
    asked = [{"question": "When was it built?", "answers": answers}, {"question": "Of what?", "answers": late}]
    with gzip.open(tmp_path / "qa_spans.jsonl.gz", "wt") as out:
        for number in range(20):
            out.write(json.dumps({"id": str(number), "title": f"t{number}", "context": text, "qas": asked}) + "\n")
    return tmp_path


def test_real_questions_are_asked_only_where_the_context_holds_the_answer(data: Path) -> None:
    source = TextSource(TOKENIZER, paragraphs(data, held=False))
    batch = source.questions(6, 60, 4, Random(0))

    assert (6, 60) == tuple(batch.context.shape)
    for context, labels in zip(batch.context, batch.labels, strict=True):
        answers = TOKENIZER.decode(labels[labels != IGNORED]).split("</s>")
        assert all(answer.strip() in TOKENIZER.decode(context) for answer in answers)


def test_a_batch_prefers_contexts_with_as_many_questions(data: Path) -> None:
    """Tails of one length need no padding; both questions of the text fit into 60 tokens."""
    batch = TextSource(TOKENIZER, paragraphs(data, held=False)).questions(6, 60, 2, Random(0))

    assert [2] * 6 == (batch.tail == TOKENIZER.eos_token_id).sum(1).tolist()


def test_another_file_of_questions_is_read_whole(data: Path) -> None:
    (data / "qa_spans.jsonl.gz").rename(data / "other.jsonl.gz")
    batch = TextSource(TOKENIZER, other_paragraphs(data / "other.jsonl.gz")).questions(2, 60, 1, Random(0))

    assert 20 == len(other_paragraphs(data / "other.jsonl.gz"))
    assert {"When was it built?": "1889", "Of what?": "iron"}[batch.asked[0]] == batch.references[0]


def test_training_and_held_out_paragraphs_share_no_title(data: Path) -> None:
    kept, held = paragraphs(data, held=False), paragraphs(data, held=True)

    assert 20 == len(kept) + len(held)
    assert kept


def test_missing_data_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SoftError, match=r"qa_spans\.jsonl\.gz is missing"):
        paragraphs(tmp_path, held=True)


CHATML = (
    "{% for m in messages %}{% if loop.first %}<|im_start|>system\nBe of use.<|im_end|>\n{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def chatting() -> PreTrainedTokenizerFast:
    """A tokenizer of a model of conversations."""
    tokenizer = tokenizer_for(corpus(50, 0), 1024)
    tokenizer.add_special_tokens({"eos_token": "<|im_end|>", "additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = CHATML
    return tokenizer


def test_a_model_of_conversations_is_asked_in_its_own_template(
    data: Path, chatting: PreTrainedTokenizerFast
) -> None:
    """Put together, head, text and tail are what the template makes of the whole conversation."""
    batch = TextSource(chatting, paragraphs(data, held=False)).questions(1, 60, 2, Random(0))
    assert batch.before is not None
    told = chatting.decode(torch.cat([batch.before[0], batch.context[0], batch.tail[0]]))
    context = chatting.decode(batch.context[0])
    orders = told.split("<|im_start|>user\n")
    questions = [each.split("<|im_end|>")[0].split("\n")[-1] for each in orders[1:]]
    given = [each.split("<|im_start|>assistant\n")[1].split("<|im_end|>")[0] for each in orders[1:]]
    turns = []
    for question, answer in zip(questions, given, strict=True):
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    turns[0]["content"] = f"{context}\n\nAnswer in a few words, as the text says it.\n{questions[0]}"

    assert told + "\n" == chatting.apply_chat_template(turns, tokenize=False)
    answers = chatting.decode(batch.labels[batch.labels != IGNORED]).split("<|im_end|>")
    assert given == answers[:-1]
    assert 2 == len(questions)


def test_the_small_model_is_asked_in_plain_lines(data: Path) -> None:
    batch = TextSource(TOKENIZER, paragraphs(data, held=False)).questions(1, 60, 1, Random(0))

    assert batch.before is None
    assert TOKENIZER.decode(batch.tail[0]).startswith("\nQ: ")
