"""A GGUF file as a judge: several answers at once are those that each would be alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Prompt, Reply
from tests.proxy import tiny_gguf

pytestmark = [tiny_gguf.needs_llama_cpp, pytest.mark.slow]

OPEN = "{% for message in messages %} {{ message.content }}{% endfor %}"
"""A template that ends with the question: random weights say its last words again."""
TEXT = "The statement is executed once for each item of the sequence, in ascending order. " * 6


def asked(path: Path, prompts: list[Prompt]) -> dict[int, Reply | None]:
    """By a judge of its own."""
    from moosproxy.proxy.bench.judge.gguf import GgufAnswerer

    found: dict[int, Reply | None] = {}
    GgufAnswerer(path, window=1024, threads=1).answers(prompts, found.__setitem__)
    return found


def _untimed(timed: Reply | None, other: Reply | None) -> Reply | None:
    """The other reply, in the time of the first."""
    return replace(other, seconds=timed.seconds) if timed and other else None


def prompts() -> list[Prompt]:
    """Some about one text, some about none, of several lengths."""
    asks = [f"What is meant by {word}" for word in ("executed", "once", "item", "order", "value", "sequence")]
    texts = [TEXT, TEXT[:200]]
    return [Prompt("Be brief.", f"{text}\n\n{ask}", 12, line=False) for text in texts for ask in asks] + [
        Prompt("Be brief.", ask, 5, line=True) for ask in asks
    ]


def test_answers_side_by_side_are_those_of_each_alone(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", template=OPEN)
    several = asked(path, prompts())
    alone = [asked(path, [prompt])[0] for prompt in prompts()]

    assert [several[index] for index in range(len(alone))] == [
        _untimed(several[index], one) for index, one in enumerate(alone)
    ]
    assert len({one.answer for one in alone if one}) > 4


def test_a_prompt_beyond_the_window_is_told_and_the_others_are_answered(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf")
    found = asked(path, [Prompt("", TEXT * 30, 5, line=True), Prompt("", "What is an item?", 5, line=False)])

    assert found[0] is None
    assert found[1] is not None


def test_a_file_without_a_template_is_refused(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "a.gguf", template=None)
    with pytest.raises(CompressorError, match="no chat template"):
        asked(path, [])
