"""Few programs, and not much padding."""

import numpy as np
import pytest

from mcjax.engine.buckets import SMALL, buckets


def work(sizes, runs):
    """What the programs compute."""
    return sum(
        len(run) * max(SMALL, max(sizes[i][0] for i in run) * max(sizes[i][1] for i in run))
        for run in runs
    )


@pytest.mark.parametrize("seed", range(20))
def test_padding_is_bounded_and_no_two_programs_could_be_one(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    models, rows = rng.integers(1, 9, count), 2 ** rng.integers(1 + 4 * (seed % 2), 14, count)
    sizes = list(zip(models.tolist(), rows.tolist(), strict=True))
    found = buckets(sizes)
    assert sorted(i for run in found for i in run) == list(range(count))
    allowed = 2 * work(sizes, [[i] for i in range(count)])
    assert work(sizes, found) <= allowed
    for i in range(len(found)):
        for j in range(i):
            others = [run for k, run in enumerate(found) if k not in (i, j)]
            assert work(sizes, [*others, found[i] + found[j]]) > allowed


def test_small_conditions_share_one_program():
    assert buckets([(1, 2), (4, 200), (2, 64)]) == [[0, 1, 2]]
    assert buckets([(1, 50_000), (4, 200), (2, 64)]) == [[0], [1, 2]]


def test_many_conditions_take_a_handful():
    sizes = [(m, 100 * 2**s) for m in range(1, 9) for s in range(8) for _ in range(10)]
    assert len(buckets(sizes)) <= 6


def test_small_conditions_buy_no_padding_of_large_ones():
    """However little they need, each counts for as much together as it does alone."""
    sizes = [(1, k) for k in range(2, 42)] + [(1, 14_000)] * 4 + [(1, 60_000)]
    assert buckets(sizes) == [list(range(40)), [40, 41, 42, 43], [44]]
