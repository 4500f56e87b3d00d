"""From facts about a request to the policy and the upstreams for it. Pure: no file, clock or environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate

from moosproxy.policies.faults import NoRouteError
from moosproxy.policies.fields.allowance import Allowance
from moosproxy.policies.fields.endpoints import plain_endpoint
from moosproxy.policies.keys import Key, KeyRing
from moosproxy.policies.model import Policy, Upstream
from moosproxy.policies.overrides import Applied, Requested, apply_overrides


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known of a request before it is read in full.

    team: from the key, None without keys. model: as the request names it. endpoint: the path, with or without
    /v1. headers: names in lower case, or a mapping that ignores case.
    """

    team: str | None = None
    model: str | None = None
    endpoint: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """How a request is treated and where it goes: upstreams in order of preference, at least one."""

    policy: Policy
    route: str
    upstreams: tuple[Upstream, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a field was decided: the layer in words, its file and the key path in it."""

    layer: str
    file: str | None = None
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"{self.layer} ({self.file})" if self.file else self.layer


BUILT_IN = Origin("built-in default")
HEADER = Origin("request header")


@dataclass(frozen=True, slots=True)
class Matcher:
    """The conditions of a route on a request; each one holds when any of its globs does."""

    model: re.Pattern[str] | None = None
    endpoint: re.Pattern[str] | None = None
    headers: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def takes(self, facts: RequestFacts, *, any_model: bool = False) -> bool:
        """Whether every condition holds. any_model: but for the one on the model."""
        if self.model is not None and not any_model and not self.model.match(facts.model or ""):
            return False
        if self.endpoint is not None and not self.endpoint.match(plain_endpoint(facts.endpoint)):
            return False
        for name, values in self.headers:
            value = facts.headers.get(name)
            if value is None or not values.match(value):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One route as one team sees it: conditions, outcome, and where each field of the policy comes from."""

    matcher: Matcher
    decision: Decision
    origins: Mapping[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with the origin of every field; applied says what became of the wishes in headers."""

    decision: Decision
    origins: Mapping[str, Origin]
    applied: Applied


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything that the files say, ready to answer.

    rules: for each team, and for None (nobody, or a team without rules of its own), its routes in order.
    allowances: what each team may use, None for whoever needs no key; teams that are not there use what they want.
    """

    rules: Mapping[str | None, tuple[Rule, ...]]
    upstreams: Mapping[str, Upstream]
    keys: KeyRing = field(default_factory=KeyRing)
    allowances: Mapping[str | None, Allowance] = field(default_factory=dict)

    @property
    def has_keys(self) -> bool:
        """Whether requests need a key."""
        return bool(self.keys)

    @property
    def teams(self) -> tuple[str, ...]:
        """Names of all teams."""
        return tuple(name for name in self.rules if name is not None)

    def find_key(self, key: str) -> Key | None:
        """What is known of a key, in constant time over all keys; None for an unknown key."""
        return self.keys.find(key)

    def decide(self, facts: RequestFacts) -> Decision:
        """Policy and upstreams by the first route that takes the request. Raises NoRouteError."""
        return self._rule(facts).decision

    def explain(self, facts: RequestFacts, requested: Requested | None = None) -> Explanation:
        """The same decision with the origin of every field. Raises NoRouteError."""
        rule = self._rule(facts)
        applied = apply_overrides(rule.decision.policy, requested or Requested())
        moved = {
            name: HEADER
            for name in ("ratio", "alpha")
            if getattr(applied.policy, name) != getattr(rule.decision.policy, name)
        }
        origins = dict.fromkeys(Policy.model_fields, BUILT_IN) | dict(rule.origins) | moved
        return Explanation(rule.decision, origins, applied)

    def policies_of(self, team: str | None) -> dict[str, Policy]:
        """The policies that the routes of a team lead to, by name; of two of one name the first route's."""
        rules = self.rules.get(team)
        found: dict[str, Policy] = {}
        for rule in self.rules[None] if rules is None else rules:
            found.setdefault(rule.decision.policy.name, rule.decision.policy)
        return found

    def _rule(self, facts: RequestFacts) -> Rule:
        rules = self.rules.get(facts.team)
        rules = self.rules[None] if rules is None else rules
        for rule in rules:
            if rule.matcher.takes(facts):
                return rule
        if facts.model is None:  # a list of models, a file: it goes where the team's first models are
            for rule in rules:
                if rule.matcher.takes(facts, any_model=True):
                    return rule
        raise NoRouteError(f"no route takes model {facts.model!r} at {plain_endpoint(facts.endpoint)!r}")


def globs(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression for all globs. Case counts, as it does in model names."""
    return re.compile("|".join(translate(pattern) for pattern in patterns))
