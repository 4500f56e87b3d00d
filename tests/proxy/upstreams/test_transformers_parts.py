"""The parts of the upstream: conversations cut in pieces, and the store of soft memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.proxy.cache.key import KeySpace
from moosproxy.proxy.upstreams.transformers.conversation import Long, segments
from moosproxy.proxy.upstreams.transformers.store import MemoryStore


def render(messages: list[Any]) -> str:
    return "".join(f"<{message['role']}>{message['content']}" for message in messages)


def test_long_texts_keep_their_places_in_the_conversation() -> None:
    messages = [
        {"role": "system", "content": "sys"},
        {"role": "user", "content": [{"type": "text", "text": "LONG A"}, {"type": "text", "text": "why?"}]},
        {"role": "assistant", "content": "so"},
        {"role": "user", "content": "LONG B"},
    ]
    cut = segments({"messages": messages}, lambda role, text: text.startswith("LONG"), render)

    assert [
        "<system>sys<user>",
        Long("LONG A"),
        "\nwhy?<assistant>so<user>",
        Long("LONG B"),
    ] == cut


def test_a_text_cannot_pretend_to_be_a_place() -> None:
    assert ["<user>a-0-b"] == segments(
        {"messages": [{"role": "user", "content": "a-0-b"}]}, lambda role, text: False, render
    )


def memory(size: int, kind: str = "keys") -> Memory:
    tensor = torch.arange(float(size)).view(1, 1, size, 1)
    if kind == "embeddings":
        return Memory(10 * size, size, tensor[0])
    return Memory(10 * size, 10 * size, None, (tensor, tensor + 1), (tensor + 2, tensor + 3))


def key(text: str, team: str = "red") -> Any:
    return KeySpace((team, "print", "sac")).key(text.encode())


def test_the_store_is_bounded_and_forgets_the_longest_unused() -> None:
    store = MemoryStore(3 * memory(4).nbytes)
    for name in "abc":
        store.put(key(name), memory(4))
    store.get(key("a"))
    store.put(key("d"), memory(4))

    assert [True, False, True, True] == [store.get(key(name)) is not None for name in "abcd"]


@pytest.mark.parametrize("kind", ["keys", "embeddings"])
def test_what_comes_back_from_disk_is_what_was_put_there(tmp_path: Path, kind: str) -> None:
    MemoryStore(0, tmp_path, 1 << 20).put(key("a"), memory(4, kind))
    found = MemoryStore(0, tmp_path, 1 << 20).get(key("a"))

    assert found is not None
    expected = memory(4, kind)
    assert (expected.original, expected.span) == (found.original, found.span)
    assert all(torch.equal(value, found.tensors()[name]) for name, value in expected.tensors().items())


def test_a_changed_file_does_not_open(tmp_path: Path) -> None:
    store = MemoryStore(0, tmp_path, 1 << 20)
    store.put(key("a"), memory(4))
    (file,) = tmp_path.glob("*.memory")
    file.write_bytes(file.read_bytes()[:-20] + b"\0" * 20)

    assert store.get(key("a")) is None


def test_another_tenant_finds_nothing(tmp_path: Path) -> None:
    store = MemoryStore(1 << 20, tmp_path, 1 << 20)
    store.put(key("a", "red"), memory(4))

    assert store.get(key("a", "blue")) is None


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    store = MemoryStore(0, tmp_path, 3000)
    for number in range(8):
        store.put(key(str(number)), memory(16))
    store.prune()

    assert 3000 >= sum(file.stat().st_size for file in tmp_path.glob("*.memory"))
    assert store.get(key("7")) is not None
