"""The shapes of requests that the proxy knows: one module a door, found by being here, with its DOOR."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from moosproxy.proxy.doors.base import OTHER, Door

_MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]

DOORS: tuple[Door, ...] = tuple(module.DOOR for module in _MODULES if hasattr(module, "DOOR"))
BY_PATH: dict[str, Door] = {path: door for door in DOORS for path in door.paths}
ROOTS: dict[str, Door] = {door.root: door for door in DOORS}


def door_of(path: str) -> Door:
    """The door that a path belongs to. path: behind /v1, with a leading slash, not encoded."""
    return BY_PATH.get(path) or ROOTS.get(path.split("/", 2)[1] if path.startswith("/") else "", OTHER)


def name_of(path: str) -> str:
    """A path's name in log and metrics: one of a fixed set, so that a caller cannot fill either."""
    if path in BY_PATH:
        return path
    root = door_of(path).root
    return path if path == f"/{root}" else f"/{root}/*" if root else "other"
