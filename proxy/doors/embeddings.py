"""`/v1/embeddings`: an embedding stands for its whole text, so nothing is shortened."""

from __future__ import annotations

from moosproxy.proxy.doors.base import Door, check_model, operation

DOOR = Door(
    root="embeddings",
    paths=frozenset({"/embeddings"}),
    pages={"/v1/embeddings": {"post": operation("Relayed as it comes")}},
    check=check_model,
)
