"""Convexity, supermodularity, gradients and bounds, on random networks."""

import itertools

import numpy as np
import pytest
from designs import free_room, random_response

from mcjax import build_network
from mcjax.design.limited import cheapest, smallest_maximum
from mcjax.design.response import CONVEX, Response
from mcjax.design.room import Room
from mcjax.design.weighted import smallest_sum
from mcjax.design.whole_rows import keeping_to_targets, within_budget

KINDS = {
    "private": {},
    "shared": {"shared": True},
    "frozen": {"frozen": 0.3},
    "weights": {"weight": 0.75},
    "heavy": {"weight": 3.0},
}


@pytest.fixture(params=list(KINDS))
def responses(request):
    rng = np.random.default_rng(17)
    return [(random_response(rng, **KINDS[request.param]), rng) for _ in range(6)]


def total(response, weights, rows):
    return float(weights @ response.at(rows).errors)


def random_rows(response, rng):
    return rng.exponential(20, len(response.given)) * response.fits + 0.1 * response.fits


def test_gradients_are_those_of_differences(responses):
    for response, rng in responses:
        weights, rows = rng.random(len(response.given)), random_rows(response, rng)
        gradient = response.gradient(response.at(rows), weights)
        step = 1e-4
        for i in np.flatnonzero(response.fits):
            ahead, behind = rows.copy(), rows.copy()
            ahead[i] += step
            behind[i] -= step
            change = total(response, weights, ahead) - total(response, weights, behind)
            assert gradient[i] == pytest.approx(change / (2 * step), rel=1e-5, abs=1e-12)


def test_errors_are_convex_and_supermodular(responses):
    for response, rng in responses:
        weights = rng.random(len(response.given))
        for _ in range(3):
            one, other = random_rows(response, rng), random_rows(response, rng)
            ends = total(response, weights, one) + total(response, weights, other)
            assert total(response, weights, (one + other) / 2) <= ends / 2 * (1 + 1e-10)
            fitted = np.flatnonzero(response.fits)
            if len(fitted) < 2:
                continue
            i, j = rng.choice(fitted, 2, replace=False)
            first, second = np.zeros((2, len(one)))
            first[i], second[j] = rng.exponential(20, 2)
            corners = [one, one + first, one + second, one + first + second]
            none, a, b, both = (total(response, weights, corner) for corner in corners)
            assert none - a - b + both >= -1e-10 * none
            assert both <= min(a, b) <= none


def test_no_allocation_on_a_grid_undercuts_the_bound():
    rng = np.random.default_rng(3)
    for _ in range(4):
        response = random_response(rng, most=3)
        size = len(response.given)
        weights, room = rng.random(size), free_room(response, 60.0, rng)
        found = smallest_sum(response, room, weights)
        assert found.bound <= found.value * (1 + 1e-12)
        grid = (np.array(k) for k in itertools.product(range(13), repeat=size) if sum(k) == 12)
        values = [total(response, weights, k / 12 * room.budget / room.costs) for k in grid]
        assert min(values) >= found.bound * (1 - 1e-12)
        assert min(values) < found.value * 1.1
        assert found.value / found.bound - 1 < 1e-9


def test_the_bound_holds_wherever_the_search_stops(monkeypatch):
    monkeypatch.setattr("mcjax.design.weighted.MOST_STEPS", 2)
    rng = np.random.default_rng(4)
    for _ in range(4):
        response = random_response(rng)
        weights, room = rng.random(len(response.given)), free_room(response, 60.0, rng)
        stopped = smallest_sum(response, room, weights)
        with monkeypatch.context() as patch:
            patch.setattr("mcjax.design.weighted.MOST_STEPS", 1000)
            best = smallest_sum(response, room, weights).value
        assert stopped.bound <= best * (1 + 1e-12) <= stopped.value * (1 + 2e-12)


def test_models_that_can_be_exchanged_get_the_same():
    """Two copies of a network, side by side."""
    rng = np.random.default_rng(8)
    for _ in range(3):
        feeds = [(j, i, int(rng.integers(5, 60))) for i in range(2) for j in range(2)]
        copies = [(str(j + k), str(i + k), n) for k in (0, 2) for j, i, n in feeds]
        response = Response(build_network(4, copies, 50), np.ones(4, bool), np.zeros(4, bool))
        room = Room(np.ones(4), np.zeros(4), np.full(4, np.inf), 80.0)
        rows = smallest_sum(response, room, np.array([1.0, 2, 1, 2])).state.rows
        assert rows[:2] == pytest.approx(rows[2:], abs=1e-4)


def test_the_smallest_maximum_and_the_cheapest_targets_invert_each_other():
    rng = np.random.default_rng(5)
    for _ in range(3):
        response = random_response(rng, most=4)
        room, counts = free_room(response, 50.0, rng), response.fits
        lowest = smallest_maximum(response, room, counts)
        assert lowest.bound == pytest.approx(lowest.value, rel=1e-6)
        targets = np.full(len(counts), lowest.value)
        found = cheapest(response, room, targets)
        assert found.value == pytest.approx(room.budget, rel=1e-5)
        assert found.bound == pytest.approx(found.value, rel=1e-5)
        assert (found.state.errors <= targets).all()
        whole = keeping_to_targets(response, room, found.state.rows, targets)
        assert (whole.errors <= targets).all()
        assert found.value <= room.costs @ whole.rows <= found.value + room.costs.sum()


def test_whole_rows_are_nearly_the_best_whole_rows():
    """Against all of them: at most a few percent above, and never below the bound."""
    rng = np.random.default_rng(6)
    for _ in range(4):
        response = random_response(rng, most=2)
        room, weights = free_room(response, 25.0, rng), rng.random(len(response.given))
        found = smallest_sum(response, room, weights)
        whole = within_budget(
            response, room, found.state.rows, lambda s, r=response, w=weights: -r.gradient(s, w)
        )
        ranges = [range(int(room.budget // cost) + 1) for cost in room.costs]
        affordable = (np.array(k, float) for k in itertools.product(*ranges))
        best = min(total(response, weights, k) for k in affordable if room.costs @ k <= room.budget)
        assert room.costs @ whole.rows <= room.budget * (1 + 1e-8)
        assert found.bound * (1 - 1e-12) <= best
        assert best * (1 - 1e-12) <= weights @ whole.errors <= best * 1.03


def test_kappa_tells_weights_under_the_root_of_one_half():
    rng = np.random.default_rng(7)
    for weight, convex in ((1.0, True), (0.71, True), (0.7, False), (2.0, True)):
        response = random_response(rng, weight=weight)
        assert (response.kappa() <= CONVEX * response.given * (1 + 1e-9)).all() == convex
