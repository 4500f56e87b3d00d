"""Worked examples before a problem: arithmetic (GSM8K) and puzzles (BIG-Bench Hard)."""

from __future__ import annotations

from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.answers import scores
from moosproxy.compressor.evaluation.answers.base import Question, QuestionSet

BLOCK = 10
_ORDER = "Solve the problem step by step like the examples, and end with: The answer is"
_PUZZLES = ("boolean_expressions", "date_understanding", "navigate", "object_counting")
_PROMPT = "original_8shot"


def arithmetic(data: Path, limit: int) -> list[Question]:
    """Problems of the test half behind the eight examples of Wei et al."""
    shown = next(row["text"] for row in records.read(data, "eval/gsm8k_cot_prompts") if row["id"] == _PROMPT)
    found = []
    for at, row in enumerate(records.read(data, "eval/gsm8k_test", limit)):
        ask = f"Question: {row['question']}\nLet's think step by step"
        golds = (row["final"],)
        found.append(Question(f"gsm-{at}", at // BLOCK, f"gsm-{at}", shown, None, ask, golds, _ORDER, 200, False))
    return found


def puzzles(data: Path, limit: int) -> list[Question]:
    """Problems of four tasks behind three examples each."""
    shown = {row["task"]: row["text"] for row in records.read(data, "eval/bbh_cot_prompts")}
    known = [task for task in _PUZZLES if task in shown]
    rows = list(records.read(data, "eval/bbh"))
    each = BLOCK // 2
    found: list[Question] = []
    for at in range(0, limit, each):
        task = known[at // each % len(known)]
        mine = [row for row in rows if row["task"] == task][-limit:]
        begin = at // each // len(known) * each
        for row in mine[begin : begin + each]:
            ask = f"Q: {row['input']}\nA: Let's think step by step."
            golds, block = (row["target"],), len(found) // BLOCK
            found.append(Question(row["id"], block, row["id"], shown[task], None, ask, golds, _ORDER, 160, False))
    return found[:limit]


SETS = (
    QuestionSet(
        "arithmetic", "eight worked examples, then a problem (GSM8K)", arithmetic, scores.final, "solved", 60, 0
    ),
    QuestionSet(
        "puzzles", "three worked examples, then a puzzle (BIG-Bench Hard)", puzzles, scores.final, "solved", 60, 0
    ),
)
