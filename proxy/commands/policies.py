"""`moos policy`, with what only the proxy can look at: models on this machine and their compressors."""

from __future__ import annotations

from moosproxy.policies.cli import FURTHER_LOOKS, policy
from moosproxy.policies.resolve import PolicySet

__all__ = ["policy"]


def _soft_models(found: PolicySet) -> list[str]:
    from moosproxy.proxy.upstreams.transformers.checking import faults

    return faults(found, convert=False)


FURTHER_LOOKS.append(_soft_models)
