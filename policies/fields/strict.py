"""The base of every configured value: immutable, closed, and silent about the values that it refuses."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Strict(BaseModel):
    """Immutable, no unknown keys, and an error never quotes the value that it complains about."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )


def not_bool(value: Any) -> Any:
    """Refuses true and false where a number is meant. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


# The bounds stand before the validator, or the JSON Schema would lose them.
Count = Annotated[int, Field(ge=0), BeforeValidator(not_bool)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(not_bool)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(not_bool)]
