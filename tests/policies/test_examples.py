"""Every example in the repository works as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import moosproxy.policies
from moosproxy.policies.fields.kinds import KINDS
from moosproxy.policies.files.load import load
from moosproxy.policies.files.reading import read_yaml
from moosproxy.policies.files.schema import main_schema, team_schema
from moosproxy.policies.model import Policy
from moosproxy.policies.overrides import Requested, apply_overrides
from moosproxy.policies.resolve import PolicySet, RequestFacts

FOLDER = Path(moosproxy.policies.__file__).parent / "examples"
MAIN_FILES = sorted([FOLDER / "default.yaml", *FOLDER.glob("*/moos.yaml")])
TEAM_FILES = sorted(FOLDER.glob("*/teams/*.yaml"))


def with_variables(file: Path) -> PolicySet:
    texts = [path.read_text() for path in [file, *file.parent.glob("teams/*.yaml")]]
    names = {name for text in texts for name in re.findall(r"\$\{([A-Z_]+)\}", text)}
    return load(file, dict.fromkeys(names, "https://value.example"))


def test_no_example_is_missed() -> None:
    assert set(MAIN_FILES) | set(TEAM_FILES) == set(FOLDER.rglob("*.y*ml"))
    assert {file.parent.name for file in MAIN_FILES} == {"examples", "company", "edge"}


@pytest.mark.parametrize("file", MAIN_FILES, ids=lambda file: file.parent.name)
def test_an_example_loads(file: Path) -> None:
    assert with_variables(file).upstreams


@pytest.mark.parametrize("file", MAIN_FILES + TEAM_FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_an_example_fits_the_schema(file: Path) -> None:
    schema = team_schema() if file in TEAM_FILES else main_schema()
    Draft202012Validator(schema).validate(read_yaml(file.read_bytes(), str(file)).data)


def test_the_default_example_says_what_is_built_in() -> None:
    assert with_variables(FOLDER / "default.yaml").decide(RequestFacts()).policy == Policy()


def test_the_legal_team_gets_ratio_2_and_no_more_and_every_kind_protected() -> None:
    found = with_variables(FOLDER / "company" / "moos.yaml")
    for facts in (RequestFacts("legal", "gpt-4o"), RequestFacts("legal", "claude-x"), RequestFacts("legal", "o3")):
        policy = found.decide(facts).policy
        assert apply_overrides(policy, Requested(ratio=50)).policy.ratio == 2
        assert policy.protect == set(KINDS)
        assert policy.unit == "sentence"


def test_the_search_team_compresses_hard_and_its_evaluation_may_go_further() -> None:
    found = with_variables(FOLDER / "company" / "moos.yaml")
    usual = found.decide(RequestFacts("search", "gpt-4o"))
    assert (usual.policy.name, usual.policy.ratio) == ("rag", 4)
    assert [upstream.name for upstream in usual.upstreams] == ["openai", "azure"]
    trial = found.decide(RequestFacts("search", "gpt-4o", headers={"x-project": "evaluation"}))
    assert (trial.route, trial.policy.max_ratio) == ("search-evaluation", 10)


def test_the_edge_box_sends_every_model_to_the_one_it_has() -> None:
    decision = load(FOLDER / "edge" / "moos.yaml", {"MOOS_GGUF": "/models/own.gguf"}).decide(
        RequestFacts(model="gpt-4o")
    )
    (upstream,) = decision.upstreams
    assert upstream.model_for("gpt-4o") == "qwen"
    assert upstream.models["qwen"].path == Path("/models/own.gguf")
    assert decision.policy.fit_context
