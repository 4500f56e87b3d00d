"""A user's own texts and questions: a file of JSON lines, or a folder of plain texts that a model asks about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer, Prompt, Reply
from moosproxy.compressor.evaluation.answers.lines import Lines

SUFFIXES = (".txt", ".md")
QUESTIONS = 3
"""Questions that a model makes of one text."""
SHOWN_CHARS = 6_000
"""Of a text, to the model that makes questions, from a place of its own for each question."""
_QUESTION_TOKENS = 40
_ORDER = "Write one short question whose answer stands in the text. Write nothing else; use the text's language."


@dataclass(frozen=True)
class OwnText:
    """name: for tables. question: None where one is to be made. answer: the right one, where it is known."""

    name: str
    text: str
    question: str | None = None
    answer: str | None = None


def read(path: Path, limit: int | None = None) -> list[OwnText]:
    """At most so many texts. Raises CompressorError that names the file and line of what is wrong."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        found = [OwnText(str(file.relative_to(path)), _text(file)) for file in files[:limit]]
        wanted = f"files that end in {' or '.join(SUFFIXES)}"
    else:
        found = list(_rows(path))[:limit]
        wanted = 'lines like {"text": "...", "question": "...", "answer": "..."}'
    found = [one for one in found if one.text.strip()]
    if not found:
        raise CompressorError(f"{path} holds no texts; {wanted} are needed")
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise CompressorError(f"{file} cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError as fault:
        raise CompressorError(f"{file} is not UTF-8 (byte {fault.start}); convert it first") from None


def _rows(path: Path) -> Iterator[OwnText]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as fault:
            raise CompressorError(f"{path}, line {number}: not JSON ({fault})") from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise CompressorError(f'{path}, line {number}: an object with a string "text" is needed')
        for name in ("question", "answer"):
            if not isinstance(row.get(name), str | None):
                raise CompressorError(f'{path}, line {number}: "{name}" must be a string')
        if row.get("answer") and not row.get("question"):
            raise CompressorError(f'{path}, line {number}: an "answer" needs its "question"')
        yield OwnText(f"line {number}", row["text"], row.get("question") or None, row.get("answer") or None)


def with_questions(
    texts: Sequence[OwnText], model: Answerer, lines: Lines, step: Callable[[], None]
) -> list[OwnText]:
    """Every text that had a question, and the others once for each question that the model made of them."""
    asked = {index: _prompts(one) for index, one in enumerate(texts) if one.question is None}
    missing = [one for mine in asked.values() for one in dict.fromkeys(mine) if lines.get(one) is None]

    def done(index: int, reply: Reply | None) -> None:
        if reply is not None:
            lines.put(missing[index], reply)
        step()

    model.answers(missing, done)
    found: list[OwnText] = []
    for index, one in enumerate(texts):
        if index not in asked:
            found.append(one)
            continue
        replies = [lines.get(each) for each in asked[index]]
        made = dict.fromkeys(reply.answer.strip() for reply in replies if reply is not None)
        found += [
            OwnText(f"{one.name}, {n}", one.text, question) for n, question in enumerate(made, 1) if question
        ]
    if not found:
        raise CompressorError(f"{model.name} made no questions of these texts; give some, or another model")
    return found


def _prompts(one: OwnText) -> list[Prompt]:
    """A question about the beginning, the middle and the end of a text; about the whole of a short one."""
    last = max(len(one.text) - SHOWN_CHARS, 0)
    starts = [last * number // (QUESTIONS - 1) for number in range(QUESTIONS)] if last else [0]
    return [
        Prompt(_ORDER, f"{one.text[start : start + SHOWN_CHARS]}\n\nQuestion:", _QUESTION_TOKENS, True)
        for start in starts
    ]
