"""Embeddings of long texts: read in batches, pooled as llama.cpp pools a text that it reads at once."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from moosproxy.proxy.upstreams.llama_cpp.gguf_file import read_gguf
from moosproxy.proxy.upstreams.llama_cpp.spec import BATCH, Spec
from tests.proxy import tiny_gguf

pytestmark = tiny_gguf.needs_llama_cpp

TOKENS = [(7 * at + 11) % 300 for at in range(600)]


@pytest.mark.parametrize("pooling", [1, 2, 3])
def test_a_text_read_in_batches_has_the_vector_of_one_read_at_once(tmp_path: Path, pooling: int) -> None:
    from llama_cpp import llama_cpp as lib

    from moosproxy.proxy.upstreams.llama_cpp.process.engine import Engine

    path = tiny_gguf.write(tmp_path / "vectors.gguf", pooling=pooling)
    engine = Engine(Spec(str(path), 1024, 1, 1, 1))
    ours = engine.embed(TOKENS)

    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 1024
    params.embeddings = True
    context = lib.llama_init_from_model(engine.model, params)
    tokens = (ctypes.c_int32 * len(TOKENS))(*TOKENS)
    assert 0 == lib.llama_decode(context, lib.llama_batch_get_one(tokens, len(TOKENS)))
    width = lib.llama_model_n_embd_out(engine.model)
    theirs = np.ctypeslib.as_array(lib.llama_get_embeddings_seq(context, 0), shape=(width,)).astype(np.float64)
    lib.llama_free(context)

    assert len(TOKENS) > 4 * BATCH
    assert theirs / np.linalg.norm(theirs) == pytest.approx(ours, abs=1e-3)
    assert ours == engine.embed(TOKENS)


def test_the_window_of_embeddings_is_counted(tmp_path: Path) -> None:
    plain = read_gguf(tiny_gguf.write(tmp_path / "plain.gguf"))
    vectors = read_gguf(tiny_gguf.write(tmp_path / "vectors.gguf", pooling=3))

    assert 2 * plain.memory(1024, 1)[1] == vectors.memory(1024, 1)[1] == plain.memory(1024, 2)[1]
