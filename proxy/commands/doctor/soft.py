"""What `moos doctor` says about models of kind `transformers`: the extra, the weights, the compressors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from moosproxy.policies.extras import missing_extra
from moosproxy.proxy.observing.readiness import Check

if TYPE_CHECKING:
    from moosproxy.policies.fields.soft import HfModel
    from moosproxy.policies.model import Upstream
    from moosproxy.proxy.settings import Settings


def soft_models(settings: Settings, upstream: Upstream) -> Iterator[tuple[str, Check]]:
    """One line a model. No weights are loaded; a GGUF file is dequantised, which takes its time once."""
    missing = missing_extra(upstream.kind)
    if missing is not None:
        yield f"upstream {upstream.name}", Check("missing", missing)
        return
    for name, model in upstream.hf_models.items():
        yield f"model {name}", _model(settings, model)


def _model(settings: Settings, model: HfModel) -> Check:
    from moosproxy.compressor.soft.weights.fitting import configs
    from moosproxy.proxy.upstreams.transformers.checking import model_faults

    found = model_faults(model, settings.state_dir)
    if found:
        return Check("missing", "; ".join(found))
    made = [f"{config.method} at {_listed(config.ratios)}" for config in configs(model.compressors)]
    return Check("ok", f"{model.path.name}; {', '.join(made) or 'no compressors: texts stay text'}")


def _listed(ratios: tuple[int, ...]) -> str:
    return ", ".join(f"{ratio}x" for ratio in sorted(ratios))
