"""JSON Schema of the policy files, for editors. The same models that validation uses, so the two cannot differ."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from moosproxy.policies.files.document import Main, Team

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def main_schema() -> dict[str, Any]:
    """Schema of the main file."""
    return _published(Main, "moosproxy policies")


def team_schema() -> dict[str, Any]:
    """Schema of a team's file."""
    return _published(Team, "moosproxy team")


def _published(model: type[BaseModel], title: str) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(), "title": title}
