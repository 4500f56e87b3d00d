"""What is wrong with models of kind `transformers` and their compressors, told before a request meets it.

Reads files, and loads no weights. Importing this needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from moosproxy.policies.fields.soft import HfModel, wire_fault
from moosproxy.policies.model import Upstream
from moosproxy.policies.resolve import PolicySet


def faults(found: PolicySet, state: Path | None = None, *, convert: bool = True) -> list[str]:
    """One line for each. convert: whether GGUF files are dequantised for it, which may take minutes.

    Where not, models that are not on this machine are passed over, too.
    """
    lines: list[str] = []
    for upstream in found.upstreams.values():
        for name, model in upstream.hf_models.items():
            if convert or model.path.exists():
                said = model_faults(model, state, convert=convert) or _unsendable(upstream, model)
                lines += [f"upstream {upstream.name}: model {name}: {fault}" for fault in said]
    return lines or list(dict.fromkeys(_in_vain(found)))


def model_faults(model: HfModel, state: Path | None = None, *, convert: bool = True) -> list[str]:
    """Of one model, in words without its name."""
    try:
        from moosproxy.compressor.soft.weights.fitting import faults as of_files
    except ImportError as missing:
        return [f"kind transformers needs an extra: pip install 'moosproxy[soft]' ({missing.name} is missing)"]
    return of_files(model.path, model.compressors, state, convert=convert)


def _unsendable(upstream: Upstream, model: HfModel) -> list[str]:
    """Compressors whose memory cannot go where the upstream sends it."""
    from moosproxy.compressor.soft.weights.fitting import configs

    found = [wire_fault(config.method, upstream.soft_wire) for config in configs(model.compressors)]
    return [fault for fault in found if fault is not None]


def _in_vain(found: PolicySet) -> Iterator[str]:
    """Routes whose policy asks for what no model of their upstream was trained for."""
    for rules in found.rules.values():
        for rule in rules:
            upstream, soft = rule.decision.upstreams[0], rule.decision.policy.soft
            if upstream.kind != "transformers" or soft is None or not rule.decision.policy.enabled:
                continue
            trained = _trained(upstream)
            if trained is not None and soft.ratio not in trained.get(soft.method, ()):
                known = ", ".join(f"{name} {_listed(ratios)}" for name, ratios in sorted(trained.items()))
                has = f"upstream {upstream.name} has {known or 'no compressor'}"
                yield f"route {rule.decision.route}: soft asks for {soft.method} at {soft.ratio}x; {has}"


def _trained(upstream: Upstream) -> dict[str, set[int]] | None:
    """Method -> ratios, over all models of the upstream; None where that cannot be told."""
    try:
        from moosproxy.compressor.soft.errors import SoftError
        from moosproxy.compressor.soft.weights.fitting import configs
    except ImportError:
        return None
    trained: dict[str, set[int]] = {}
    try:
        for model in upstream.hf_models.values():
            for config in configs(model.compressors):
                trained.setdefault(config.method, set()).update(config.ratios)
    except SoftError:
        return None
    return trained


def _listed(ratios: set[int]) -> str:
    return "/".join(f"{ratio}x" for ratio in sorted(ratios))
