"""The optimiser for matrices takes the steps that torch's own takes, without its rounding to bfloat16."""

from __future__ import annotations

import pytest
import torch

from moosproxy.compressor.soft.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(32, 32), (64, 24), (24, 64)])
def test_its_steps_are_those_of_torch_up_to_rounding(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    start, target = torch.randn(shape), torch.randn(shape)
    ends = []
    for kind in (Muon, torch.optim.Muon):
        weight = torch.nn.Parameter(start.clone())
        optimizer = kind([weight], lr=0.02, weight_decay=0.1)
        for _ in range(10):
            ((weight - target) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        ends.append(weight.detach())
    moved = (ends[1] - start).norm()

    assert (ends[0] - ends[1]).norm() < 0.03 * moved


def test_its_directions_are_about_orthogonal() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(40, 20)))

    assert 0.5 < values.min() and values.max() < 1.5


def test_its_state_is_saved_and_loaded() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(8, 8))
    optimizer = Muon([weight], lr=0.1)
    weight.grad = torch.randn(8, 8)
    optimizer.step()
    other = Muon([weight], lr=0.1)
    other.load_state_dict(optimizer.state_dict())

    assert torch.equal(other.state[weight]["momentum"], optimizer.state[weight]["momentum"])
