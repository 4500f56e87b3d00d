"""docs/policies.md says what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from moosproxy.policies.fields.allowance import Budget, Limits
from moosproxy.policies.fields.endpoints import PLAIN
from moosproxy.policies.fields.kinds import KINDS
from moosproxy.policies.fields.local import GgufModel, LocalLimits, SamplingDefaults
from moosproxy.policies.fields.prices import ModelPrice
from moosproxy.policies.fields.soft import HfModel, Soft
from moosproxy.policies.files.document import KeyEntry, Main, Match, PolicyLayer, Route, Team
from moosproxy.policies.files.load import assemble
from moosproxy.policies.files.sources import SourceFile, Sources
from moosproxy.policies.model import Policy, Timeouts, UpstreamFields
from moosproxy.policies.resolve import RequestFacts

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
ROWS = {
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in PAGE.splitlines()
    if line.startswith("| `")
}
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def shown(field: FieldInfo) -> str:
    """A default as the page writes it."""
    default = field.default
    if field.is_required():
        return "required"
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, frozenset | tuple) and len(default) > 6 and set(default) < set(KINDS):
        return "all but " + ", ".join(f"`{kind}`" for kind in KINDS if kind not in default)
    if isinstance(default, frozenset | tuple):
        return ", ".join(f"`{entry}`" for entry in sorted(default)) or "none"
    if default in ("", {}):
        return "none"
    if isinstance(default, str):
        return f"`{default}`"
    whole = isinstance(default, float) and default.is_integer()
    return f"`{json.dumps(int(default) if whole else default)}`"


SHAPES: tuple[type[BaseModel], ...] = (
    UpstreamFields, Timeouts, GgufModel, LocalLimits, HfModel, Soft, SamplingDefaults, KeyEntry, Limits, Budget,
    ModelPrice,
)  # fmt: skip


@pytest.mark.parametrize("model", [PolicyLayer, *SHAPES])
def test_every_field_is_on_the_page_with_its_default_and_meaning(model: type[BaseModel]) -> None:
    expected = {(f"`{name}`", shown(field), field.description) for name, field in model.model_fields.items()}
    assert expected - ROWS == set()


@pytest.mark.parametrize("model", [Route, Match])
def test_every_key_of_a_route_is_on_the_page_with_its_meaning(model: type[BaseModel]) -> None:
    assert {(f"`{name}`", field.description) for name, field in model.model_fields.items()} - ROWS == set()


def test_the_page_has_no_field_that_the_code_has_not() -> None:
    known = {f"`{name}`" for model in (Policy, Route, Match, *SHAPES) for name in model.model_fields}
    assert {row[0] for row in ROWS} <= known


def test_the_calls_behind_each_name_of_an_endpoint_are_on_the_page() -> None:
    rows = dict(re.findall(r"^\| ([a-z]+) \| (?:POST|GET) (.*) \|$", PAGE, re.MULTILINE))
    said = {name: set(re.findall(r"`([^`]+)`", calls)) for name, calls in rows.items()}
    assert said == {name: {call.split()[1] for call in calls} for name, calls in PLAIN.items()}


@pytest.mark.parametrize("name", [*Main.model_fields, *Team.model_fields, *KINDS])
def test_every_section_and_kind_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_files_on_the_page_load_and_do_what_they_say() -> None:
    main, team = (block.encode() for block in BLOCKS)
    sources = Sources(SourceFile("moos.yaml", "moos", main), (SourceFile("search.yaml", "search", team),))
    found = assemble(sources, {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})
    decision = found.decide(RequestFacts("search", "gpt-4o"))
    assert [upstream.name for upstream in decision.upstreams] == ["openai", "claude"]
    assert (decision.policy.name, decision.policy.ratio, decision.policy.min_tokens) == ("rag", 4, 800)
