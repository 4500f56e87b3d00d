"""Whatever the files hold: faults, never another exception, and never a value of the environment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files.document import KindChange, Main, Match, NamedPolicy, Route, Team
from moosproxy.policies.files.load import assemble
from moosproxy.policies.files.sources import SourceFile, Sources
from moosproxy.policies.model import UpstreamFields

Faults = Callable[..., list[str]]

TEMPLATE = """\
defaults: {ratio: @0, tokenizer: @1}
policies: {a: {extends: @2, protect: [@3], question: @4}, b: {description: @5}}
upstreams:
  o: {kind: @6, base_url: @7, api_key: @8, headers: {x-a: @9}, model_map: {a: @10}, timeouts: {connect_s: @11}}
routes:
  - {name: @12, match: {team: @13, model: @14, header: {a: @15}}, upstreams: [@16], policy: @17}
teams: {t: {keys: [@18], policy: @19}}
"""


@pytest.mark.parametrize("place", range(20))
def test_no_reason_quotes_a_value_from_the_environment(faults: Faults, place: int) -> None:
    main = TEMPLATE
    for index in range(19, -1, -1):
        main = main.replace(f"@{index}", '"${SECRET}"' if index == place else "[]")
    found = faults(main, {"SECRET": "sk-sesame-123"})
    assert found
    assert "sesame" not in "\n".join(found)


def _assemble(main: bytes, team: bytes) -> None:
    sources = Sources(SourceFile("moos.yaml", "moos", main), (SourceFile("teams/a.yaml", "a", team),))
    try:
        assemble(sources, {"A": "b"})
    except PolicyError as fault:
        assert fault.faults


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_make_loading_raise_anything_else(main: bytes, team: bytes) -> None:
    _assemble(main, team)


_leaves = st.sampled_from([None, True, 0, 2.5, "", "(", "https://a/v1", "1" * 64]) | st.sampled_from(
    ["a", "b", "${A}", "${B}", "all", "user", "echo", "openai"]
)

_words = st.sampled_from(
    sorted(
        {"a", "b", "<<"}.union(
            *(model.model_fields for model in (Main, Team, Route, Match, NamedPolicy, KindChange, UpstreamFields))
        )
    )
)

_trees = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=5)
)


@settings(max_examples=150)
@given(st.dictionaries(_words, _trees, max_size=5), st.dictionaries(_words, _trees, max_size=5))
def test_no_tree_of_known_words_makes_loading_raise_anything_else(
    main: dict[str, object], team: dict[str, object]
) -> None:
    _assemble(yaml.safe_dump(main).encode(), yaml.safe_dump(team).encode())
