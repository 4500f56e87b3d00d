"""Real models for the tests that need one: GGUF files in the folder that MOOS_TEST_MODELS names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "MOOS_TEST_MODELS"


def real_model(*words: str) -> Path:
    """The file whose name holds all the words; skips the test where there is none."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"needs real models: name a folder of GGUF files in {VARIABLE}")
    found = [
        path for path in sorted(Path(folder).glob("*.gguf")) if all(word in path.name.lower() for word in words)
    ]
    if not found:
        pytest.skip(f"no GGUF file of {VARIABLE} has {' and '.join(words)} in its name")
    return found[0]


def vocabulary_of(path: Path) -> Any:
    """A file's vocabulary, without its weights."""
    from llama_cpp import llama_cpp as lib

    from moosproxy.proxy.upstreams.llama_cpp.process.library import listen
    from moosproxy.proxy.upstreams.llama_cpp.process.vocabulary import Vocabulary

    listen()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    return Vocabulary(lib.llama_model_load_from_file(str(path).encode(), params))


def template_of(path: Path, vocabulary: Any) -> Any:
    """A file's chat template."""
    from gguf import GGUFReader

    from moosproxy.proxy.upstreams.llama_cpp.process.chat_template import ChatTemplate

    source = GGUFReader(path).fields["tokenizer.chat_template"].contents()
    return ChatTemplate(source, vocabulary.bos, vocabulary.eos)
