"""`moos calibrate`: from training data, from one's own texts, by rule and by a judge."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from moosproxy.compressor import Compressor, records
from moosproxy.compressor.calibration import Calibration
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer
from moosproxy.compressor.quality import making, samples, session
from moosproxy.compressor.quality.curves import Observed
from tests.compressor.evaluation.answers.conftest import FACT, FILL, RuleAnswerer

ASKED = "What is the number of the boat?"


def text_of(number: int) -> str:
    """Another text for every number; all of them hold the fact."""
    lines = [FILL.replace("bridge", f"bridge {number}.{at}") for at in range(12)]
    return " ".join([*lines[: number % 12], FACT, *lines[number % 12 :]])


def write(data: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    path = data / "train" / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def held_out(name: str, count: int, share: float = records.HELD_OUT) -> list[str]:
    """Titles that training does not see, and one that it does."""
    numbered = [f"{name}{number}" for number in range(4000)]
    found = [title for title in numbered if records.held_out({"id": title}, share)]
    seen = next(f"{title} seen" for title in numbered if not records.held_out({"id": f"{title} seen"}, share))
    return [seen, *found[:count]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A few records of every source."""
    qas = [{"question": ASKED, "answers": [{"text": "4711", "start": 0}]}]
    passages = [
        {"id": title, "title": title, "context": text_of(number), "qas": qas}
        for number, title in enumerate(held_out("p", 34))
    ]
    passages += [{**row, "id": f"{row['id']}-far", "context": FILL, "qas": []} for row in passages]
    write(tmp_path, "qa_spans", passages)
    write(tmp_path, "qa_spans_multilingual", passages[:3])
    talk = "\n".join([f"A: {FILL}", f"B: {FACT}", *[f"A: {FILL} {n}" for n in range(200)]])
    asked = {"query": "Which boat?", "answer": "The boat is 4711.", "relevant_char_spans": [[80, 200]]}
    meetings = [
        {"id": title, "transcript": talk, "queries": [asked, {"query": "All?"}]} for title in held_out("m", 2)
    ]
    write(tmp_path, "meetings", meetings)
    code = "".join(f"def made_{n}(a):\n    return a + {n}\n\n\n" for n in range(30))
    answer = json.dumps({"rows": [{"name": f"item {n}", "price": 17 + n} for n in range(60)]})
    said = f"user: Hello.\ntool: {answer}\nassistant: There."
    files = [
        {"id": title, "kind": "code" if number % 2 else "agent_tool_json", "text": code if number % 2 else said}
        for number, title in enumerate(held_out("f", 8, samples.FILES))
    ]
    write(tmp_path, "unlabeled_agent_text", files)
    return tmp_path


def test_samples_are_held_out_and_the_whole_text_holds_what_is_asked_for(data: Path) -> None:
    found = list(samples.from_training(data))

    assert {one.question is None for one in found} == {True, False}
    assert not [one for one in found if "seen" in one.cluster]
    for one in found:
        assert one.kept(one.text) >= 1
        assert one.kept("") == 0
    piles = [one for one in found if one.text.startswith("Document [1]")]
    assert piles
    assert all(one.text.count("4711") == 1 for one in piles)
    assert [one for one in found if "def made_0" in one.text and one.question is None]
    assert [one for one in found if one.text.startswith('{"rows"')]
    assert len(list(samples.from_training(data, 1))) < len(found)


def choice(out: Path, **changed: Any) -> session.Choice:
    told: dict[str, Any] = dict.fromkeys(("data", "texts", "checkpoint", "limit", "replies"))
    return session.Choice(**told | {"threads": 1, "out": out} | changed)


def test_a_calibration_from_training_data_is_this_checkpoints(
    data: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "PILES", 2)  # long texts
    monkeypatch.setattr(samples, "SEEN", 2)
    out = tmp_path / "calibration.json"
    made = session.calibrate(choice(out, data=data, checkpoint=tiny_checkpoint), None)

    with Compressor.load(tiny_checkpoint, threads=1, calibration=out) as compressor:
        assert compressor.calibration.digest == made.digest
    assert {"prose, asked, short", "prose, not asked, short"} <= made.groups.keys()
    assert made.facts == {"kept": session.BY_RULE, "from": "held-out training data"}


def mine(path: Path, **changed: str | None) -> Path:
    rows = [
        {"text": text_of(number), "question": ASKED, "answer": "4711", **changed} for number in range(making.LEAST)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def calibrated(tmp_path: Path, checkpoint: Path, judge: Answerer | None, **changed: str | None) -> Calibration:
    texts = mine(tmp_path / "mine.jsonl", **changed)
    return session.calibrate(choice(tmp_path / "made.json", texts=texts, checkpoint=checkpoint), judge)


def test_own_texts_by_rule_and_by_a_judge_that_answers_by_the_same_rule(
    tiny_checkpoint: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    by_rule = calibrated(tmp_path, tiny_checkpoint, None)
    by_judge = calibrated(tmp_path, tiny_checkpoint, answerer)

    assert set(by_rule.groups) == {"prose, asked, short", "prose, not asked, short"}
    assert by_rule.groups == by_judge.groups
    assert by_judge.facts == {"kept": "answers of Rule 1.0", "from": "own texts"}


def test_a_judge_needs_no_answers_and_no_questions(
    tiny_checkpoint: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    known = calibrated(tmp_path, tiny_checkpoint, answerer)

    assert calibrated(tmp_path, tiny_checkpoint, answerer, answer=None).groups == known.groups
    assert calibrated(tmp_path, tiny_checkpoint, answerer, answer=None, question=None).groups


def test_without_a_judge_answers_are_needed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CompressorError, match=r"line 1 .* has no answer; give it, or name a judge"):
        calibrated(tmp_path, tiny_checkpoint, None, answer=None)
    with pytest.raises(CompressorError, match="has no question"):
        calibrated(tmp_path, tiny_checkpoint, None, answer=None, question=None)


def test_what_a_judge_gets_wrong_from_the_whole_text_tells_nothing(
    tiny_checkpoint: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    with pytest.raises(CompressorError, match="0 texts of one group, 30 are needed"):
        calibrated(tmp_path, tiny_checkpoint, answerer, answer="blue")


def test_too_few_texts_are_told() -> None:
    few = [Observed("g", str(number % 29), [1.0] * 10, [1.0] * 10, 1.0) for number in range(100)]

    with pytest.raises(CompressorError, match="29 texts of one group, 30 are needed"):
        making.calibration(few, "abc", {})
