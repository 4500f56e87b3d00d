"""Real weights, where a folder of GGUF files is named by MOOS_TEST_MODELS: greedy text as llama.cpp writes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")

from moosproxy.compressor.soft.weights import gguf
from moosproxy.compressor.soft.weights.loading import load
from tests.compressor.soft.weights.llama_cpp import NEAR_TIE, answer_of, opened, parted
from tests.proxy.tiny_gguf import needs_llama_cpp

FOLDER = os.environ.get("MOOS_TEST_MODELS", "")
FILES = [file for file in sorted(Path(FOLDER).glob("*.gguf")) if FOLDER and file.stat().st_size < 1 << 29]
LONGEST = 24
ASKED = (
    "What is the capital of France?",
    "Name three primary colours.",
    "Write one line of Python that reverses a list.",
    "Is 17 a prime number? Answer yes or no.",
    "Translate to German: good morning.",
    "What does HTTP 404 mean?",
    "Who wrote 'Pride and Prejudice'?",
    "Give a synonym for 'quick'.",
    "How many days has a leap year?",
    "Explain recursion in one sentence.",
    "2+2*3 = ?",
    "List the planets from the sun outwards.",
    "What is the boiling point of water at sea level?",
    "Fix the grammar: he go to school.",
    "In SQL, how do you count rows of a table t?",
    "Summarise: The cat sat on the mat and slept all day.",
    "Año nuevo, vida nueva: what does it mean?",
    "Write a haiku about rain.",
    "What comes next: 1, 1, 2, 3, 5, 8?",
    "def add(a, b):\n    return a +  b\n\nWhat does it do?",
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MOOS_STATE_DIR, so that files are read once for many runs, else a folder of the run."""
    given = os.environ.get("MOOS_STATE_DIR")
    return Path(given) if given else tmp_path_factory.mktemp("state")


@needs_llama_cpp
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not FILES, reason="MOOS_TEST_MODELS names no folder with GGUF files")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_greedy_text_is_llama_cpps_up_to_a_near_tie(file: Path, state: Path) -> None:
    fields: dict[str, Any] = gguf.check(file)[0]
    base, tokenizer = load(file, state=state)
    whole = 0
    with opened(file) as other:
        for question in ASKED:
            chat = [{"role": "user", "content": question}]
            prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            ids = tokenizer.encode(prompt, add_special_tokens=False)
            assert ids == other.tokenize(prompt.encode(), add_bos=False, special=True), fields
            found = parted(base, ids, answer_of(other, ids, LONGEST))
            whole += found is None
            assert found is None or found[1] < NEAR_TIE, (question, found)
    assert whole >= len(ASKED) // 4
