"""Chain-of-thought demonstrations: numbers, equations and final answers must survive, and must still teach."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts

# Test questions after each prompt, where a chat model answers.
PROBLEMS = 20

_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_EQUATION = re.compile(r"[$\d(][\d.,$()%\s]*(?:[-+*/x×÷]\s*[$\d(][\d.,$()%\s]*)+=\s*\$?\d[\d.,]*")
_FINAL = re.compile(r"(?i)the answer is[^\n.]*")


def load(data: Path, limit: int | None, *, name: str) -> list[Item]:
    """One item per prompt."""
    return [Item(row["id"], row["text"]) for row in records.read(data, f"eval/{name}", limit)]


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """Shares of numbers, of equations and of final answers that are whole."""
    survival = Survival(short.kept)
    patterns = (("numbers", _NUMBER), ("equations", _EQUATION), ("final answers", _FINAL))
    return {
        name: survival.count((m.start(), m.start() + len(m.group().rstrip())) for m in pattern.finditer(item.text))
        for name, pattern in patterns
    }


def arithmetic(data: Path, group: str) -> list[tuple[str, str]]:
    """Test questions of GSM8K in the prompt's own form, with their final numbers."""
    rows = records.read(data, "eval/gsm8k_test", PROBLEMS)
    return [(f"Question: {row['question']}\nLet's think step by step\n", row["final"]) for row in rows]


def puzzles(data: Path, group: str) -> list[tuple[str, str]]:
    """Questions of the prompt's own BIG-Bench Hard task, with their targets."""
    rows = [row for row in records.read(data, "eval/bbh") if group == f"bbh-cot-{row['task']}"][-PROBLEMS:]
    return [(f"Q: {row['input']}\nA: Let's think step by step.\n", row["target"]) for row in rows]


def solved(reply: str, final: str) -> float:
    """1 if the reply ends in the final answer: its last number, or its last words where that is no number."""
    final = final.strip().lower().replace(",", "")
    if _NUMBER.fullmatch(final):
        numbers = _NUMBER.findall(reply)
        return float(bool(numbers) and numbers[-1].replace(",", "") == final)
    return float(reply.strip().lower().rstrip(". ").endswith(final))


TASKS = (
    Task(
        "gsm8k_cot_prompts",
        "numbers in worked arithmetic (GSM8K demonstrations)",
        "numbers",
        functools.partial(load, name="gsm8k_cot_prompts"),
        measure,
        problems=arithmetic,
    ),
    Task(
        "bbh_cot_prompts",
        "final answers of worked reasoning (BIG-Bench Hard demonstrations)",
        "final answers",
        functools.partial(load, name="bbh_cot_prompts"),
        measure,
        problems=puzzles,
    ),
)
