"""What a policy asks for in vain: told when files are checked, never a fault."""

from __future__ import annotations

import os
from collections.abc import Iterator

from moosproxy.policies.model import Upstream
from moosproxy.policies.resolve import BUILT_IN, PolicySet, Rule

FAR = 10.0
"""Above this ratio questions, instructions and marks are most of what is left of a text of some pages."""


def advice(found: PolicySet) -> list[str]:
    """One line for each place that asks for more than texts can give, in the order of the files."""
    lines = (line for rules in found.rules.values() for rule in rules for line in _of(rule))
    return list(dict.fromkeys(lines))


def absent(found: PolicySet) -> list[str]:
    """One line for each model whose file is not on this machine. Looks for the files, and reads none."""
    return [line for upstream in found.upstreams.values() for line in _absent(upstream)]


def _absent(upstream: Upstream) -> Iterator[str]:
    for name, model in upstream.models.items():
        if model.path is not None and not os.path.isfile(os.path.expanduser(model.path)):
            yield f"upstreams.{upstream.name}.models.{name}: there is no file {model.path} here; requests get 404"
    for name, place in upstream.hf_models.items():
        if not os.path.exists(os.path.expanduser(place.path)):
            yield f"upstreams.{upstream.name}.hf_models.{name}: there is no {place.path} here; requests get 503"


def _of(rule: Rule) -> list[str]:
    ratio = rule.decision.policy.ratio
    if ratio <= FAR:
        return []
    place = rule.origins.get("ratio", BUILT_IN)
    return [
        f"{place}: ratio {ratio:g} is seldom reached: questions, instructions and marks stay, code and settings "
        "lose little. x-moos-ratio tells what was reached, x-moos-limited what held it"
    ]
