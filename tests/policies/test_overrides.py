from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.policies.model import Policy
from moosproxy.policies.overrides import Requested, apply_overrides

policies = st.builds(
    lambda ratio, alpha, max_ratio, bounds, allow: Policy(
        ratio=ratio,
        alpha=alpha,
        max_ratio=max_ratio,
        min_alpha=min(bounds),
        max_alpha=max(bounds),
        allow_bypass=allow,
    ),
    st.floats(1, 100),
    st.floats(0, 1),
    st.floats(1, 100),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.booleans(),
)
wishes = st.builds(Requested, st.booleans(), st.none() | st.floats(), st.none() | st.floats())


@given(policies, wishes)
def test_whatever_is_asked_for_the_result_is_a_valid_policy_within_its_bounds(
    policy: Policy, requested: Requested
) -> None:
    applied = apply_overrides(policy, requested)
    assert 1 <= applied.policy.ratio <= max(policy.ratio, policy.max_ratio)
    assert min(policy.alpha, policy.min_alpha) <= applied.policy.alpha <= max(policy.alpha, policy.max_alpha)
    assert not (applied.bypass and not policy.allow_bypass)
    assert policy.allow_bypass or applied.policy.ratio >= policy.ratio
    assert Policy.model_validate(applied.policy.model_dump()) == applied.policy


@given(policies, wishes)
def test_every_wish_is_granted_or_named_as_clamped(policy: Policy, requested: Requested) -> None:
    applied = apply_overrides(policy, requested)
    clamped = {clamp.field: clamp for clamp in applied.clamped}
    for name in ("ratio", "alpha"):
        asked, given_value = getattr(requested, name), getattr(applied, name)
        if asked is None:
            assert given_value is None
            assert name not in clamped
            assert getattr(applied.policy, name) == getattr(policy, name)
        else:
            assert getattr(applied.policy, name) == given_value
            assert (name in clamped) == (given_value != asked)
    assert ("bypass" in clamped) == (requested.bypass != applied.bypass)


@given(policies, wishes)
def test_applying_what_was_granted_changes_nothing_more(policy: Policy, requested: Requested) -> None:
    first = apply_overrides(policy, requested)
    second = apply_overrides(policy, Requested(first.bypass, first.ratio, first.alpha))
    assert second.policy == first.policy
    assert second.clamped == ()


def test_the_policy_itself_comes_back_when_nothing_is_asked_for() -> None:
    policy = Policy()
    assert apply_overrides(policy, Requested()).policy is policy


def test_a_ratio_above_the_bound_is_clamped_and_the_bound_named() -> None:
    applied = apply_overrides(Policy(max_ratio=3), Requested(ratio=9))
    assert applied.ratio == 3
    assert [str(clamp) for clamp in applied.clamped] == ["ratio 9 -> 3.0 (at most 3)"]


@pytest.mark.parametrize(("asked", "expected"), [(math.nan, 2.0), (-math.inf, 1.0), (math.inf, 4.0), (-3.0, 1.0)])
def test_numbers_that_are_none_do_no_harm(asked: float, expected: float) -> None:
    assert apply_overrides(Policy(), Requested(ratio=asked)).ratio == expected


def test_a_bypass_that_the_policy_forbids_is_refused_by_name() -> None:
    applied = apply_overrides(Policy(allow_bypass=False), Requested(bypass=True))
    assert not applied.bypass
    assert [clamp.field for clamp in applied.clamped] == ["bypass"]


def test_asking_for_less_compression_is_always_granted() -> None:
    assert apply_overrides(Policy(ratio=4, max_ratio=1), Requested(ratio=1.5)).ratio == 1.5


@pytest.mark.parametrize("asked", [1, 1.01, 2.9])
def test_a_ratio_switches_nothing_off_where_a_bypass_may_not(asked: float) -> None:
    applied = apply_overrides(Policy(ratio=3, allow_bypass=False), Requested(ratio=asked))
    assert applied.ratio == 3
    assert [str(clamp) for clamp in applied.clamped] == [f"ratio {asked} -> 3.0 (at least 3)"]
