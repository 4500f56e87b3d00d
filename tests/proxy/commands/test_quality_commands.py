"""`moos calibrate`, `moos eval mine` and `moos compress --quality` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moosproxy.proxy.commands.cli import main
from tests.proxy import tiny_gguf
from tests.proxy.fakes import report

TEMPLATE = "{% for message in messages %} {{ message.content }}{% endfor %}"


def moos(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    rows = [{"text": report(30, seed), "question": "What of the roof?", "answer": "the roof"} for seed in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "who answers? Give --judge FILE.gguf, or --base-url URL with --model NAME"),
        (["--base-url", "http://127.0.0.1:9/v1"], "--base-url and --model go together"),
        (["--judge", "none.gguf"], "no file none.gguf; give a GGUF file"),
        (["--judge", "a.gguf", "--base-url", "http://127.0.0.1:9/v1", "--model", "m"], "not both"),
        (["--base-url", "http://127.0.0.1:9/v1", "--model", "m"], "cannot reach http://127.0.0.1:9/v1"),
    ],
)
def test_mine_says_in_one_line_who_cannot_answer(
    texts: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    found = moos("eval", "mine", texts, "--out", tmp_path / "page.html", "--threads", "1", *options)

    assert found.exit_code == 2
    assert told in found.output
    assert not (tmp_path / "page.html").exists()


def test_calibrate_says_in_one_line_what_is_missing(texts: Path, tmp_path: Path) -> None:
    few = moos("calibrate", "--texts", texts, "--out", tmp_path / "made.json", "--threads", "1")
    none = moos("calibrate", "--data", tmp_path, "--out", tmp_path / "made.json", "--threads", "1")

    assert (few.exit_code, none.exit_code) == (2, 2)
    assert "3 texts of one group, 30 are needed" in few.output
    assert "qa_spans.jsonl.gz is missing" in none.output
    assert not (tmp_path / "made.json").exists()


def test_compress_takes_a_floor_and_tells_what_it_came_to(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text(report(20))
    asked = ("compress", path, "--json", "--question", "What was decided about the roof?", "--threads", "1")
    floored, plain = (moos(*asked, *options) for options in (["--quality", "0.8"], []))
    told = json.loads(floored.stdout)

    assert told["floor"]["asked"] == 0.8
    assert told["floor"]["group"] == "prose, asked, short"
    assert told["floor"]["predicted"] >= 0.8
    assert "of the answers" in floored.stderr
    assert (json.loads(plain.stdout)["floor"], json.loads(plain.stdout)["asked_ratio"]) == (None, 2.0)
    wrong = moos(*asked, "--quality", "2")
    assert (wrong.exit_code, "quality must be a number above 0 and below 1" in wrong.output) == (2, True)


@tiny_gguf.needs_llama_cpp
@pytest.mark.slow
def test_a_model_of_this_machine_asks_and_answers(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", template=TEMPLATE)
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("The statement is executed once for each item of the sequence. " * 12)
    options = ("--judge", path, "--window", "1024", "--threads", "1", "--out", tmp_path / "page.html")
    found = moos("eval", "mine", folder, *options)

    assert found.exit_code == 0, found.output
    assert "answers kept: " in found.output
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("<article>") <= 10
