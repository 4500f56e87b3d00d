"""`${NAME}` and `${NAME:-default}` in the text values of a file, so that secrets stay out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moosproxy.policies.faults import KeyPath
from moosproxy.policies.files.reading import Document

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{")


def substitute(document: Document, environ: Mapping[str, str]) -> None:
    """Replace references in place and note where; a missing variable is a fault.

    `$${` stands for a plain `${`. Under `patterns` nothing is replaced: there `$` and braces belong to the
    regular expression.
    """

    def walk(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {k: v if k == "patterns" else walk(v, (*path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        document.replaced.add(path)
        text, reasons = _expand(value, environ)
        for reason in reasons:
            document.add(path, reason)
        return text

    document.data = walk(document.data, ())


def _expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    reasons: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$${":
            return "${"
        if name is None:
            reasons.append("has a ${ without a name: write ${NAME} or ${NAME:-default}, or $${ for the text ${")
            return ""
        value = environ.get(name, "")
        if value or default is not None:
            return value or default
        reasons.append(f"environment variable {name} is not set")
        return ""

    return _REFERENCE.sub(value_of, text), reasons
