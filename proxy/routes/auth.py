"""Who is asking: the team that a request's key belongs to, and whether the caller's own key may travel on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from moosproxy.policies.keys import Key
from moosproxy.policies.model import Policy
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.connections.neighbours import is_loopback
from moosproxy.proxy.errors import Forbidden, InvalidKey
from moosproxy.proxy.headers import CREDENTIALS, RawHeaders
from moosproxy.proxy.routes.own_keys import OwnKeys


@dataclass(frozen=True, slots=True)
class Caller:
    """team: None where no keys are configured, and for a key of the main file. key_is_ours: a credential of the
    request is this proxy's.

    own_keys: finds keys of this proxy in what would leave it, None where there are none. key: the one it brought.
    """

    team: str | None
    key_is_ours: bool
    own_keys: OwnKeys | None = field(default=None, repr=False)
    key: Key | None = field(default=None, repr=False)

    def forwards_key(self, policy: Policy) -> bool:
        """Whether the caller's credentials go upstream. A key of this proxy never does."""
        return policy.forward_caller_key and not self.key_is_ours


def authenticate(policies: PolicySet, headers: Mapping[str, str], raw: RawHeaders = ()) -> Caller:
    """The caller by `Authorization: Bearer` or `x-api-key`, as clients of the two APIs send their key.

    Or by `x-moos-key`, which goes before them and leaves them to a provider's key.
    Of several keys the first good one counts, whatever the others are.
    raw: all of the request's headers, since one may come twice. Raises InvalidKey if keys are configured and none
    of them came, or none that has not expired.
    """
    if not policies.has_keys:
        return Caller(None, key_is_ours=False)
    own = headers.get("x-moos-key")
    given = [_bearer(headers.get("authorization", "")), headers.get("x-api-key", "")] if own is None else [own]
    keys = [key.strip() for key in given if key.strip()]
    if not keys:
        raise InvalidKey(
            "No API key given. Send a key of this proxy as `Authorization: Bearer sk-moos-...` or as `x-api-key`."
        )
    now, over = time.time(), None
    for key in keys:
        found = policies.find_key(key)
        if found is not None and not found.expired(now):
            own_keys = OwnKeys(policies.keys, key)
            return Caller(found.team, own is None or _holds_a_key(own_keys, raw), own_keys, found)
        over = over or found
    raise _unknown(over)


def may_send(caller: Caller) -> None:
    """Raises Forbidden for a key that only reads figures."""
    if caller.key is not None and caller.key.scope == "metrics":
        raise Forbidden(
            "This key reads figures only (scope metrics). Send requests with a key of a team.",
            code="key_reads_figures_only",
        )


def _unknown(over: Key | None) -> InvalidKey:
    """over: a key that was known, and has expired."""
    if over is None:
        return InvalidKey("This API key is not known here. Ask whoever runs this proxy for a key of your team.")
    return InvalidKey(
        f"This API key ({over.id}) has expired. Ask whoever runs this proxy for a new one (`moos key new`).",
        code="expired_api_key",
    )


def _holds_a_key(own_keys: OwnKeys, raw: RawHeaders) -> bool:
    """Whether any credential, in whatever form, is a key of this proxy, the caller's or another team's."""
    return any(own_keys.in_credential(value) for name, value in raw if name in CREDENTIALS)


def _bearer(value: str) -> str:
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def refusal(host: str, policies: PolicySet) -> str | None:
    """Why the proxy must not listen on this address, in words that name the fix; None if it may."""
    if policies.has_keys or is_loopback(host):
        return None
    return (
        f"will not listen on {host} without keys: anyone who can reach it could spend your upstream's money. "
        "Make a key with `moos key new --create --team NAME --config FILE`, or listen on 127.0.0.1."
    )
