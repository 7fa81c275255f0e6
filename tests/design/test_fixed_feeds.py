"""Real feeds of one size, against every set of as many feeds."""

import itertools
import math

import numpy as np
import pytest
from designs import CHAIN, LOOPS, READER, STAR, designed, random_response

from mcjax.design.aims import LargestError, MeanError
from mcjax.design.amounts import FixedFeeds
from mcjax.design.room import Room
from mcjax.errors import InputError


def cases(count):
    """Yield random responses with a number of feeds that may end all collapse."""
    rng = np.random.default_rng(11)
    while count:
        response = random_response(rng, most=6, frozen=0.1)
        free = np.flatnonzero(response.fits)
        least = max(len(response.groups), 1)
        if len(free) > least:
            count -= 1
            yield response, int(rng.integers(least, len(free))), int(rng.integers(5, 60))


@pytest.mark.parametrize("kind", [MeanError, LargestError])
def test_sets_of_feeds_are_nearly_the_best_and_above_the_bound(kind):
    ratios = []
    for response, count, size in cases(60):
        models = len(response.given)
        aim = kind(np.full(models, 1 / models))
        amounts = FixedFeeds(aim, count, size)
        high = np.where(response.fits, np.inf, 0.0)
        whole = Room(np.ones(models), np.zeros(models), high, math.inf)
        groups = [list(group) for group in response.groups]
        room = amounts.room(whole, groups, tuple(map(str, range(models))))
        found, state = amounts.best(response, room, groups)
        assert sorted(state.rows.tolist()) == [0.0] * (models - count) + [size] * count
        values = []
        for some in itertools.combinations(np.flatnonzero(response.fits), count):
            rows = np.zeros(models)
            rows[list(some)] = size
            values.append(aim.value(response, response.at(rows).errors, 0.0))
        best = min(values)
        assert found.bound <= best * (1 + 1e-9)
        assert best * (1 - 1e-9) <= found.value < math.inf
        ratios.append(found.value / best)
    assert np.mean(np.array(ratios) < 1 + 1e-9) > 0.95
    assert max(ratios) < 1.01


def test_the_loop_comes_first_and_then_its_readers(tmp_path):
    allocation = designed(tmp_path, STAR, "feeds = 3\nsize = 100")
    rows = [share.rows for share in allocation.shares.values()]
    assert rows[0] == 100
    assert sorted(rows[1:]) == [0, 0, 0, 100, 100]
    assert allocation.given == "for 3 real feeds of 100 rows"
    assert allocation.to_json()["guarantee"] == pytest.approx(1 - math.exp(-1))
    assert allocation.objective.bound < allocation.objective.after
    assert allocation.objective.after == pytest.approx(allocation.objective.rows)


def test_nothing_is_guaranteed_of_the_largest_error(tmp_path):
    allocation = designed(tmp_path, CHAIN, 'feeds = 2\nsize = 50\nobjective = "max"')
    assert allocation.to_json()["guarantee"] == 0


def test_feeds_that_are_robust_are_among_them(tmp_path):
    allocation = designed(tmp_path, READER, 'feeds = 2\nsize = 50\nrobust = "added"')
    assert [offer.reader for offer in allocation.bought] == ["0"]
    assert [share.rows for share in allocation.shares.values()] == [50, 50]


@pytest.mark.parametrize(
    ("feeds", "design", "words"),
    [
        (LOOPS, "feeds = 1\nsize = 10", "design.feeds: is 1, and 2 are needed"),
        (LOOPS, "feeds = 3\nsize = 10", "design.feeds: is 3, and 2 models may have one more"),
        (LOOPS, "feeds = 2", "design.size: is missing, and feeds is given"),
        (LOOPS, "feeds = 2\nsize = 10\nbudget = 5", "design.budget: and feeds exclude"),
        (LOOPS, "feeds = 2\nsize = 10\ncosts = 2", "design.costs: are given"),
        (LOOPS, "feeds = 2\nsize = 10\nat_most = 5", "without a feed of 10 rows"),
        (RING := [(0, 1, 9), (1, 0, 9)], 'feeds = 1\nsize = 9\nrobust = "real"', "2 are needed"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, feeds, design, words):
    with pytest.raises(InputError, match=words):
        designed(tmp_path, feeds, design)
