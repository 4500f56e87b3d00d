"""Budgets of groups of units."""

from __future__ import annotations

import time

import numpy as np

from moosproxy.compressor.selection.units.by_units import members


def test_the_units_of_every_group_with_a_budget_in_order() -> None:
    group = np.array([3, -1, 0, 3, 0, -1, 7])

    assert [[2, 4], [0, 3], [6]] == [found.tolist() for found in members(group)]
    assert [] == members(np.array([-1, -1]))
    assert [] == members(np.array([], np.int64))


def test_many_groups_take_linear_time() -> None:
    def seconds(groups: int) -> float:
        began = time.process_time()
        members(np.repeat(np.arange(groups), 3))
        return time.process_time() - began

    seconds(100)
    assert min(seconds(16_000), seconds(16_000)) < 16 * max(seconds(4000), 0.005)
