"""Every route as every team sees it, with all layers merged beforehand: deciding is then a look-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moosproxy.policies.faults import KeyPath
from moosproxy.policies.fields.endpoints import plain_endpoint
from moosproxy.policies.fields.soft import wire_fault
from moosproxy.policies.files.document import Main, Match, Route
from moosproxy.policies.files.layers import Layer, Merged, chain, merge
from moosproxy.policies.files.reading import Document
from moosproxy.policies.files.references import Place
from moosproxy.policies.model import Policy, Upstream, contradictions
from moosproxy.policies.resolve import Decision, Matcher, Origin, Rule, globs


def upstreams(main: Main) -> dict[str, Upstream]:
    """The upstreams by name, in the file's order."""
    return {name: Upstream(name=name, **dict(fields)) for name, fields in main.upstreams.items()}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A route with its place and what it is called."""

    route: Route
    label: str
    file: str
    path: KeyPath

    def origin(self, key: str) -> Origin:
        return Origin(f"route {self.label}", self.file, (*self.path, key))


def _entries(routes: Sequence[Route], document: Document, path: KeyPath, prefix: str) -> list[_Entry]:
    return [
        _Entry(route, route.name or f"{prefix}routes[{index}]", document.file, (*path, "routes", index))
        for index, route in enumerate(routes)
    ]


@dataclass(frozen=True, slots=True)
class Rules:
    """Builds the rules of a set from its files. A file with faults is left out: they would breed others."""

    document: Document
    main: Main
    places: Mapping[str, Place]

    def build(self) -> dict[str | None, tuple[Rule, ...]]:
        """Rules by team, None for nobody. Contradictions between layers become faults of the documents."""
        if self.document.faults:
            return {}
        targets = upstreams(self.main)
        implied = (Route(name="default"),) if len(targets) == 1 else ()
        common = _entries(self.main.routes or implied, self.document, (), "")
        nobody = [entry for entry in common if entry.route.match.team is None]
        rules: dict[str | None, tuple[Rule, ...]] = {None: self._rules(None, nobody, targets)}
        # A copy: a contradiction found for one team must not hide those of the next.
        for name, place in [(name, place) for name, place in self.places.items() if not place.document.faults]:
            own = _entries(place.team.routes, place.document, place.path, f"{name}.")
            shared = [entry for entry in common if name in (entry.route.match.team or (name,))]
            rules[name] = self._rules(name, [*own, *shared], targets)
        return rules

    def _rules(
        self, team: str | None, entries: Sequence[_Entry], targets: Mapping[str, Upstream]
    ) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        for entry in entries:
            name, naming = self._named(team, entry)
            merged = merge(self._layers(team, name, entry))
            chosen = tuple(targets[each] for each in entry.route.upstreams or targets)
            if self._contradicts(merged) or self._cannot_be_sent(merged, chosen):
                continue
            decision = Decision(merged.policy(name), entry.label, chosen)
            rules.append(Rule(_matcher(entry.route.match), decision, {**merged.origins, **naming}))
        return tuple(rules)

    def _named(self, team: str | None, entry: _Entry) -> tuple[str, dict[str, Origin]]:
        """The named policy, the route's before the team's, and who named it."""
        if entry.route.policy is not None:
            return entry.route.policy, {"name": entry.origin("policy")}
        place = self.places.get(team or "")
        if place is not None and place.team.policy is not None:
            origin = Origin(f"team {team}", place.document.file, (*place.path, "policy"))
            return place.team.policy, {"name": origin}
        return Policy.model_fields["name"].default, {}

    def _layers(self, team: str | None, policy: str, entry: _Entry) -> list[Layer]:
        """Weakest first: defaults, the named policy and those it extends, the team, the route."""
        file = self.document.file
        layers = [Layer(Origin("defaults", file, ("defaults",)), self.main.defaults)]
        for name in chain(policy, self.main.policies):
            origin = Origin(f"policy {name}", file, ("policies", name))
            layers.append(Layer(origin, self.main.policies[name]))
        place = self.places.get(team or "")
        if place is not None:
            origin = Origin(f"team {team}", place.document.file, (*place.path, "overrides"))
            layers.append(Layer(origin, place.team.overrides))
        layers.append(Layer(entry.origin("overrides"), entry.route.overrides))
        return layers

    def _contradicts(self, merged: Merged) -> bool:
        """Whether two layers contradict each other; the fault goes to the field that a file sets."""
        found = contradictions(Policy.model_construct(None, **merged.values))
        for pair, reason in found:
            name = next(name for name in pair if name in merged.origins)
            origin = merged.origins[name]
            self._document(origin).add((*origin.path, name), reason)
        return bool(found)

    def _cannot_be_sent(self, merged: Merged, chosen: Sequence[Upstream]) -> bool:
        """Whether an upstream of the route cannot take what the policy's soft compression makes."""
        soft = merged.values.get("soft")
        faults = [wire_fault(soft.method, upstream.soft_wire) for upstream in chosen] if soft is not None else []
        for fault in filter(None, faults):
            origin = merged.origins["soft"]
            self._document(origin).add((*origin.path, "soft", "method"), fault)
        return any(faults)

    def _document(self, origin: Origin) -> Document:
        homes = (place.document for place in self.places.values() if place.document.file == origin.file)
        return next(homes, self.document)


def _matcher(match: Match) -> Matcher:
    return Matcher(
        globs(match.model) if match.model else None,
        globs(plain_endpoint(pattern) for pattern in match.endpoint) if match.endpoint else None,
        tuple((name, globs(values)) for name, values in match.header.items()),
    )
