"""A tiny encoder to train, and passages whose answer is easy to learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertForTokenClassification

from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training.config import TrainConfig
from moosproxy.compressor.training.data import mixture
from moosproxy.compressor.training.data.items import Item
from tests.compressor.tiny import CORPUS, bert_config, wordpiece

TINY = TrainConfig(tokens=6_000, batch_tokens=512, lr=3e-3, mixture="questions", held_out=0.3, save_every=4)


def records(count: int = 14) -> list[dict[str, object]]:
    """Passages whose answer is always the word after "answer"."""
    rows = []
    for number in range(count):
        name = "z" + chr(97 + number) * 3
        context = f"{CORPUS[number]} The secret answer {name} lies here. {CORPUS[number + 20]}"
        span = {"text": name, "start": context.index(name)}
        asked = [{"question": "What is the secret answer?", "answers": [span]}]
        rows.append({"id": f"r{number}", "title": f"t{number}", "lang": "en", "context": context, "qas": asked})
    return rows


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer encoder in Hugging Face form, random weights."""
    directory = tmp_path_factory.mktemp("start")
    size = Tokenizer.from_file(str(wordpiece(directory / "tokenizer.json"))).get_vocab_size()
    torch.manual_seed(1)
    config = bert_config(size, max_position_embeddings=300, num_labels=2)
    BertForTokenClassification(config).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def encoder(start: Path) -> TextEncoder:
    """The tiny tokenizer."""
    return TextEncoder.from_file(start / "tokenizer.json")


@pytest.fixture(scope="module")
def made(encoder: TextEncoder) -> list[Item]:
    """Items of the question mixture."""
    streams = mixture.Streams({"qa_spans": records()}, encoder, 7)
    return mixture.collect(streams, mixture.QUESTIONS, TINY.tokens)
