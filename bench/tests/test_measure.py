"""Rounds alternate their order and report medians."""

import os

from bench.measure import Subject, in_rounds, quantile


def test_subjects_take_turns_in_alternating_order():
    order = []
    subjects = {name: Subject(lambda name=name: order.append(name), os.getpid(), 2) for name in "ab"}
    costs = in_rounds(subjects, rounds=2, postgres=os.getpid())
    assert "".join(order) == "aaaabbbbaabbbbaa"
    assert set(costs) == {"a", "b"}
    assert all(cost.cpu == cost.server + cost.postgres and cost.p50 <= cost.p95 for cost in costs.values())


def test_quantiles_of_few_values():
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([3, 1, 2], 0.95) == 3
    assert quantile([7], 0.5) == 7
