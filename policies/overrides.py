"""The strongest layer: what the headers of one request ask for, kept within what the policy allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from moosproxy.policies.model import Policy


@dataclass(frozen=True, slots=True)
class Requested:
    """What the headers of a request ask for; None where they say nothing."""

    bypass: bool = False
    ratio: float | None = None
    alpha: float | None = None


@dataclass(frozen=True, slots=True)
class Clamp:
    """One wish that was not granted in full: the field, the value asked for and the one that holds."""

    field: str
    asked: float | bool
    given: float | bool
    bound: str

    def __str__(self) -> str:
        return f"{self.field} {self.asked} -> {self.given} ({self.bound})"


@dataclass(frozen=True, slots=True)
class Applied:
    """The policy with every granted wish in it. ratio and alpha are None where the headers said nothing."""

    policy: Policy
    bypass: bool
    ratio: float | None
    alpha: float | None
    clamped: tuple[Clamp, ...]


def apply_overrides(policy: Policy, requested: Requested) -> Applied:
    """Grant what the policy allows, clamp the rest and name it. Never raises, whatever the numbers are."""
    clamped: list[Clamp] = []
    ratio = alpha = None
    if requested.ratio is not None:
        # 1 is no compression: where that may not be asked for, no ratio below the policy's own may be either.
        low = 1.0 if policy.allow_bypass else policy.ratio
        bounds = (low, max(policy.max_ratio, policy.ratio))
        ratio = _clamp("ratio", requested.ratio, policy.ratio, bounds, clamped)
    if requested.alpha is not None:
        bounds = (min(policy.min_alpha, policy.alpha), max(policy.max_alpha, policy.alpha))
        alpha = _clamp("alpha", requested.alpha, policy.alpha, bounds, clamped)
    bypass = requested.bypass and policy.allow_bypass
    if requested.bypass and not bypass:
        clamped.append(Clamp("bypass", True, False, "allow_bypass is false"))
    update = {name: value for name, value in (("ratio", ratio), ("alpha", alpha)) if value is not None}
    changed = policy.model_copy(update=update) if update else policy
    return Applied(changed, bypass, ratio, alpha, tuple(clamped))


def _clamp(name: str, asked: float, own: float, bounds: tuple[float, float], log: list[Clamp]) -> float:
    low, high = bounds
    if math.isnan(asked):
        given, bound = own, "not a number"
    elif asked < low:
        given, bound = low, f"at least {low:g}"
    elif asked > high:
        given, bound = high, f"at most {high:g}"
    else:
        return asked
    log.append(Clamp(name, asked, given, bound))
    return given
