"""The options that say which model judges, where it is behind an API."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--base-url", help="OpenAI-compatible API of --model, such as http://127.0.0.1:8080/v1."),
    click.option("--model", help="Name of the judge behind --base-url."),
    click.option(
        "--tokenizer", default="o200k_base", show_default=True, help="Counts tokens of a judge behind an API."
    ),
    click.option(
        "--window", default=8192, show_default=True, type=click.IntRange(512), help="Tokens, for a GGUF file."
    ),
)


def behind_an_api(command: _F) -> _F:
    """Adds --base-url, --model, --tokenizer, and --window for a GGUF file instead."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)
