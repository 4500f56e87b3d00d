"""The shape of the YAML files: the main file, and one file per team."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import regex
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from moosproxy.policies.fields.allowance import Allowance
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


def instant(value: Any) -> Any:
    """A moment from ISO 8601; where no zone is named it is UTC's."""
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("must be a date such as 2027-02-27 or 2027-02-27T12:00:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_TEXT_OR_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

_AT_LEAST_ONE = Field(json_schema_extra={"minProperties": 1})

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed), Field(min_length=1), WithJsonSchema(_TEXT_OR_LIST)]
"""One text or a list of them."""
KeyHash = Annotated[
    str, AfterValidator(_key_hash), WithJsonSchema({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"})
]

KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Instant = Annotated[
    datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"})
]


class KeyEntry(Allowance):
    """A key of which more is known than its SHA-256."""

    sha256: KeyHash
    """SHA-256 of the key."""
    scope: Literal["use", "metrics", "admin"] = "use"
    """`use` sends requests, `metrics` reads figures only; `admin`, of the main file, may do everything."""
    expires: Instant | None = None
    """When it stops working: a date, or a date and a time; of UTC where no zone is named."""
    rotates: KeyId | None = None
    """Id of the key whose place it takes: both count as one."""


def _key_form(value: Any) -> str:
    return "<entry>" if isinstance(value, Mapping | KeyEntry) else "<hash>"


Keys = tuple[
    Annotated[Annotated[KeyHash, Tag("<hash>")] | Annotated[KeyEntry, Tag("<entry>")], Discriminator(_key_form)],
    ...,
]
"""Each is its SHA-256, or an entry that says more."""


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


class Team(Allowance):
    """A team: who it is, how its requests are treated, and what it may use."""

    description: str = ""
    """For the people who read the file."""
    keys: Keys = ()
    """Each key of the team, its SHA-256 or more; `moos key new --team NAME` adds one."""
    policy: str | None = None
    """The named policy, where the route names none."""
    overrides: PolicyLayer = Field(default_factory=PolicyLayer)
    """Fields that are stronger than the named policy's."""
    routes: tuple[Route, ...] = ()
    """Routes of this team alone, tried before those of the main file."""


class Main(Allowance):
    """The main file. Its limits and budget are those of each team that does not say otherwise, field by field."""

    model_config = ConfigDict(json_schema_extra={"required": ["upstreams"]})

    defaults: PolicyLayer = Field(default_factory=PolicyLayer)
    """Fields for every policy, stronger than the built-in defaults."""
    policies: Mapping[Name, NamedPolicy] = {}
    """Named policies."""
    upstreams: Annotated[Mapping[Name, UpstreamFields], _AT_LEAST_ONE] = {}
    """Where requests can go, by name."""
    routes: tuple[Route, ...] = ()
    """Which request goes where by which policy; may be left out where there is only one upstream."""
    keys: Keys = ()
    """Keys of no team, with scope `admin` or `metrics`; `moos key new --scope admin` adds one."""
    teams: Mapping[Name, Team] = {}
    """Teams that have no file of their own under `teams/`."""
