"""Fine-tuned models in networks that change: verdicts and rates by phase, by the law's own path."""

import numpy as np
import optax
import pytest

import mcjax
from mcjax.laws.first_order.fine_tuning import StepsOfModels, systems_of
from mcjax.laws.first_order.linear_system import covariances
from mcjax.network import Feed

THETA, CURVATURE = (1.0, -0.5), np.diag([1.0, 0.2])
UNIT = np.trace(np.linalg.inv(CURVATURE))


def made(feeds, rate=0.5, k=3, optimizer=None, **settings):
    estimator = mcjax.Optax(optimizer or optax.sgd(rate), k, name="steps", **settings)
    names = sorted({feed.reader for feed in feeds})
    network = mcjax.build_network(names, feeds, initial=100)
    return mcjax.condition(
        network, mcjax.linear(), THETA, covariance=CURVATURE, estimator=estimator
    )


RESET = [Feed("a", "a", 50), Feed("real", "a", 50, every=3)]
PASSED_BY = [Feed("b", "a", 100, every=2), Feed("real", "b", 100, every=2)]
PASSED_BY += [Feed("real", "a", 100, every=2, first=2), Feed("a", "b", 100, every=2, first=2)]
PARKED = [Feed("b", "a", 100, every=2), Feed("a", "b", 100, every=2, first=2)]
CASES = {
    "real data every third generation": (RESET, {"start": "own"}),
    "passed by its real data": (PASSED_BY, {"start": "own"}),
    "passed by, from new parameters": (PASSED_BY, {"start": "parents", "k": 200}),
    "either rests": (PARKED, {"start": "own"}),
    "either rests, at a base": (PARKED, {"start": "base"}),
    "a reader": ([*RESET, Feed("a", "b", 40, every=2)], {"start": "own"}),
}
DOOMED = {"either rests", "passed by, from new parameters"}


@pytest.mark.parametrize("name", CASES)
def test_phases_follow_the_law_generation_by_generation(name):
    feeds, settings = CASES[name]
    condition = made(feeds, **settings)
    diagnosis = mcjax.diagnose(condition)
    length = condition.network.later.turns
    system, _ = next(systems_of(condition, StepsOfModels(condition)))
    late = 400 * length
    path = covariances(system, late + length)
    own = np.diagonal(path, axis1=1, axis2=2).reshape(len(path), -1, 2)
    traces = own.sum(2) / UNIT
    assert diagnosis.collapses == (name in DOOMED)
    for i, verdict in enumerate(diagnosis.models.values()):
        assert len(verdict.phases) == length
        for phase in verdict.phases:
            t = late + phase.phase + 1
            slope = (traces[t, i] - traces[t - length, i]) / length
            assert phase.collapses == (slope > 1e-7)
            if phase.collapses:
                assert phase.growth == pytest.approx(slope, rel=1e-6)
            else:
                assert phase.limit == pytest.approx(traces[t, i], rel=1e-6)
    assert "spectral radius" in diagnosis.note
    assert bool(diagnosis.unstable_sources) == bool(diagnosis.repairs) == diagnosis.collapses


def test_own_parameters_open_what_passes_real_data_by():
    """A start at own parameters lets in what a model has of real data from the phase before."""
    own, refit = (
        mcjax.diagnose(made(PASSED_BY, start="own")),
        mcjax.diagnose(made(PASSED_BY).network),
    )
    assert (own.collapses, refit.collapses) == (False, True)


def test_steps_that_overshoot_explode_in_every_phase():
    feeds = [Feed("a", "a", 50), Feed("real", "a", 50, every=2)]
    verdict = mcjax.diagnose(made(feeds, rate=2.1, k=4, start="own")).models["a"]
    assert verdict.explodes
    assert [phase.collapses for phase in verdict.phases] == [True, True]
    assert verdict.growth is None
    assert verdict.radius > 1


def test_steps_that_overshoot_explode_on_real_data_alone():
    """The cycle is that of a model's own parameters."""
    feeds = [Feed("real", "a", 50, every=2), Feed("real", "a", 80, every=2, first=2)]
    verdict = mcjax.diagnose(made(feeds, rate=2.1, k=4, start="own")).models["a"]
    assert verdict.explodes
    assert verdict.radius == pytest.approx(1.1**4)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"start": "own", "optimizer": optax.adam(0.1)}, "no linear law"),
        ({"start": "base", "base": (2.0, 0.0)}, "moves centres"),
        ({"start": "own", "optimizer": optax.sgd(0.5, 0.5), "state": "carried"}, "begins anew"),
    ],
)
def test_what_is_not_known_says_why(settings, reason):
    diagnosis = mcjax.diagnose(made(RESET, **settings))
    assert diagnosis.collapses is None
    assert reason in diagnosis.inapplicable
    assert "rates of phases" not in diagnosis.inapplicable  # one reason, and not two
    network = mcjax.build_network(["a"], RESET, initial=100)
    assert not mcjax.diagnose(network).collapses
