"""The page at /ui: its files, and the figures that it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastapi import FastAPI

from moosproxy.proxy.routes.ui import assets, data
from moosproxy.proxy.services import Services


class Paths(NamedTuple):
    """What is served. open: to everybody, as it says nothing of this installation. guarded: to who has a key."""

    open: frozenset[str] = frozenset()
    guarded: frozenset[str] = frozenset()


def add(app: FastAPI, services: Callable[[], Services], version: str) -> Paths:
    """Puts the page into an application. Raises OSError where its files are missing."""
    return Paths(assets.add(app), data.add(app, services, version))
