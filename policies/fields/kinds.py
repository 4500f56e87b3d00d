"""The closed vocabularies of a policy: kinds of protected spans and roles of messages."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal[
    "fenced_code",
    "inline_code",
    "json",
    "xml",
    "url",
    "path",
    "email",
    "id",
    "version",
    "number",
    "date",
    "quoted",
    "severity",
    "negation",
    "condition",
    "question",
    "instruction",
    "heading",
    "placeholder",
]
"""The compressor has the same names. Neither room imports the other: a test holds the lists together."""

KINDS: tuple[Kind, ...] = get_args(Kind)

DEFAULT_PROTECT: frozenset[Kind] = frozenset(KINDS) - {"quoted"}

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]

ROLES: tuple[Role, ...] = get_args(Role)
