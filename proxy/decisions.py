"""Remembers what the policies decided, so that a request like the last one need not be matched again."""

from __future__ import annotations

from moosproxy.policies.resolve import Decision, PolicySet, RequestFacts

_HELD = 4096
_LONGEST_MODEL = 256  # characters: a longer name is no model's, and not worth remembering


class Decisions:
    """Answers for the set in force; a set that has changed starts afresh."""

    def __init__(self) -> None:
        self._policies: PolicySet | None = None
        self._by_headers: dict[str | None, bool] = {}
        self._known: dict[tuple[str | None, str | None, str], Decision] = {}

    def of(self, policies: PolicySet, facts: RequestFacts) -> Decision:
        """As policies.decide. Raises NoRouteError."""
        if policies is not self._policies:
            self._policies = policies
            self._by_headers.clear()
            self._known.clear()
        key = facts.team, facts.model, facts.endpoint
        known = self._known.get(key)
        if known is not None:
            return known
        decision = policies.decide(facts)
        if len(facts.model or "") <= _LONGEST_MODEL and not self._needs_headers(policies, facts.team):
            if len(self._known) >= _HELD:
                self._known.clear()
            self._known[key] = decision
        return decision

    def _needs_headers(self, policies: PolicySet, team: str | None) -> bool:
        """Whether a route of the team looks at headers, of which there are too many to remember."""
        known = self._by_headers.get(team)
        if known is None:
            rules = policies.rules.get(team, policies.rules[None])
            known = self._by_headers[team] = any(rule.matcher.headers for rule in rules)
        return known
