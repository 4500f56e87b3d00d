"""A user's own texts: read, refused with a line, asked about by a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.mine import own
from moosproxy.compressor.evaluation.mine.own import OwnText
from tests.compressor.evaluation.answers.conftest import TEXT, RuleAnswerer


def lines_of(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_file_has_a_text_a_line(tmp_path: Path) -> None:
    rows = {"text": "One."}, "", {"text": "Two.", "question": "Which?", "answer": "two"}, {"text": " "}
    path = lines_of(tmp_path / "mine.jsonl", *rows)

    assert own.read(path) == [OwnText("line 1", "One."), OwnText("line 3", "Two.", "Which?", "two")]
    assert own.read(path, 1) == [OwnText("line 1", "One.")]


def test_a_folder_has_a_text_a_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "deep/a.MD", "c.pdf"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty.txt").write_text("\n")

    assert [one.name for one in own.read(tmp_path)] == ["b.txt", "deep/a.MD"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 2: not JSON"),
        ([], 'line 2: an object with a string "text"'),
        ({"text": 7}, 'line 2: an object with a string "text"'),
        ({"text": "a", "question": 7}, 'line 2: "question" must be a string'),
        ({"text": "a", "answer": "b"}, 'line 2: an "answer" needs its "question"'),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: object, told: str) -> None:
    path = lines_of(tmp_path / "mine.jsonl", {"text": "One."}, row)

    with pytest.raises(CompressorError, match=told):
        own.read(path)


def test_nothing_and_no_text_at_all_are_told(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_bytes(b"\xff")

    with pytest.raises(CompressorError, match=r"holds no texts; files that end in \.txt or \.md"):
        own.read(tmp_path)
    with pytest.raises(CompressorError, match=r"not UTF-8 \(byte 0\)"):
        own.read(tmp_path / "mine.jsonl")
    with pytest.raises(CompressorError, match="cannot be read"):
        own.read(tmp_path / "none.jsonl")
    with pytest.raises(CompressorError, match=r'holds no texts; lines like \{"text"'):
        own.read(lines_of(tmp_path / "blank.jsonl", ""))


def test_a_model_asks_about_texts_that_have_no_question(answerer: RuleAnswerer, tmp_path: Path) -> None:
    long = "\n".join([TEXT, *["Nothing happens here."] * 400])
    texts = [OwnText("a", "Short."), OwnText("b", TEXT, "Which boat?"), OwnText("c", long)]
    with Lines(tmp_path, answerer, "mine") as lines:
        found = own.with_questions(texts, answerer, lines, lambda: None)

    assert [(one.name, one.question) for one in found] == [
        ("a, 1", "not mentioned"),  # the rule answers whatever it is asked
        ("b", "Which boat?"),
        ("c, 1", "4711"),
        ("c, 2", "not mentioned"),
    ]
    assert len(answerer.asked) == 1 + own.QUESTIONS
    assert all(len(prompt.user) < own.SHOWN_CHARS + 20 for prompt in answerer.asked)


def test_a_model_that_asks_nothing_is_told(answerer: RuleAnswerer, tmp_path: Path) -> None:
    answerer.window = 1
    with (
        Lines(tmp_path, answerer, "mine") as lines,
        pytest.raises(CompressorError, match="made no questions of these texts"),
    ):
        own.with_questions([OwnText("a", TEXT)], answerer, lines, lambda: None)
