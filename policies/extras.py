"""Upstream kinds whose library is an extra of the package, and how to get it where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

from moosproxy.policies.resolve import PolicySet

# kind -> (module, extra)
_EXTRAS = {"litellm": ("litellm", "providers"), "transformers": ("peft", "soft")}


def missing_extra(kind: str) -> str | None:
    """What to do about a library that this kind needs and that is not installed; None if all is there."""
    module, extra = _EXTRAS.get(kind, (None, ""))
    if module is None or find_spec(module) is not None:
        return None
    checkout = f" (in a checkout: make {extra})" if extra == "providers" else ""
    return f"kind {kind} needs an extra that is not installed: pip install 'moosproxy[{extra}]'{checkout}"


def lacking(found: PolicySet) -> str | None:
    """The same for a whole set, with the names of the upstreams."""
    for kind in _EXTRAS:
        names = [name for name, upstream in found.upstreams.items() if upstream.kind == kind]
        reason = missing_extra(kind) if names else None
        if reason is not None:
            return f"upstream {', '.join(sorted(names))}: {reason}"
    return None
