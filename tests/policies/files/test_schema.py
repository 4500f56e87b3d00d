from __future__ import annotations

import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from moosproxy.policies.files.document import Main, Team
from moosproxy.policies.files.schema import main_schema, team_schema


@pytest.mark.parametrize("schema", [main_schema(), team_schema()])
def test_the_schema_is_itself_valid(schema: dict[str, object]) -> None:
    Draft202012Validator.check_schema(schema)


def test_every_key_has_a_description_for_the_editor() -> None:
    definitions = [main_schema(), *main_schema()["$defs"].values()]
    bare = [
        f"{definition['title']}.{name}"
        for definition in definitions
        for name, field in definition.get("properties", {}).items()
        if "description" not in field
    ]
    assert bare == []
    assert set(main_schema()["properties"]) == set(Main.model_fields)
    assert set(team_schema()["properties"]) == set(Team.model_fields)


@pytest.mark.parametrize(
    ("document", "good"),
    [
        ({"upstreams": {"a": {"kind": "echo"}}}, True),
        ({"upstreams": {"a": {"kind": "echo"}}, "defaults": {"protect": "all", "patterns": {"add": ["a"]}}}, True),
        ({"upstreams": {"a": {"kind": "echo"}}, "routes": [{"match": {"model": "a*"}, "upstreams": ["a"]}]}, True),
        ({}, False),
        ({"upstreams": {}}, False),
        ({"upstreams": {"a": {"kind": "ecko"}}}, False),
        ({"upstreams": {"a": {"kind": "echo"}}, "defaults": {"ratoi": 2}}, False),
        ({"upstreams": {"a": {"kind": "echo"}}, "defaults": {"ratio": 0.5}}, False),
        ({"upstreams": {"a": {"kind": "echo"}}, "defaults": {"protect": ["numbr"]}}, False),
    ],
)
def test_the_schema_knows_good_from_bad(document: object, good: bool) -> None:
    assert Draft202012Validator(main_schema()).is_valid(document) is good


def test_the_schema_is_the_same_in_every_process() -> None:
    code = (
        "import json, moosproxy.policies.files.schema as s; print(json.dumps([s.main_schema(), s.team_schema()]))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


def test_an_upstreams_key_in_the_schema_is_marked_as_secret() -> None:
    upstream = main_schema()["$defs"]["UpstreamFields"]["properties"]["api_key"]
    assert any(form.get("format") == "password" for form in upstream["anyOf"])
