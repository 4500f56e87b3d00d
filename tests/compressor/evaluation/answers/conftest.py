"""A data folder with a record or two of every set, and a model that answers by rule."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from moosproxy.compressor.evaluation.answers.base import Prompt, Reply

FACT = "The key to the harbour office hangs behind the clock, and the number of the boat is 4711."
FILL = "The committee looked at the plans for a bridge after lunch, as had been agreed before."
TEXT = f"{' '.join([FILL] * 4)} {FACT} {' '.join([FILL] * 4)}"


def _write(data: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    path = data / "eval" / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _paragraph(number: int, language: str = "en") -> dict[str, Any]:
    answers = [{"text": "4711", "start": TEXT.index("4711")}]
    qas = [{"question": "What is the number of the boat?", "answers": answers}]
    return {"id": f"{language}{number}", "lang": language, "title": "Harbour", "context": TEXT, "qas": qas}


@pytest.fixture(scope="session")
def answer_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the sets read."""
    data = tmp_path_factory.mktemp("answers")
    for name in ("squad_dev", "policyqa_test"):
        _write(data, name, [_paragraph(number) for number in range(6)])
    _write(data, "xquad", [_paragraph(1, language) for language in ("ar", "de", "es", "ru", "zh", "en")])
    docs = [{"title": f"d{at}", "text": FACT if at == 11 else FILL, "is_gold": at == 11} for at in range(20)]
    row = {"id": "n", "question": "what is the number of the boat", "answers": ["4711"], "docs": docs}
    _write(data, "nq_multidoc_20", [row])
    turns, at = [], 0
    lines = ["A: " + FILL, "B: " + FACT, *["A: " + FILL] * 60]
    for line in lines:
        turns.append({"start": at, "end": at + len(line)})
        at += len(line) + 1
    query = {"query": "Which boat?", "answer": "The boat is 4711.", "kind": "specific", "relevant_spans": [[1, 1]]}
    meeting = {"id": "m", "transcript": "\n".join(lines), "utterances": turns, "queries": [query]}
    _write(data, "qmsum_val", [meeting])
    _write(data, "extractive_sentences_test", [{"id": "s", "text": TEXT, "summaries": ["A boat has a number."]}])
    shown = "Question: 3 and 4?\nLet's think step by step\n3 + 4 = 7. The answer is 7\n\n" * 4
    _write(data, "gsm8k_cot_prompts", [{"id": "original_8shot", "text": shown}])
    _write(data, "gsm8k_test", [{"question": "6 times 7?", "final": "42"}])
    _write(data, "bbh_cot_prompts", [{"id": "b", "task": "navigate", "text": shown}])
    _write(data, "bbh", [{"id": "b0", "task": "navigate", "input": "Turn left.", "target": "No"}])
    call = {"function": {"name": "book", "arguments": '{"number": "4711"}'}}
    messages = [
        {"role": "user", "content": "Book my boat."},
        {"role": "tool", "content": TEXT},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    needed = [{"call": 2, "value": "4711"}]
    _write(data, "agent_tau_airline", [{"id": "t", "messages": messages, "needed_values": needed}])
    return data


class RuleAnswerer:
    """Says 4711 where the prompt holds it, else that it does not know. A token is a word."""

    name = "Rule 1.0"
    version = "rule"
    tokenizer = "words"

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.window = 100_000
        self.stops_after: int | None = None

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())

    def answers(self, prompts: Sequence[Prompt], done: Callable[[int, Reply | None], None]) -> None:
        """In order."""
        for index, prompt in enumerate(prompts):
            if self.stops_after is not None and len(self.asked) >= self.stops_after:
                raise KeyboardInterrupt
            self.asked.append(prompt)
            tokens = self.count(prompt.user)
            said = "4711" if "4711" in prompt.user else "not mentioned"
            done(index, Reply(said, tokens, 0.5) if tokens <= self.window else None)


@pytest.fixture
def answerer() -> RuleAnswerer:
    """A new one."""
    return RuleAnswerer()
