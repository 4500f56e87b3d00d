"""Layering: whatever the combination of layers, the strongest one that speaks is heard."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.fields.kinds import DEFAULT_PROTECT, KINDS
from moosproxy.policies.files.document import PolicyLayer
from moosproxy.policies.files.layers import Layer, merge
from moosproxy.policies.files.load import assemble
from moosproxy.policies.files.sources import SourceFile, Sources
from moosproxy.policies.model import Policy, PolicyFields
from moosproxy.policies.resolve import Origin, PolicySet, RequestFacts

Fields = dict[str, Any]
Load = Callable[..., PolicySet]

# Bounds of alpha and of roles are left alone here: layers may contradict each other in them.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "enabled": st.booleans(),
    "ratio": st.floats(1, 20),
    "alpha": st.floats(0, 1),
    "question": st.sampled_from(["auto", "off"]),
    "min_tokens": st.integers(0, 9000),
    "min_savings": st.floats(0, 1),
    "max_ratio": st.floats(1, 20),
    "allow_bypass": st.booleans(),
    "deadline_ms": st.integers(1, 60_000),
    "on_error": st.sampled_from(["forward", "reject"]),
    "shadow": st.booleans(),
    "tokenizer": st.sampled_from(["auto", "o200k_base", None]),
    "protect": st.sampled_from(["all", "none"]) | st.lists(st.sampled_from(KINDS)),
    "patterns": st.lists(st.sampled_from(["a+", "b{2}"]), unique=True),
}
layers = st.fixed_dictionaries({}, optional=FIELDS)


def load_layers(defaults: object, base: object, named: dict[str, Any], team: object, route: object) -> PolicySet:
    main = {
        "defaults": defaults,
        "policies": {"base": base, "named": {"extends": "base", **named}},
        "upstreams": {"demo": {"kind": "echo"}},
        "routes": [{"policy": "named", "overrides": route}],
    }
    sources = Sources(
        SourceFile("moos.yaml", "moos", json.dumps(main).encode()),
        (SourceFile("teams/t.yaml", "t", json.dumps({"overrides": team}).encode()),),
    )
    return assemble(sources, {})


def plain(name: str, value: object) -> object:
    """A field's value as a policy holds it."""
    if name == "protect":
        words = {"all": KINDS, "none": ()}
        return frozenset(words[value] if isinstance(value, str) else value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value


@given(layers, layers, layers, layers, layers)
def test_for_every_field_the_strongest_layer_that_sets_it_wins_and_is_named_as_the_origin(
    defaults: dict[str, Any],
    base: dict[str, Any],
    named: dict[str, Any],
    team: dict[str, Any],
    route: dict[str, Any],
) -> None:
    explanation = load_layers(defaults, base, named, team, route).explain(RequestFacts(team="t"))
    weakest_first = [
        ("defaults", "moos.yaml", defaults),
        ("policy base", "moos.yaml", base),
        ("policy named", "moos.yaml", named),
        ("team t", "teams/t.yaml", team),
        ("route routes[0]", "moos.yaml", route),
    ]
    for name in FIELDS:
        expected, origin = getattr(Policy(), name), Origin("built-in default")
        for layer, file, fields in weakest_first:
            if name in fields:
                expected, origin = plain(name, fields[name]), Origin(layer, file)
        assert getattr(explanation.decision.policy, name) == expected
        assert str(explanation.origins[name]) == str(origin)


@given(st.lists(layers, max_size=5))
def test_a_layer_that_says_nothing_changes_nothing(given_layers: list[dict[str, Any]]) -> None:
    filled = [Layer(Origin(str(n)), PolicyLayer.model_validate(each)) for n, each in enumerate(given_layers)]
    empty = Layer(Origin("empty"), PolicyLayer())
    with_empty = [each for layer in filled for each in (empty, layer, empty)]
    assert merge(filled).policy("x") == merge(with_empty).policy("x")


def test_every_field_of_a_policy_can_be_set_by_a_layer() -> None:
    assert set(Policy.model_fields) - {"name"} == set(PolicyLayer.model_fields)
    assert set(PolicyFields.model_fields) | {"protect", "patterns"} == set(PolicyLayer.model_fields)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"add": ["quoted"]}, DEFAULT_PROTECT | {"quoted"}),
        ({"remove": ["json", "quoted"]}, DEFAULT_PROTECT - {"json"}),
        ({"add": ["json"], "remove": ["json"]}, DEFAULT_PROTECT - {"json"}),
        ("all", frozenset(KINDS)),
        ("none", frozenset()),
        ([], frozenset()),
        (["url"], {"url"}),
        ({}, DEFAULT_PROTECT),
    ],
)
def test_protected_kinds_are_listed_or_changed(change: object, expected: frozenset[str]) -> None:
    layer = Layer(Origin("x"), PolicyLayer.model_validate({"protect": change}))
    assert merge([layer]).policy("x").protect == expected


def test_patterns_are_added_once_and_removed_by_their_spelling() -> None:
    changes: list[object] = [["a", "b"], {"add": ["c", "a"]}, {"remove": ["b"]}]
    stack = [Layer(Origin("x"), PolicyLayer.model_validate({"patterns": change})) for change in changes]
    assert merge(stack).policy("x").patterns == ("a", "c")


def test_an_addition_names_both_layers_as_its_origin(loaded: Load) -> None:
    main = "upstreams: {demo: {kind: echo}}\ndefaults: {protect: {add: [quoted]}}"
    found = loaded(main, t="overrides: {protect: {remove: [url]}}").explain(RequestFacts(team="t"))
    assert found.origins["protect"].layer == "built-in default, changed by defaults, changed by team t"
    assert found.decision.policy.protect == (DEFAULT_PROTECT | {"quoted"}) - {"url"}


def test_the_routes_policy_is_taken_before_the_teams(loaded: Load) -> None:
    main = """\
        policies: {mild: {ratio: 1.5}, strong: {ratio: 5}}
        upstreams: {demo: {kind: echo}}
        routes:
          - {match: {model: a}, policy: strong}
          - {}
        """
    found = loaded(main, t="policy: mild")
    assert found.decide(RequestFacts(team="t", model="a")).policy.name == "strong"
    assert found.decide(RequestFacts(team="t", model="b")).policy.name == "mild"
    assert found.decide(RequestFacts(model="b")).policy.name == "default"
    assert found.explain(RequestFacts(team="t", model="b")).origins["name"].layer == "team t"
