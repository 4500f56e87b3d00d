"""The shape of the YAML files: the main file, and one file per team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import regex
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from moosproxy.policies.fields.kinds import DEFAULT_PROTECT, KINDS, Kind
from moosproxy.policies.fields.strict import Strict
from moosproxy.policies.model import HeaderName, Pattern, PolicyFields, UpstreamFields


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _key_hash(value: str) -> str:
    if regex.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower()
    if value.startswith("sk-"):
        raise ValueError("is a key itself: replace it, it is no secret any more, and store only a key's SHA-256")
    raise ValueError("must be the SHA-256 of a key, 64 hexadecimal digits")


_TEXT_OR_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

_AT_LEAST_ONE = Field(json_schema_extra={"minProperties": 1})

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed), Field(min_length=1), WithJsonSchema(_TEXT_OR_LIST)]
"""One text or a list of them."""
KeyHash = Annotated[
    str, AfterValidator(_key_hash), WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"})
]


class KindChange(Strict):
    """A change to the kinds that the weaker layers protect."""

    add: tuple[Kind, ...] = ()
    """Kinds to protect as well."""
    remove: tuple[Kind, ...] = ()
    """Kinds to protect no longer."""


class PatternChange(Strict):
    """A change to the patterns of the weaker layers."""

    add: tuple[Pattern, ...] = ()
    """Patterns to protect as well."""
    remove: tuple[str, ...] = ()
    """Patterns to drop, spelled as they are in the weaker layer."""


def _form(value: Any) -> str:
    if isinstance(value, str):
        return "<word>"
    return "<change>" if isinstance(value, Mapping | KindChange | PatternChange) else "<list>"


Protect = Annotated[
    Annotated[Literal["all", "none"], Tag("<word>")]
    | Annotated[tuple[Kind, ...], Tag("<list>")]
    | Annotated[KindChange, Tag("<change>")],
    Discriminator(_form),
]
Patterns = Annotated[
    Annotated[tuple[Pattern, ...], Tag("<list>")]
    | Annotated[Pattern, Tag("<word>")]
    | Annotated[PatternChange, Tag("<change>")],
    Discriminator(_form),
]


class PolicyLayer(PolicyFields):
    """Some fields of a policy; those left out keep what the weaker layers say."""

    protect: Protect = tuple(kind for kind in KINDS if kind in DEFAULT_PROTECT)
    """Kinds of text that are never cut: a list, `all`, `none`, or `add` and `remove` on weaker layers."""
    patterns: Patterns = ()
    """Regular expressions whose matches are never cut: a list, or `add` and `remove` on weaker layers."""


class NamedPolicy(PolicyLayer):
    """A policy under a name, for routes and teams to use."""

    description: str = ""
    """For the people who read the file."""
    extends: str | None = None
    """Another named policy whose fields hold where this one is silent."""


class Match(Strict):
    """Conditions on a request; all of them must hold, and a list holds when any of its entries does."""

    team: Texts | None = None
    """Team names."""
    model: Texts | None = None
    """Globs over the model that the request names, such as `gpt-4*`."""
    endpoint: Texts | None = None
    """Globs over the path, such as `chat/completions`; `/v1/` in front may be left out."""
    header: Mapping[HeaderName, Texts] = {}
    """Header name -> globs over its value."""


class Route(Strict):
    """Where requests that match go, and by which policy. The first route that matches is taken."""

    name: Name | None = None
    """How logs and `moos policy explain` call it; its position where left out."""
    match: Match = Field(default_factory=Match)
    """Conditions; without any, the route takes every request."""
    upstreams: Texts | None = None
    """Upstreams in order of preference; may be left out where there is only one."""
    policy: str | None = None
    """The named policy; where left out, the team's."""
    overrides: PolicyLayer = Field(default_factory=PolicyLayer)
    """Fields that are stronger than the named policy's and the team's."""


class Team(Strict):
    """A team: who it is, and how its requests are treated."""

    description: str = ""
    """For the people who read the file."""
    keys: tuple[KeyHash, ...] = ()
    """SHA-256 of each key of the team; `moos key new --team NAME` adds one."""
    policy: str | None = None
    """The named policy, where the route names none."""
    overrides: PolicyLayer = Field(default_factory=PolicyLayer)
    """Fields that are stronger than the named policy's."""
    routes: tuple[Route, ...] = ()
    """Routes of this team alone, tried before those of the main file."""


class Main(Strict):
    """The main file."""

    model_config = ConfigDict(json_schema_extra={"required": ["upstreams"]})

    defaults: PolicyLayer = Field(default_factory=PolicyLayer)
    """Fields for every policy, stronger than the built-in defaults."""
    policies: Mapping[Name, NamedPolicy] = {}
    """Named policies."""
    upstreams: Annotated[Mapping[Name, UpstreamFields], _AT_LEAST_ONE] = {}
    """Where requests can go, by name."""
    routes: tuple[Route, ...] = ()
    """Which request goes where by which policy; may be left out where there is only one upstream."""
    teams: Mapping[Name, Team] = {}
    """Teams that have no file of their own under `teams/`."""
