"""Decisions that are remembered, and those that must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from moosproxy.policies.faults import NoRouteError
from moosproxy.policies.files.load import load
from moosproxy.policies.resolve import PolicySet, RequestFacts
from moosproxy.proxy.decisions import Decisions

ROUTES = """
upstreams: {{e: {{kind: echo}}}}
policies: {{tight: {{ratio: 4}}}}
routes:
{extra}
  - {{match: {{model: "big*"}}, policy: tight, upstreams: [e]}}
  - {{match: {{model: "small*"}}, upstreams: [e]}}
"""


def policy_set(folder: Path, extra: str = "") -> PolicySet:
    """Two models; anything else has no route."""
    file = folder / "moos.yaml"
    file.write_text(ROUTES.format(extra=extra))
    return load(file)


def test_the_second_answer_is_the_first_without_looking_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies, decisions = policy_set(tmp_path), Decisions()
    first = decisions.of(policies, RequestFacts(None, "big-1"))
    monkeypatch.setattr(PolicySet, "decide", None)

    assert decisions.of(policies, RequestFacts(None, "big-1")) is first
    assert first.policy.ratio == 4


def test_team_model_and_endpoint_are_told_apart(tmp_path: Path) -> None:
    policies, decisions = policy_set(tmp_path), Decisions()

    assert decisions.of(policies, RequestFacts(None, "big-1")).policy.ratio == 4
    assert decisions.of(policies, RequestFacts(None, "small-1")).policy.ratio != 4
    for _ in range(2):
        with pytest.raises(NoRouteError):
            decisions.of(policies, RequestFacts(None, "other"))


def test_a_route_that_looks_at_headers_is_asked_every_time(tmp_path: Path) -> None:
    policies = policy_set(tmp_path, '  - {match: {header: {x-tier: "gold"}}, policy: tight, upstreams: [e]}')
    decisions = Decisions()
    plain = decisions.of(policies, RequestFacts(None, "small-1"))
    gold = decisions.of(policies, RequestFacts(None, "small-1", headers={"x-tier": "gold"}))

    assert (plain.policy.ratio == 4, gold.policy.ratio) == (False, 4)


def test_new_policies_count_at_once(tmp_path: Path) -> None:
    decisions = Decisions()
    old = decisions.of(policy_set(tmp_path), RequestFacts(None, "small-1"))
    extra = '  - {match: {model: "small-1"}, policy: tight, upstreams: [e]}'
    new = decisions.of(policy_set(tmp_path, extra), RequestFacts(None, "small-1"))

    assert (old.policy.ratio == 4, new.policy.ratio) == (False, 4)


def test_ever_new_models_do_not_fill_the_memory(tmp_path: Path) -> None:
    policies, decisions = policy_set(tmp_path), Decisions()
    for number in range(10_000):
        decisions.of(policies, RequestFacts(None, f"big-{number}"))
    decisions.of(policies, RequestFacts(None, "big" * 1000))

    assert len(decisions._known) <= 4096
    assert max(len(model or "") for _, model, _ in decisions._known) < 300
