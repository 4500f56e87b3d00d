"""Merging layers of a policy, weakest first, with the origin of every field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moosproxy.policies.fields.kinds import DEFAULT_PROTECT, KINDS
from moosproxy.policies.files.document import KindChange, NamedPolicy, PatternChange, PolicyLayer
from moosproxy.policies.model import Policy, PolicyFields
from moosproxy.policies.resolve import BUILT_IN, Origin


@dataclass(frozen=True, slots=True)
class Layer:
    """The fields that one place in one file sets."""

    origin: Origin
    fields: PolicyLayer


@dataclass(frozen=True, slots=True)
class Merged:
    """Field values and where each one comes from; fields that no layer sets are absent from both."""

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]

    def policy(self, name: str) -> Policy:
        """The policy. Raises pydantic's ValidationError when two layers contradict each other."""
        return Policy(name=name, **self.values)


def merge(layers: Sequence[Layer]) -> Merged:
    """For each field the value of the last layer that sets it; additions and removals build on what is there."""
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for layer in layers:
        for name in sorted(layer.fields.model_fields_set):
            if name == "protect":
                values[name] = _protect(layer.fields.protect, values.get(name, DEFAULT_PROTECT))
            elif name == "patterns":
                values[name] = _patterns(layer.fields.patterns, values.get(name, ()))
            elif name in PolicyFields.model_fields:
                values[name] = getattr(layer.fields, name)
            else:
                continue
            origins[name] = _origin(layer, name, origins.get(name, BUILT_IN))
    return Merged(values, origins)


def chain(name: str, policies: Mapping[str, NamedPolicy]) -> list[str]:
    """The policy's name and those it extends, weakest first; ends at an unknown name or a repeated one."""
    names: list[str] = []
    current: str | None = name
    while current is not None and current in policies and current not in names:
        names.append(current)
        current = policies[current].extends
    return names[::-1]


def cycle(name: str, policies: Mapping[str, NamedPolicy]) -> list[str] | None:
    """The names around the circle that `extends` draws through this policy, or None."""
    names = chain(name, policies)
    if names and policies[names[0]].extends == name:
        return [name, *names[-2::-1], name] if len(names) > 1 else [name, name]
    return None


def _protect(change: Any, current: Iterable[str]) -> frozenset[str]:
    if change == "all":
        return frozenset(KINDS)
    if change == "none":
        return frozenset()
    if isinstance(change, KindChange):
        return (frozenset(current) | set(change.add)) - set(change.remove)
    return frozenset(change)


def _patterns(change: Any, current: Sequence[str]) -> tuple[str, ...]:
    if isinstance(change, str):
        return (change,)
    if isinstance(change, PatternChange):
        kept = [*current, *change.add]
        return tuple(dict.fromkeys(pattern for pattern in kept if pattern not in change.remove))
    return tuple(change)


def _origin(layer: Layer, name: str, before: Origin) -> Origin:
    if not isinstance(getattr(layer.fields, name), KindChange | PatternChange):
        return layer.origin
    words = f"{before.layer}, changed by {layer.origin.layer}"
    return Origin(words, layer.origin.file, layer.origin.path)
