"""The commands from data to report, on a data folder made here, with a reader and with a chat model."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moosproxy.compressor.commands.evaluate import evaluate
from moosproxy.compressor.evaluation.measures.statistics import share
from moosproxy.compressor.evaluation.reporting import plots, report
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, Results
from moosproxy.compressor.evaluation.tasks import TASKS, reasoning
from tests.compressor.tiny import CORPUS

PARAGRAPH = " ".join(CORPUS[:4])
LOG = "\n".join(
    f"2026-01-0{1 + i % 9} INFO worker: job {i} done" if i != 5 else "2026-01-05 ERROR disk: sda1 failed"
    for i in range(12)
)


def _write(data: Path, name: str, rows: list[dict[str, Any]]) -> None:
    path = data / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _qa(text: str, number: int) -> dict[str, Any]:
    at = text.index("42")
    qas = [{"question": "What is the answer?", "answers": [{"text": "42", "start": at}]}]
    return {"id": f"q{number}", "lang": "en", "title": "t", "context": text, "qas": qas}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One or two records of every set that the tasks read."""
    folder = tmp_path_factory.mktemp("data")
    contexts = [_qa(" ".join(CORPUS[i : i + 3]), i) for i in range(6)]
    for name in ("squad_dev", "policyqa_test", "covidqa_long", "xquad", "cmrc2018", "jsquad"):
        _write(folder, f"eval/{name}", contexts)
    _write(folder, "train/qa_spans", contexts)
    docs = [{"title": f"d{i}", "text": CORPUS[i], "is_gold": i == 2} for i in range(5)]
    _write(folder, "eval/nq_multidoc_20", [{"id": "n", "question": "what is it", "answers": ["42"], "docs": docs}])
    query = {"query": "What did they say?", "answer": PARAGRAPH[:80], "kind": "specific"}
    meeting = {"id": "m", "transcript": "A: " + PARAGRAPH + "\nB: " + PARAGRAPH, "queries": [query]}
    for name in ("eval/qmsum_val", "eval/qmsum_test", "train/meetings"):
        _write(folder, name, [meeting])
    lines, at = [], 0
    for text in LOG.split("\n"):
        event = "rare" if "ERROR" in text else "usual"
        level = "ERROR" if event == "rare" else "INFO"
        lines.append({"start": at, "end": at + len(text), "level": level, "event": event, "params": ["sda1"]})
        at += len(text) + 1
    _write(folder, "eval/logs", [{"id": "l", "text": LOG, "lines": lines, "rare_events": ["rare"]}])
    call = {"role": "user", "content": "Please move booking ABC123 to 17 May. " + PARAGRAPH}
    needed = [{"call": 2, "value": "ABC123"}]
    _write(folder, "eval/agent_tau_airline", [{"id": "t", "messages": [call], "needed_values": needed}])
    tools = json.dumps([{"name": "book", "description": PARAGRAPH, "parameters": {"city": "where to"}}])
    _write(
        folder,
        "eval/tools_bfcl",
        [{"id": "b", "tools_json": tools, "messages": [{"content": "Book it"}], "needed_names": ["book", "city"]}],
    )
    source = "import os\n\n\ndef answer(value):\n    return value + 42\n" * 8
    symbols = [{"name": "answer", "start": source.index("def answer")}]
    _write(folder, "eval/code", [{"id": "c", "text": source, "symbols": symbols}])
    worked = "Q: 3 apples and 4 more? A: 3 + 4 = 7. The answer is 7.\n" * 6
    for name in ("gsm8k_cot_prompts", "bbh_cot_prompts"):
        _write(folder, f"eval/{name}", [{"id": "g", "text": worked}])
    solved = [{"question": "What is 6 times 7?", "final": "42"}, {"question": "And 6 times 8?", "final": "48"}]
    _write(folder, "eval/gsm8k_test", solved)
    sentence = "The old mill by the river was sold to a young couple from Leeds yesterday ."
    _write(folder, "eval/sentence_compression_google1000", [{"id": "s", "text": sentence, "keep": [[0, 29]]}])
    _write(
        folder, "eval/sentence_compression_clarke_lapata", [{"id": "s", "text": sentence, "keeps": [[[0, 29]]]}]
    )
    _write(folder, "train/unlabeled_agent_text", [{"text": LOG}])
    return folder


class _Chat(BaseHTTPRequestHandler):
    """Answers every question with 42, and remembers what it was sent."""

    seen: list[dict[str, Any]]
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append(body | {"path": self.path, "auth": self.headers.get("Authorization")})
        reply = json.dumps({"choices": [{"message": {"content": " 42\n"}}]}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def chat() -> Iterator[tuple[str, type[_Chat]]]:
    """A chat completions server on loopback."""
    handler = type("Chat", (_Chat,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", handler
    server.shutdown()
    thread.join()
    server.server_close()


def _run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(evaluate, ["run", *map(str, words)])
    return done.exit_code, done.output


@pytest.mark.slow
def test_every_task_runs_and_the_report_shows_every_method(
    tmp_path: Path, data: Path, tiny_checkpoint: Path
) -> None:
    common = ("--data", data, "--checkpoint", tiny_checkpoint, "--threads", 1, "--out", tmp_path)
    code, told = _run(*common, "--rival", tiny_checkpoint, "--ratio", 2, "--ratio", 3)
    assert code == 0, told
    results = Results.load(tmp_path / "results.json")

    assert list(results.sums) == list(TASKS)
    for task in results.sums:
        full = results.sums[task][FULL_TEXT]["1"]
        headline = "intact" if TASKS[task].headline == "f1" else TASKS[task].headline
        table = results.table(task, FULL_TEXT, "1", headline)
        assert table is not None
        assert headline in full
        if not TASKS[task].own_rate:
            assert share(table).value == 1.0, task
    names = plots.draw(results, tmp_path / "plots")
    text = report.markdown(results, names)
    assert {"quality.svg", "quality-more.svg"} <= set(names)
    for method in results.methods("squad_dev"):
        assert method == FULL_TEXT or f"| {method} |" in text


def test_a_chat_model_judges_through_its_api_and_is_asked_only_once(
    tmp_path: Path,
    data: Path,
    tiny_checkpoint: Path,
    chat: tuple[str, type[_Chat]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, handler = chat
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    words = (
        "--data",
        data,
        "--checkpoint",
        tiny_checkpoint,
        "--out",
        tmp_path,
        "--task",
        "squad_dev",
        "--ratio",
        2,
    )
    words += ("--threads", 1, "--model", "qwen", "--base-url", url, "--limit", 2)

    code, told = _run(*words)
    asked = len(handler.seen)
    again, _ = _run(*words)
    results = Results.load(tmp_path / "results.json")
    f1 = results.table("squad_dev", FULL_TEXT, "1", "f1")

    assert (code, again) == (0, 0), told
    assert asked == len(handler.seen) > 2
    assert handler.seen[0]["path"] == "/v1/chat/completions"
    assert handler.seen[0]["auth"] == "Bearer sk-test"
    assert handler.seen[0]["temperature"] == 0
    assert f1 is not None
    assert share(f1).value == 1.0


@pytest.mark.parametrize(
    ("reply", "final", "expected"),
    [
        ("3 + 4 = 7. The answer is 7.", "7", 1),
        ("It costs 1,200 dollars", "1200", 1),
        ("7 or 8", "7", 0),
        ("So the answer is (B).", "(B)", 1),
        ("so the answer is False", "False", 1),
        ("", "7", 0),
    ],
)
def test_a_solution_is_right_by_its_last_number_or_words(reply: str, final: str, expected: float) -> None:
    assert reasoning.solved(reply, final) == expected


def test_a_chat_model_solves_problems_after_the_shortened_demonstrations(
    tmp_path: Path, data: Path, tiny_checkpoint: Path, chat: tuple[str, type[_Chat]]
) -> None:
    url, handler = chat
    words = ("--data", data, "--checkpoint", tiny_checkpoint, "--out", tmp_path, "--task", "gsm8k_cot_prompts")

    code, told = _run(
        *words, "--ratio", 2, "--threads", 1, "--model", "qwen", "--base-url", url, "--method", "head"
    )
    solved = Results.load(tmp_path / "results.json").table("gsm8k_cot_prompts", FULL_TEXT, "1", "solved")

    assert code == 0, told
    assert solved is not None
    assert solved.tolist() == [[1.0, 2.0]]
    asked = [request["messages"][0]["content"] for request in handler.seen]  # several at once, in no fixed order
    assert sum("6 times 7" in content for content in asked) == len(asked) / 2


def test_an_api_that_refuses_is_one_line_and_exit_code_two(
    tmp_path: Path, data: Path, tiny_checkpoint: Path, chat: tuple[str, type[_Chat]]
) -> None:
    url, handler = chat
    handler.status = 401

    code, told = _run(
        *("--data", data, "--checkpoint", tiny_checkpoint, "--out", tmp_path, "--task", "squad_dev", "--limit", 1),
        *("--threads", 1, "--ratio", 2, "--model", "qwen", "--base-url", url),
    )

    assert code == 2
    assert "answered 401" in told


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--task", "nonsense"), "unknown task nonsense"),
        (("--model", "qwen"), "go together"),
        (("--checkpoint", "missing-folder"), "missing-folder"),
        (("--reader", "missing-reader"), "missing-reader"),
        (("--rival", "missing-rival"), "missing-rival"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_two(
    tmp_path: Path, data: Path, tiny_checkpoint: Path, words: tuple[str, ...], fault: str
) -> None:
    code, told = _run("--data", data, "--checkpoint", tiny_checkpoint, "--out", tmp_path, *words)

    assert code == 2
    assert fault in told
    assert told.startswith("moos: ")


def test_missing_data_is_named(tmp_path: Path) -> None:
    code, told = _run("--data", tmp_path / "none")

    assert code == 2
    assert "no data at" in told
    assert "MOOS_DATA" in told
