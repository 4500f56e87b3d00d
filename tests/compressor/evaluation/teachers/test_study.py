"""The study of teachers: how sentences are picked and counted, and every opinion on a real, tiny model."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from moosproxy.compressor import records
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.evaluation.measures.critical import sentences
from moosproxy.compressor.evaluation.reporting.results import Results
from moosproxy.compressor.evaluation.reporting.store import Store
from moosproxy.compressor.evaluation.teachers import study
from moosproxy.compressor.evaluation.teachers.opinions import OPINIONS
from tests.proxy import tiny_gguf

TEXT = "The mill was sold. The price was 4711 crowns. Nobody knows why. It stands by the river. It is old."


def test_the_best_sentences_that_fit_are_picked() -> None:
    assert study.pick(np.array([1.0, 3.0, 2.0]), np.array([2, 5, 2]), 4) == [True, False, True]


def test_an_answer_counts_where_its_sentence_stays_whole() -> None:
    spans = tuple(sentences(TEXT))
    at = TEXT.index("4711")
    one = study.Subject("a", TEXT, spans, ((at, at + 4),))
    results = Results()
    for name, kept in ((study.OURS, [False, True, False, False, False]), (study.CHANCE, [True] + [False] * 4)):
        whole = study._whole(one, kept)
        results.add("sentences", name, "2", "intact", "a", (float(whole), 1.0))
        results.add("sentences", name, "3", "intact", "a", (float(whole), 1.0))
        results.add("sentences", name, "4", "intact", "a", (float(whole), 1.0))
    told = study.table(results)

    assert "| today's scores | 100.0 | 100.0 | 100.0 |" in told
    assert "| chance | 0.0 (-100.0 [-100.0, -100.0])" in told


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Some paragraphs, a few of them held out."""
    folder = tmp_path / "train"
    folder.mkdir()
    at = TEXT.index("4711")
    qas = [{"question": "What was the price?", "answers": [{"text": "4711", "start": at}]}]
    with gzip.open(folder / "qa_spans.jsonl.gz", "wt", encoding="utf-8") as file:
        for number in range(200):
            row = {"id": f"q{number}", "title": f"t{number}", "source": "s", "context": TEXT, "qas": qas}
            file.write(json.dumps(row) + "\n")
    return tmp_path


@pytest.mark.slow
@tiny_gguf.needs_llama_cpp
def test_every_opinion_gives_a_number_for_each_sentence(
    tmp_path: Path, data: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    from moosproxy.compressor.evaluation.teachers.language_model import LanguageModel

    model = LanguageModel(tiny_gguf.write(tmp_path / "a.gguf"))
    spans = list(sentences(TEXT))
    for name, opinion in OPINIONS.items():
        scores = opinion(model, TEXT, spans)
        assert scores.shape == (5,), name
        assert np.isfinite(scores).all(), name

    said: list[str] = []
    study.study(tmp_path / "a.gguf", data, tiny_checkpoint, 2, tmp_path / "out", 1, said.append)
    assert "2 texts, 2 answers" in said[0]

    monkeypatch.setattr(study, "OPINIONS", dict.fromkeys(OPINIONS, stopped))
    study.study(tmp_path / "a.gguf", data, tiny_checkpoint, 2, tmp_path / "out", 1, said.append)
    assert said[1] == said[0]


def stopped(*asked: object) -> NoReturn:
    """A model that cannot be asked."""
    raise KeyboardInterrupt


def test_a_study_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    one = study.Subject("a", TEXT, ((0, 2), (2, 7)), ())
    with Store(tmp_path / study.STORE) as store, pytest.raises(KeyboardInterrupt):
        said = study.Said(store, "a model")
        said.scores("length", one, lambda: np.array([2.0, 5.0]))
        said.scores("depth", one, stopped)
    with Store(tmp_path / study.STORE) as store:
        assert study.Said(store, "a model").scores("length", one, stopped).tolist() == [2, 5]
        assert study.Said(store, "a model").scores("depth", one, lambda: np.array([1, 1])).tolist() == [1, 1]
        with pytest.raises(KeyboardInterrupt):
            study.Said(store, "another model").scores("length", one, stopped)


def test_only_held_out_texts_are_asked_about(data: Path) -> None:
    found = study.subjects(data, 1000)
    held = [row for row in records.read(data, "train/qa_spans") if records.held_out(row)]

    assert 0 < len(found) == len(held) < 200


def test_fewer_texts_are_spread_over_all_of_them(data: Path) -> None:
    every = study.subjects(data, 1000)
    most = study.subjects(data, 2 * len(every) // 3)

    assert len(most) == 2 * len(every) // 3
    assert every.index(most[-1]) >= len(most)
    assert study.subjects(data, 2) == [every[0], every[len(every) // 2]]


def test_todays_scores_are_one_for_each_sentence(tiny_checkpoint: Path) -> None:
    with Compressor.load(tiny_checkpoint, threads=1) as compressor:
        assert study.todays(compressor, TEXT, list(sentences(TEXT))).shape == (5,)
