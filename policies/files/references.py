"""Faults that no single value has: names that lead nowhere, circles, two of what there may be one of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from moosproxy.policies.faults import KeyPath, did_you_mean
from moosproxy.policies.files.document import KeyEntry, Main, NamedPolicy, Route, Team
from moosproxy.policies.files.layers import cycle
from moosproxy.policies.files.reading import Document

TEAM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A team with the file and key path that describe it."""

    document: Document
    path: KeyPath
    team: Team


@dataclass(slots=True)
class Names:
    """Every name that may be referred to, the names of faulty entries included."""

    upstreams: Sequence[str]
    policies: Sequence[str]
    teams: Sequence[str]
    routes: set[str] = field(default_factory=set)


def declared(document: Document, section: str) -> list[str]:
    """The names that a section of a file declares, whether or not what they name is right."""
    entries = document.data.get(section) if isinstance(document.data, dict) else None
    return list(entries) if isinstance(entries, dict) else []


def check_policies(document: Document, policies: Mapping[str, NamedPolicy], names: Names) -> None:
    """`extends` of an unknown policy, and circles (one fault for each circle)."""
    told: set[str] = set()
    for name, policy in policies.items():
        path: KeyPath = ("policies", name, "extends")
        if policy.extends is not None:
            _known(document, path, policy.extends, names.policies, "policy")
        circle = cycle(name, policies)
        if circle and name not in told:
            told.update(circle)
            document.add(path, f"goes in a circle: {' -> '.join(circle)}")


def check_main(document: Document, main: Main, names: Names) -> None:
    """Names in the main file's routes."""
    for index, route in enumerate(main.routes):
        path: KeyPath = ("routes", index)
        _check_route(document, path, route, names)
        for team in route.match.team or ():
            _known(document, (*path, "match", "team"), team, names.teams, "team")


def check_team(place: Place, names: Names) -> None:
    """Names in a team, wherever it is described."""
    document, path = place.document, place.path
    if place.team.policy is not None:
        _known(document, (*path, "policy"), place.team.policy, names.policies, "policy")
    for index, route in enumerate(place.team.routes):
        _check_route(document, (*path, "routes", index), route, names)
        if route.match.team is not None:
            reason = "a team's routes are for that team alone: delete this, or move the route to the main file"
            document.add((*path, "routes", index, "match", "team"), reason)


def check_keys(document: Document, main: Main, places: Mapping[str, Place]) -> None:
    """The same key in two places, or twice in one, and scopes that do not belong where they stand."""
    owners: dict[str, str] = {}
    for index, (digest, scope) in enumerate(map(_told, main.keys)):
        path: KeyPath = ("keys", index)
        if scope == "use":
            document.add(path, "needs scope: admin or metrics; a key that sends requests belongs to a team")
        if owners.setdefault(digest, f"main {index}") != f"main {index}":
            document.add(path, "is there twice")
    for name, place in places.items():
        for index, (digest, scope) in enumerate(map(_told, place.team.keys)):
            path = (*place.path, "keys", index)
            if scope == "admin":
                place.document.add(path, "has scope admin: put it under the main file's keys, it is no team's")
            owner = owners.setdefault(digest, name)
            if owner.startswith("main "):
                place.document.add(path, "the main file has the same key: every key belongs to one place")
            elif owner != name:
                place.document.add(path, f"team {owner} has the same key: every key belongs to one team")
            elif digest in [_told(other)[0] for other in place.team.keys[:index]]:
                place.document.add(path, "is there twice")


def _told(key: str | KeyEntry) -> tuple[str, str]:
    return (key, "use") if isinstance(key, str) else (key.sha256, key.scope)


def _check_route(document: Document, path: KeyPath, route: Route, names: Names) -> None:
    if route.name is not None:
        if route.name in names.routes:
            document.add((*path, "name"), "another route has this name")
        names.routes.add(route.name)
    if route.policy is not None:
        _known(document, (*path, "policy"), route.policy, names.policies, "policy")
    if route.upstreams is None and len(names.upstreams) > 1 and not document.is_faulty(path):
        document.add(path, f"names no upstreams: choose from {', '.join(names.upstreams)}")
    for upstream in route.upstreams or ():
        _known(document, (*path, "upstreams"), upstream, names.upstreams, "upstream")


def _known(document: Document, path: KeyPath, name: str, known: Iterable[str], what: str) -> None:
    if name in known:
        return
    if document.is_replaced(path):
        document.add(path, f"no {what} is called by the value of this variable")
    else:
        document.add(path, f"no {what} is called {name!r}{did_you_mean(name, known)}")
