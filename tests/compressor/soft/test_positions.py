"""Chunks and anchors, against the published numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.compressor.soft.models.positions import anchors, even_chunks, fixed_chunks


@pytest.mark.parametrize(("ratio", "count"), [(5, 102), (15, 34), (51, 10), (1, 510)])
def test_a_chunk_of_510_tokens_has_the_published_number_of_anchors(ratio: int, count: int) -> None:
    assert count == len(anchors(510, ratio))


def test_anchors_stand_in_the_middle_of_their_runs() -> None:
    # In the published count from 1: 3, 8, 13.
    assert [2, 7, 12] == anchors(15, 5)
    assert [25, 76] == anchors(102, 51)


def test_a_chunk_too_short_for_an_anchor_uses_its_first_token() -> None:
    assert [0] == anchors(2, 51)


def test_a_short_last_chunk_follows_the_published_count() -> None:
    assert [2, 7] == anchors(8, 5)


@given(st.integers(1, 3000), st.integers(1, 600))
def test_chunks_cover_every_token_once_and_in_order(length: int, size: int) -> None:
    for cut in (fixed_chunks, even_chunks):
        chunks = cut(length, size)

        assert list(range(length)) == [token for chunk in chunks for token in chunk]
        assert all(1 <= len(chunk) <= size for chunk in chunks)


@given(st.integers(1, 3000), st.integers(1, 600))
def test_even_chunks_are_as_few_as_possible(length: int, size: int) -> None:
    assert -(-length // size) >= len(even_chunks(length, size))
