"""`moos train soft` and `moos eval soft`, from nothing to a page of results, and what they say to bad input."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moosproxy.compressor.commands.evaluate import evaluate
from moosproxy.compressor.commands.train import train
from tests.compressor.soft.conftest import tiny

pytest.importorskip("matplotlib")


def moos(*words: str | Path) -> Result:
    """Runs `moos` with a command of this part."""
    name, *rest = map(str, words)
    command = {"train": train, "eval": evaluate}[name]
    return CliRunner().invoke(command, ["soft", *rest], catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and two compressors that have hardly begun to learn."""
    folder = tmp_path_factory.mktemp("soft")
    made = moos("train", "base", "--out", folder / "lm", "--steps", "2", "--batch", "256", "--width", "32")
    assert 0 == made.exit_code, made.output
    for name, *words in (
        ("sac", "--method", "sac"),
        ("sac-again", "--method", "sac", "--repeat", "0.5"),
        ("icformer", "--method", "icformer"),
        ("icformer-published", "--method", "icformer", "--form", "published"),
    ):
        made = moos(
            "train", "compressor", "--base", folder / "lm", *words, "--ratio", "4,5", "--out",
            folder / name, "--chunk", "51", "--rank", "4", "--steps", "2", "--text-steps", "1",
            "--lengths", "51", "--batch", "102",
        )  # fmt: skip
        assert 0 == made.exit_code, made.output
    return folder


@pytest.mark.slow
def test_a_run_says_which_form_and_rates_it_had(trained: Path) -> None:
    """IC-Former's default has rates of its own, its published form the published rate."""
    facts = {
        name: json.loads((trained / name / "soft.json").read_text()) for name in ("icformer", "icformer-published")
    }
    forms = {name: (each["config"]["positions"], each["config"]["start"]) for name, each in facts.items()}
    rates = {name: (each["training"]["lr"], each["training"]["muon"]) for name, each in facts.items()}

    assert {"icformer": ("spread", "pooled"), "icformer-published": ("appended", "zero")} == forms
    assert {"icformer": (1e-3, 0.007), "icformer-published": (1e-4, 0.0)} == rates


def measured(folder: Path, out: Path) -> Result:
    names = ("sac", "sac-again", "icformer", "icformer-published")
    return moos(
        "eval", "run", "--base", folder / "lm",
        *(word for name in names for word in ("--compressor", folder / name)),
        "--questions", "6", "--length", "102", "--no-hard", "--out", out,
    )  # fmt: skip


@pytest.mark.slow
def test_results_are_written_kept_and_reported(trained: Path, tmp_path: Path) -> None:
    first, again = measured(trained, tmp_path), measured(trained, tmp_path)
    cost = moos(
        "eval", "cost", "--base", trained / "lm", "--lengths", "64,128", "--out", tmp_path, "--threads", "1"
    )
    report = moos("eval", "report", "--out", tmp_path, "--docs", tmp_path / "docs")

    assert (0, 0, 0, 0) == tuple(each.exit_code for each in (first, again, cost, report))
    assert "sac 5x seed 0: EM" in first.output
    assert "" == again.output
    page = (tmp_path / "docs" / "results-soft.md").read_text()
    rows = [row.split(" |")[0] for row in page.splitlines() if row.startswith(("| SAC", "| IC-"))]
    assert ["| SAC", "| SAC, with autoencoding", "| IC-Former", "| IC-Former, published form"] == rows[:4]
    assert "of the full context's exact match at 4x" in page
    assert "Published at 15x" in page
    assert "| icformer 32768 |" in page
    assert "plots/soft-quality.svg" in page
    assert (tmp_path / "docs" / "plots" / "soft-cost.svg").stat().st_size > 1000


def test_real_text_alone_is_trained_on_and_asked_about(trained: Path, tmp_path: Path) -> None:
    """The bundled compressor stands beside, with the question and without."""
    text = "The tower was built in 1889 by a company from the north. It is made of iron, and of nothing else."
    asked = [{"question": "When was it built?", "answers": [{"text": "1889", "start": text.index("1889")}]}]
    lines = [json.dumps({"id": f"{n}", "title": f"t{n}", "context": text, "qas": asked}) + "\n" for n in range(20)]
    for name in ("qa_spans.jsonl.gz", "other.jsonl.gz"):
        (tmp_path / name).write_bytes(gzip.compress("".join(lines).encode()))
    base = ("--base", trained / "lm")
    made = moos(
        "train", "compressor", *base, "--method", "sac", "--ratio", "4", "--out", tmp_path / "sac",
        "--chunk", "51", "--rank", "4", "--steps", "2", "--text-steps", "0", "--lengths", "51", "--batch", "102",
        "--every", "1", "--no-templates", "--data", tmp_path,
    )  # fmt: skip
    run = moos(
        "eval", "run", *base, "--compressor", tmp_path / "sac", "--ratios", "4", "--questions", "2",
        "--length", "51", "--no-templates", "--data", tmp_path, "--more", tmp_path / "other.jsonl.gz",
        "--out", tmp_path,
    )  # fmt: skip
    (tmp_path / "results-soft.md").write_text("# Results\n")
    report = moos("eval", "report", "--real", "--out", tmp_path, "--docs", tmp_path)

    assert (0, 0, 0) == (made.exit_code, run.exit_code, report.exit_code), made.output + run.output
    page = (tmp_path / "results-soft.md").read_text()
    rows = [line.split(" |")[0] for line in page.splitlines() if line.startswith("| ")]
    assert (
        2
        == rows.count("| hard compression, question unknown")
        == rows.count("| SAC, at 4x alone, memory of another text")
    )
    assert "**other**" in page
    assert ["| 0", "| 1", "| 2"] == rows[-3:]


def test_what_was_counted_is_there_without_any_model(tmp_path: Path) -> None:
    assert 0 == moos("eval", "cost", "--out", tmp_path).exit_code

    counted = json.loads((tmp_path / "cost.json").read_text())["counted"]["llama-2-7b"]
    assert counted["icae"]["4096"] > 30 * counted["icformer"]["4096"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("eval", "report", "--out", "{tmp}"), "run `moos eval soft run` first"),
        (("eval", "run", "--base", "{tmp}/none"), "make one with `moos train soft base"),
        (("eval", "cost", "--shape", "1t", "--out", "{tmp}"), "no shape 1t"),
        (
            ("train", "compressor", "--base", "{tmp}", "--method", "sac", "--out", "{tmp}/x"),
            "no causal language model",
        ),
        (("train", "base", "--out", "{tmp}/lm", "--data", "{tmp}"), "qa_spans.jsonl.gz is missing"),
        (("eval", "report", "--real", "--out", "{tmp}"), "run `moos eval soft run` first"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = moos(*(word.format(tmp=tmp_path) for word in words))

    assert 2 == result.exit_code
    assert said in result.output
    assert 1 == len(result.output.strip().splitlines())


@pytest.mark.parametrize(
    ("command", "words"),
    [("run", ("--no-hard",)), ("train", ("--method", "sac", "--out", "none"))],
)
def test_no_templates_and_no_text_leave_nothing(command: str, words: tuple[str, ...], trained: Path) -> None:
    kind = ("train", "compressor") if command == "train" else ("eval", command)
    result = moos(*kind, "--base", trained / "lm", "--no-templates", *words)

    assert 2 == result.exit_code
    assert "--no-templates leaves nothing" in result.output


def test_a_compressor_of_another_model_is_exit_code_2(tmp_path: Path, trained: Path) -> None:
    other = tmp_path / "other"
    moos("train", "base", "--out", other, "--steps", "1", "--batch", "256", "--width", "32", "--seed", "1")
    result = moos(
        "eval", "run", "--base", other, "--compressor", trained / "sac", "--questions", "2", "--length", "40"
    )

    assert 2 == result.exit_code
    assert "was trained for lm" in result.output.strip().splitlines()[-1]


def test_a_tokenizer_of_another_model_is_exit_code_2(tmp_path: Path, trained: Path) -> None:
    tiny().model.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((trained / "lm" / name).read_bytes())
    result = moos("eval", "run", "--base", tmp_path)

    assert 2 == result.exit_code
    assert "do not belong together" in result.output


def test_a_base_may_be_a_gguf_file_and_a_cut_one_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_made = pytest.importorskip("tests.compressor.soft.weights.hand_made", exc_type=ImportError)
    monkeypatch.setenv("MOOS_STATE_DIR", str(tmp_path / "state"))
    file = hand_made.write(tmp_path / "m.gguf", hand_made.model("llama"), "llama", "Q8_0")
    words = [
        "train", "compressor", "--base", file, "--method", "sac", "--ratio", "4", "--out", tmp_path / "out",
        "--chunk", "51", "--rank", "4", "--steps", "1", "--text-steps", "1", "--lengths", "51", "--batch", "51",
    ]  # fmt: skip
    made = moos(*words)
    file.write_bytes(file.read_bytes()[:-900])
    cut = moos(*words)

    assert 0 == made.exit_code, made.output
    assert json.loads((tmp_path / "out" / "soft.json").read_text())["base"]["name"].startswith("m-")
    assert 2 == cut.exit_code
    assert re.search(r"m\.gguf is cut off \(\d+ of \d+ bytes\): fetch it again\n$", cut.output)
