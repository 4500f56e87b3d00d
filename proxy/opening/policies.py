"""Where the policies in force come from: files that are watched, or the built-in defaults."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from moosproxy.policies.builtin import default_set
from moosproxy.policies.extras import lacking
from moosproxy.policies.files.load import load
from moosproxy.policies.files.watch import PolicyWatcher
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.limits.gate import Gate
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.rewriting.break_even import default_folder
from moosproxy.proxy.routes.auth import refusal
from moosproxy.proxy.services import PolicySource
from moosproxy.proxy.settings import Settings

_LAST_KEY = (
    "holds no key any more, and without one everybody would be let in: put a key back (`moos key new`), or "
    "restart the proxy to serve without keys on loopback."
)


@dataclass(frozen=True, slots=True)
class FixedPolicies:
    """A set that never changes."""

    current: PolicySet
    faults: tuple[object, ...] = ()


async def open_policies(settings: Settings, given: PolicySet | None, stack: AsyncExitStack) -> PolicySource:
    """The source for one application. Raises PolicyError.

    A set that must not be served here, such as one without keys on an open address, does not come into force; nor
    does one that takes away the last key, wherever the proxy listens: a folder may be gone for a moment.
    """
    if given is not None or settings.policies is None:
        return FixedPolicies(given or default_set(os.environ))
    keyed = settings.require_keys

    def accept(found: PolicySet) -> str | None:
        nonlocal keyed
        if keyed and not found.has_keys:
            return _LAST_KEY
        reason = objection(settings, found)
        keyed = found.has_keys if reason is None else keyed
        return reason

    watcher = PolicyWatcher(settings.policies, accept=accept)
    return await stack.enter_async_context(watcher)


def objection(settings: Settings, found: PolicySet) -> str | None:
    """Why this set, faultless in itself, must not be served here, with the fix; None if it may."""
    return keyless(settings, found) or lacking(found)


def keyless(settings: Settings, found: PolicySet) -> str | None:
    """The same of its keys alone."""
    if settings.require_keys and not found.has_keys:
        make = "`moos key new --create --team NAME --config FILE`"
        return f"MOOS_REQUIRE_KEYS is set and there is no key: make one with {make}."
    return refusal(settings.host, found)


def read_policies(settings: Settings) -> PolicySet:
    """The set that the settings name, once. Raises PolicyError."""
    return default_set(os.environ) if settings.policies is None else load(settings.policies)


async def policies_check(source: PolicySource) -> Check:
    """Whether the files on disk are those in force."""
    if source.faults:
        faults = "; ".join(str(fault) for fault in source.faults)
        return Check("degraded", f"the last good policies stay in force, the files have faults: {faults}")
    return Check("ok")


async def upstreams_check(source: PolicySource) -> Check:
    """Whether requests reach a model."""
    upstreams = source.current.upstreams
    if {upstream.kind for upstream in upstreams.values()} == {"echo"}:
        detail = "only the echo upstream: nothing goes to a model; set OPENAI_API_KEY or MOOS_POLICIES"
        return Check("degraded", detail)
    missing = lacking(source.current) or await asyncio.to_thread(_missing_files, source.current)
    if missing is not None:
        return Check("degraded", missing)
    relayed = [upstream for upstream in upstreams.values() if upstream.kind in ("openai", "anthropic")]
    keyless = [upstream.name for upstream in relayed if upstream.api_key is None]
    return Check("ok", f"without a key of their own: {', '.join(sorted(keyless))}" if keyless else "")


def _missing_files(found: PolicySet) -> str | None:
    """Model files of this machine that are not there; one that a repository names is fetched when it is needed."""
    faults = [
        f"upstream {upstream.name}: model {name}: there is no file {model.path}; put it there or correct its path"
        for upstream in found.upstreams.values()
        for name, model in upstream.models.items()
        if model.path is not None and not model.path.expanduser().is_file()
    ]
    return "; ".join(faults) or None


async def state_check(settings: Settings, source: PolicySource) -> Check:
    """Whether what is measured of local models can be kept."""
    if not any(upstream.kind == "llama_cpp" for upstream in source.current.upstreams.values()):
        return Check("off", "only models on this machine have a state that is kept")
    return await asyncio.to_thread(folder_check, settings)


def folder_check(settings: Settings) -> Check:
    """The same, whatever the upstreams are."""
    folder = settings.state_dir or default_folder()
    if _writable(folder):
        return Check("ok", str(folder))
    text = f"{folder} cannot be written, so each start measures anew: make it writable, or set MOOS_STATE_DIR"
    return Check("degraded", text)


async def limits_check(source: PolicySource, gate: Gate) -> Check:
    """Whether workers share limits and budgets."""
    current = source.current
    keys = [key.allowance for key in current.keys.entries]
    if not any(allowance.bounded for allowance in (*current.allowances.values(), *keys)):
        return Check("off", "no team and no key has limits or a budget")
    reason = gate.tally.alone
    if reason is not None:
        return Check("degraded", f"{gate.tally.where}: {reason}; each worker takes its share until it is back")
    return Check("ok", gate.tally.where)


def _writable(folder: Path) -> bool:
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
