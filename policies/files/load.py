"""Policy files to a PolicySet, or every fault in them at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from moosproxy.policies.faults import PolicyError
from moosproxy.policies.files.document import Main, Team
from moosproxy.policies.files.environment import substitute
from moosproxy.policies.files.reading import Document, read_yaml
from moosproxy.policies.files.references import (
    TEAM_NAME,
    Names,
    Place,
    check_keys,
    check_main,
    check_policies,
    check_team,
    declared,
)
from moosproxy.policies.files.rules import Rules, upstreams
from moosproxy.policies.files.sources import SourceFile, Sources, read_sources
from moosproxy.policies.files.tenants import allowances, key_ring
from moosproxy.policies.files.validation import validate
from moosproxy.policies.resolve import PolicySet


def load(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> PolicySet:
    """The set that a main file (or the folder with moos.yaml) and the team files beside it describe.

    environ: where ${NAME} is looked up, the process's environment if None. Raises PolicyError with all faults.
    """
    return assemble(read_sources(path), os.environ if environ is None else environ)


def assemble(sources: Sources, environ: Mapping[str, str]) -> PolicySet:
    """The same from bytes already read; a pure function. Raises PolicyError, and nothing else for any bytes."""
    document = _read(sources.main, environ)
    main = validate(Main, document) if document.data is not None else None
    files = [_team_file(source, environ) for source in sources.teams]
    documents = [document, *(file.document for file in files)]
    if main is None:
        raise PolicyError([fault for each in documents for fault in each.faults])
    places = _places(document, main, files)
    _check(document, main, places)
    rules = Rules(document, main, places).build()
    faults = [fault for each in documents for fault in sorted(each.faults, key=lambda f: f.line or 0)]
    if faults:
        raise PolicyError(list(dict.fromkeys(faults)))
    return PolicySet(rules, upstreams(main), key_ring(main, places), allowances(main, places))


def _read(source: SourceFile, environ: Mapping[str, str]) -> Document:
    document = read_yaml(source.content, source.name)
    if document.data is not None:
        substitute(document, environ)
    return document


@dataclass(frozen=True, slots=True)
class _TeamFile:
    name: str
    document: Document
    team: Team | None


def _team_file(source: SourceFile, environ: Mapping[str, str]) -> _TeamFile:
    document = _read(source, environ)
    return _TeamFile(source.stem, document, validate(Team, document) if document.data is not None else None)


def _places(main_document: Document, main: Main, files: list[_TeamFile]) -> dict[str, Place]:
    """Every team by name, from the main file and from files of their own."""
    places = {name: Place(main_document, ("teams", name), team) for name, team in main.teams.items()}
    for file in files:
        name, document = file.name, file.document
        if not TEAM_NAME.match(name):
            document.add((), "the file's name is the team's: letters, digits, dots, dashes, underscores only")
        elif name in places:
            document.add((), f"team {name} is described in {places[name].document.file} too")
        else:
            places[name] = Place(document, (), file.team or Team())
    return places


def _check(document: Document, main: Main, places: Mapping[str, Place]) -> None:
    teams = [*places, *declared(document, "teams")]
    names = Names(declared(document, "upstreams"), declared(document, "policies"), teams)
    check_policies(document, main.policies, names)
    check_main(document, main, names)
    for place in places.values():
        check_team(place, names)
    check_keys(document, main, places)
    if not names.upstreams:
        document.add(("upstreams",), "is missing: name at least one place where requests go")
    routeless = not main.routes and (not places or any(not place.team.routes for place in places.values()))
    if routeless and len(names.upstreams) > 1 and not document.faults:
        document.add(
            ("upstreams",), "there are several and no routes: say under 'routes' which request goes where"
        )
