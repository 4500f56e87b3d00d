"""What a policy may say and seldom gets: told when files are checked, never a fault."""

from __future__ import annotations

from moosproxy.policies.resolve import BUILT_IN, PolicySet, Rule

FAR = 10.0
"""Above this ratio questions, instructions and marks are most of what is left of a text of some pages."""


def advice(found: PolicySet) -> list[str]:
    """One line for each place that asks for more than texts can give, in the order of the files."""
    lines = (line for rules in found.rules.values() for rule in rules for line in _of(rule))
    return list(dict.fromkeys(lines))


def _of(rule: Rule) -> list[str]:
    ratio = rule.decision.policy.ratio
    if ratio <= FAR:
        return []
    place = rule.origins.get("ratio", BUILT_IN)
    return [
        f"{place}: ratio {ratio:g} is seldom reached: questions, instructions and marks stay, code and settings "
        "lose little. x-moos-ratio tells what was reached, x-moos-limited what held it"
    ]
