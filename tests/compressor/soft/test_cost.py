"""Counted arithmetic against torch's own counter, and against the published figures."""

from __future__ import annotations

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen2Config, Qwen2ForCausalLM

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.evaluation import cost
from moosproxy.compressor.soft.evaluation.cost import SHAPES, Shape
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import build
from tests.compressor.soft.conftest import SHAPE, ids

COUNTERS = {"icformer": cost.icformer, "icae": cost.icae, "sac": cost.sac}


@pytest.mark.parametrize("length", [20, 47])
@pytest.mark.parametrize("method", ["icformer", "icae", "sac"])
def test_the_formulas_agree_with_torch_s_counter(method: str, length: int) -> None:
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE, attn_implementation="eager"))
    base = FrozenModel(model, "tiny")
    compressor = build(base, SoftConfig(method, (4,), chunk=20, rank=4, alpha=8))  # type: ignore[arg-type]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        compressor.compress(ids(1, length), 4)

    options = {} if method == "icformer" else {"rank": 4}
    counted = COUNTERS[method](Shape.of(base.config), length, 4, chunk=20, **options)  # type: ignore[operator]
    # The counter also sees the rotary angles, an outer product.
    assert counter.get_total_flops() == pytest.approx(counted, rel=0.01)


def test_ic_former_takes_the_published_share_of_icae_s_arithmetic_at_7b() -> None:
    shape = SHAPES["llama-2-7b"]

    assert 0.263e12 == pytest.approx(cost.icformer(shape, 512, 4), rel=0.01)
    assert 32 == pytest.approx(cost.icae(shape, 512, 4, rank=0) / cost.icformer(shape, 512, 4), rel=0.03)


def test_cost_is_linear_in_length() -> None:
    shape = SHAPES["qwen2.5-0.5b"]

    assert 8 * cost.icformer(shape, 512, 4) == cost.icformer(shape, 4096, 4)
    assert 8 * cost.icae(shape, 512, 4) == cost.icae(shape, 4096, 4)
