"""Sums of errors by random signs, against the sums themselves."""

import numpy as np
import pytest
from designs import RING, designed, free_room
from scipy.optimize import approx_fprime

import mcjax
from mcjax.design import aims, design_file
from mcjax.design.response import Response
from mcjax.design.sampled import SampledResponse
from mcjax.design.weighted import smallest_sum
from mcjax.errors import InputError


def both(rng, size, reads, frozen=0):
    """Return the two responses of one random network, and their weights."""
    feeds = [
        (str(j), str(i), int(rng.integers(20, 200)))
        for i in range(size - frozen)
        for j in sorted(set(rng.integers(0, size, reads).tolist()))
    ]
    net = mcjax.build_network(size, feeds, initial=50)
    weights = rng.uniform(0.5, 1.5, size)
    weights[0] = 0.0
    on = np.ones(size, bool)
    return Response(net, on, ~on), SampledResponse(net, on, ~on, weights), weights


def test_the_mean_over_all_signs_is_the_sum(monkeypatch):
    """Of eight models there are 2^8 signs."""
    monkeypatch.setattr("mcjax.design.sampled.SETTLED", 1e-24)
    rng = np.random.default_rng(4)
    exact, sampled, weights = both(rng, 8, 3, frozen=2)
    sampled._signs = np.array(np.meshgrid(*[(-1.0, 1.0)] * 8)).reshape(8, -1) / 16
    rows = np.where(exact.fits, rng.uniform(5, 40, 8), 0.0)
    state, known = sampled.at(rows), exact.at(rows)
    counted = weights > 0
    assert state.errors[counted] == pytest.approx(known.errors[counted])
    slope = exact.gradient(known, weights)
    assert sampled.gradient(state, weights) == pytest.approx(slope, rel=1e-8)
    assert sampled.kappa() == pytest.approx(exact.kappa())


def test_the_gradient_is_that_of_differences():
    rng = np.random.default_rng(5)
    _, sampled, weights = both(rng, 6, 2, frozen=1)
    rows = np.where(sampled.fits, rng.uniform(5, 40, 6), 0.0)

    def value(rows):
        return weights[1:] @ sampled.at(rows).errors[1:]

    slope = sampled.gradient(sampled.at(rows), weights)
    assert slope == pytest.approx(approx_fprime(rows, value, 1e-4), rel=1e-4, abs=1e-12)


@pytest.mark.system
def test_allocations_of_many_models_are_nearly_the_best():
    rng = np.random.default_rng(6)
    exact, sampled, weights = both(rng, 105, 3)
    room = free_room(exact, 105 * 20.0, rng)
    best = smallest_sum(exact, room, weights)
    found = smallest_sum(sampled, room, weights)
    true = weights @ exact.at(found.state.rows).errors
    even = weights @ exact.at(room.even).errors
    assert best.value * (1 - 1e-6) < true < best.value * 1.003
    assert true < even * 0.99
    assert found.value - found.bound < 2e-4 * found.value


def test_a_design_of_many_models_says_that_it_is_an_estimate(tmp_path, monkeypatch):
    monkeypatch.setattr(aims, "MOST_RESOLVED", 3)
    answer = designed(tmp_path, RING, "budget = 120").to_json()
    assert not answer["certified"]
    assert "random signs" in answer["doubt"]
    assert answer["objective"]["bound"] <= answer["objective"]["after"]
    assert sum(share["rows"] for share in answer["real"].values()) == 120
    assert np.isnan(answer["mse"]["0"]["after"])  # null in JSON
    with pytest.raises(InputError, match="are shared, and a design of more than 3 models"):
        designed(tmp_path, RING, "budget = 120", 'draws = "shared"')


def test_what_settles_too_slowly_is_not_known(tmp_path, monkeypatch):
    """A ring with one real row in 10,001; a budget for as many real rows as others, or for few."""
    monkeypatch.setattr(aims, "MOST_RESOLVED", 3)
    slow = [(i, (i + 1) % 4, 10_000) for i in range(4)]
    real = ["[[network.feeds]]\nfrom = 'real'\nto = '0'\nsamples = 1"]
    feeds = [f"[[network.feeds]]\nfrom = '{j}'\nto = '{i}'\nsamples = {n}" for j, i, n in slow]
    head = ["[network]", "models = 4", "initial = 100", *feeds, *real, "[design]"]
    path = tmp_path / "slow.toml"
    path.write_text("\n".join([*head, "budget = 40_000"]))
    objective = design_file(path).objective
    assert np.isnan(objective.before)
    assert 0 < objective.after < 1e-3
    path.write_text("\n".join([*head, "budget = 4"]))
    with pytest.raises(InputError, match="settles in more than 1,000 generations"):
        design_file(path)
