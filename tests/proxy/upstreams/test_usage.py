"""Token counts read off answers that providers, and callers through them, have made odd."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from moosproxy.proxy.upstreams.usage import Usage, UsageReader
from tests.proxy.answers import chunks

JSON, EVENTS = b"application/json", b"text/event-stream"
MOST = 10**9


def read(document: bytes, kind: bytes = JSON, coding: bytes = b"") -> UsageReader:
    """A reader that was fed the document in pieces."""
    reader = UsageReader([(b"content-type", kind), (b"content-encoding", coding)])
    for at in range(0, len(document), 8192):
        reader.feed(document[at : at + 8192])
    return reader


@pytest.mark.parametrize("words", [10, 10_000, 300_000])
@pytest.mark.parametrize("kind", [JSON, EVENTS])
@pytest.mark.parametrize("behind", [{"usage": "x"}, {"a": {"usage": {"input_tokens": "none"}}}, {"usage": {}}])
def test_what_the_caller_chose_hides_no_usage(words: int, kind: bytes, behind: dict[str, Any]) -> None:
    usage = {"input_tokens": 5000, "output_tokens": 100}
    response = {"output": "word " * words, "usage": usage, "user": None, "metadata": behind}
    whole = json.dumps(response).encode()
    if kind == EVENTS:
        event = json.dumps({"type": "response.completed", "response": response}).encode()
        whole = b"event: response.completed\ndata: " + event + b"\n\n"

    assert read(whole, kind).usage() == Usage(5000, 100, 0)


@pytest.mark.parametrize(
    ("written", "tokens", "odd"),
    [
        ("1000", 1000, False),
        ("1000.0", 1000, False),
        ("1e3", 1000, False),
        ("1000.4", 1000, True),
        ("1000000000", MOST, False),
        ("1000000001", MOST, True),
        ("9" * 40, MOST, True),
        ("1e300", MOST, True),
        ("-5", 0, True),
        ("true", 0, True),
        ('"1000"', 0, True),
        ("NaN", 0, True),
        ("null", 0, False),
    ],
)
def test_a_count_is_the_nearest_possible_one(written: str, tokens: int, odd: bool) -> None:
    usage = f'{{"prompt_tokens": {written}, "completion_tokens": 7}}'
    found = read(f'{{"usage": {usage}}}'.encode()).usage()
    at_the_end = read(f'{{"text": "{"x" * 2_000_000}", "usage": {usage}}}'.encode()).usage()

    assert found == at_the_end == Usage(tokens, 7, 0, odd=odd)


def test_parts_of_a_prompt_are_together_no_more_than_a_count_may_be() -> None:
    parts = {"input_tokens": MOST, "cache_read_input_tokens": MOST, "cache_creation_input_tokens": 1}
    found = read(json.dumps({"usage": {**parts, "output_tokens": 1}}).encode()).usage()

    assert found == Usage(MOST, 1, MOST, 0, odd=True)


@pytest.mark.parametrize("kind", [b"Application/JSON", b" application/json; charset=utf-8"])
def test_a_content_type_is_known_however_it_is_spelled(kind: bytes) -> None:
    assert read(b'{"usage": {"prompt_tokens": 3}}', kind).usage() == Usage(3, 0, 0)


def test_a_lone_surrogate_in_an_answer_hides_no_usage() -> None:
    found = read(b'{"model": "\\ud800", "usage": {"prompt_tokens": 3}}').usage()

    assert found == Usage(3, 0, 0)
    assert found is not None
    assert found.model is None


def test_a_packed_answer_is_read_however_long_it_is() -> None:
    numbers = [number * 7919 % 100_003 for number in range(800_000)]
    document = json.dumps({"data": numbers, "usage": {"prompt_tokens": 3}}).encode()
    packed = gzip.compress(document)

    assert len(packed) > 1024 * 1024
    assert read(packed, JSON, b"gzip").usage() == Usage(3, 0, 0)


@pytest.mark.parametrize("junk", [b"no gzip at all", gzip.compress(b"data: x\n" * 1_000_000)])
def test_a_packed_answer_that_is_broken_or_bursts_has_no_usage(junk: bytes) -> None:
    assert read(junk, JSON, b"gzip").usage() is None


def test_events_are_counted_packed_or_not() -> None:
    stream = b"".join(chunks())
    plain, packed = read(stream, EVENTS), read(gzip.compress(stream), EVENTS, b"gzip")

    assert plain.events == packed.events == len(chunks())
    assert plain.usage() == packed.usage() == Usage(11, 5, 4)


def test_of_a_stream_in_a_coding_that_is_not_read_chunks_are_counted() -> None:
    reader = UsageReader([(b"content-type", EVENTS), (b"content-encoding", b"br")])
    for _ in range(5):
        reader.feed(b"\x0b\x02\x80")

    assert reader.events == 5
    assert reader.usage() is None


@pytest.mark.parametrize("events", [3, 3000])
def test_a_message_that_breaks_off_has_the_input_that_its_beginning_told_of(events: int) -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 70, "output_tokens": 1}}}
    stream = b"data: " + json.dumps(begun).encode() + b"\n\n"
    stream += b'data: {"type": "content_block_delta", "delta": {"text": "word"}}\n\n' * events
    reader = read(stream, EVENTS)

    assert reader.usage() == Usage(70, 1, 0)
    assert reader.events in (events, events + 1)  # the word that tells an event may be cut by a chunk's end
