"""`/v1/models`: what the upstream has."""

from __future__ import annotations

from moosproxy.proxy.doors.base import Door, operation

DOOR = Door(
    root="models",
    paths=frozenset(),
    pages={"/v1/models": {"get": operation("The upstream's models")}},
)
