"""What an upstream's models cost, where no list of prices knows or another price was agreed on."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from moosproxy.policies.fields.strict import Strict, not_bool

Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False), BeforeValidator(not_bool)]


class ModelPrice(Strict):
    """US dollars for a million tokens."""

    input: Dollars
    """For a million tokens of the prompt, in US dollars."""
    output: Dollars
    """For a million tokens of the answer."""
    cached: Dollars | None = None
    """For a million tokens of the prompt that the provider's cache had; null: as `input`."""
    written: Dollars | None = None
    """For a million tokens that were written into the provider's cache; null: as `input`."""
    written_1h: Dollars | None = None
    """The same for an hour instead of minutes; null: as `written`."""
    cache_min_tokens: Annotated[int, Field(ge=0, le=10_000_000), BeforeValidator(not_bool)] | None = None
    """Tokens from which on the provider caches a prompt; null: its usual least, 1,024 where it is not known."""
