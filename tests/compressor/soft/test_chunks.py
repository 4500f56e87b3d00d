"""A context cut so that what is kept of it holds when it grows."""

from __future__ import annotations

import pytest
import torch

from moosproxy.compressor.soft.chunks import compressed, stable_chunks
from moosproxy.compressor.soft.config import Method, SoftConfig
from moosproxy.compressor.soft.errors import RatioNotTrained
from moosproxy.compressor.soft.models import checkpoint
from moosproxy.compressor.soft.models.memory import joined
from moosproxy.compressor.soft.models.methods import SoftCompressor
from tests.compressor.soft.conftest import ids, tiny

SIZE = 16


def made(method: Method) -> SoftCompressor:
    return checkpoint.build(tiny(), SoftConfig(method, (4,), chunk=SIZE, rank=4, alpha=8)).eval()


@pytest.mark.parametrize("method", ["sac", "icformer"])
@pytest.mark.parametrize("length", [5, 16, 17, 31, 32])
def test_the_memories_of_chunks_are_the_memory_of_the_whole(method: Method, length: int) -> None:
    compressor, context = made(method), ids(1, length)
    with torch.inference_mode():
        whole = compressor.compress(context, 4)
        chunks = stable_chunks(compressor, length)
        parts = joined([memory for _, memory in compressed(compressor, context, chunks, 4)], compressor.base)

    assert (whole.original, whole.span) == (parts.original, parts.span)
    for name, tensor in whole.tensors().items():
        torch.testing.assert_close(parts.tensors()[name], tensor)


@pytest.mark.parametrize("method", ["sac", "icformer"])
def test_borders_stay_where_they_are_but_for_the_last_two_chunks(method: Method) -> None:
    compressor = made(method)
    for length in (1, 15, 16, 17, 32, 33, 80, 160, 161):
        cut, longer = stable_chunks(compressor, length), stable_chunks(compressor, length + 1)
        assert list(range(length)) == [place for chunk in cut for place in chunk]
        assert all(1 <= len(chunk) <= SIZE for chunk in cut)
        assert len([chunk for chunk in longer if chunk not in cut]) <= 3


def test_what_is_stopped_ends_between_two_runs() -> None:
    compressor, context = made("sac"), ids(1, 200)
    chunks = stable_chunks(compressor, 200)
    asked: list[bool] = []

    def once() -> bool:
        asked.append(True)
        return len(asked) == 1

    with torch.inference_mode():
        done = list(compressed(compressor, context, chunks, 4, once))

    assert 13 == len(chunks)
    assert chunks[: len(done)] == [chunk for chunk, _ in done]
    assert 1 <= len(done) < len(chunks)


def test_a_memory_of_a_chunk_holds_nothing_of_the_others() -> None:
    compressor = made("sac")
    with torch.inference_mode():
        done = list(compressed(compressor, ids(1, 64), stable_chunks(compressor, 64), 4))

    for _, memory in done:
        for tensor in memory.tensors().values():
            assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_another_ratio_is_refused() -> None:
    with pytest.raises(RatioNotTrained):
        list(compressed(made("sac"), ids(1, 8), [range(8)], 5))
