"""Who may use how much: keys and allowances of files as the rest of the program knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from moosproxy.policies.fields.allowance import Allowance
from moosproxy.policies.fields.strict import Strict
from moosproxy.policies.files.document import KeyEntry, Main
from moosproxy.policies.files.references import Place
from moosproxy.policies.keys import Key, KeyRing

S = TypeVar("S", bound=Strict)


def key_ring(main: Main, places: Mapping[str, Place]) -> KeyRing:
    """Every key, those of the main file first."""
    teams: list[tuple[str | None, tuple[str | KeyEntry, ...]]] = [(None, main.keys)]
    teams += [(name, place.team.keys) for name, place in places.items()]
    return KeyRing(tuple(_key(entry, team) for team, entries in teams for entry in entries))


def allowances(main: Main, places: Mapping[str, Place]) -> dict[str | None, Allowance]:
    """By team; None is whoever needs no key."""
    found: dict[str | None, Allowance] = {None: _plain(main)}
    for name, place in places.items():
        limits, budget = (_over(getattr(main, part), getattr(place.team, part)) for part in ("limits", "budget"))
        found[name] = Allowance(limits=limits, budget=budget)
    return found


def _key(entry: str | KeyEntry, team: str | None) -> Key:
    if isinstance(entry, str):
        return Key(bytes.fromhex(entry), team)
    expires = entry.expires.timestamp() if entry.expires is not None else None
    return Key(bytes.fromhex(entry.sha256), team, entry.scope, expires, entry.rotates, _plain(entry))


def _plain(entry: Allowance) -> Allowance:
    return Allowance(limits=entry.limits, budget=entry.budget)


def _over(weaker: S, stronger: S) -> S:
    """Field by field: what the stronger one says goes before, null among it."""
    return weaker.model_copy(update={name: getattr(stronger, name) for name in stronger.model_fields_set})
