"""Which endpoints a team reaches. Names stand for what leaves nothing at the provider; globs for anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache

# Of each name the calls that neither read nor leave anything that other teams of the same account would see.
PLAIN: Mapping[str, tuple[str, ...]] = {
    "audio": ("POST audio/speech", "POST audio/transcriptions", "POST audio/translations"),
    "chat": ("POST chat/completions",),
    "completions": ("POST completions",),
    "embeddings": ("POST embeddings",),
    "images": ("POST images/generations", "POST images/edits", "POST images/variations"),
    "messages": ("POST messages", "POST messages/count_tokens"),
    "models": ("GET models", "GET models/*"),
    "moderations": ("POST moderations",),
    "responses": ("POST responses", "POST responses/input_tokens", "POST responses/compact"),
}

DEFAULT_ENDPOINTS: frozenset[str] = frozenset(PLAIN)


def plain_endpoint(path: str) -> str:
    """The path without slashes around it and without v1: /v1/chat/completions is chat/completions."""
    path = path.strip("/")
    return "" if path == "v1" else path.removeprefix("v1/")


def reaches(endpoints: frozenset[str], method: str, path: str) -> bool:
    """Whether a policy with these endpoints takes the call. path: with or without /v1, not percent-encoded."""
    method = "GET" if method == "HEAD" else method
    return _expression(endpoints).match(f"{method} {plain_endpoint(path)}") is not None


@lru_cache(maxsize=256)
def _expression(endpoints: frozenset[str]) -> re.Pattern[str]:
    globs = [glob for entry in endpoints for glob in PLAIN.get(entry, (f"* {plain_endpoint(entry)}",))]
    return re.compile("|".join(map(translate, globs)) or r"(?!)")
