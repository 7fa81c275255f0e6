"""The first-order law of models that take k steps from a start, against published check values.

The values are 1000 times mean squared errors of least squares with curvatures 1, 0.3 and 0.03 at
1000 rows a fit. They were computed by another program, in whose generation 0 the covariance of an
estimate is that of n - p - 1 rows, as it exactly is.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np
import optax
import pytest

import mcjax
from mcjax.estimators.starts import Starts
from mcjax.laws.first_order.batch_noise import batch_noise
from mcjax.laws.first_order.fine_tuning import StepsOfModels
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.linear_system import covariances, means
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.step_maps import StepMap
from mcjax.laws.first_order.trained import Trained

CURVATURE, ROWS, P = np.diag([1.0, 0.3, 0.03]), 1000, 3
GD = {"transformation": optax.sgd(0.5), "steps": 4, "name": "sgd(0.5)"}
OWN = mcjax.Optax(**GD, start="own")
LOOP = [("a", "a", 1000)]
HALF = [("a", "a", 500), ("real", "a", 500)]


def pipeline(feeds, estimator=OWN, initial=ROWS, theta=(0.0, 0.0, 0.0), covariance=CURVATURE):
    if not isinstance(initial, dict):
        initial = {name: initial for feed in feeds for name in feed[:2] if name != "real"}
    network = mcjax.build_network(list(initial), feeds, initial=initial)
    return mcjax.condition(
        network, mcjax.linear(), theta, covariance=covariance, estimator=estimator
    )


def system_of(condition, exact=True, training=None):
    """Return the system; if ``exact``, with the covariance of n - p - 1 rows at generation 0."""
    information, _ = information_of(condition)
    training = StepsOfModels(condition) if training is None else training
    system = linear_system(condition.network, information, training=training)
    rows = np.repeat(np.array(condition.network.initial, float), system.p)
    factor = np.sqrt(rows / (rows - system.p - 1)) if exact else np.ones(len(rows))
    return replace(system, initial=system.initial * np.outer(factor, factor))


def errors(condition, generations, model=0):
    """Return 1000 times the MSE of a model at generations 0 to T."""
    system = system_of(condition)
    covariance, mean = covariances(system, generations), means(system, generations)
    own = slice(model * P, (model + 1) * P)
    return 1000 * (
        np.trace(covariance[:, own, own], axis1=1, axis2=2) + (mean[:, model] ** 2).sum(1)
    )


HEAVY = mcjax.Optax(optax.sgd(0.3, momentum=0.9), 6, start="own")
DECAY = mcjax.Optax(
    optax.chain(optax.sgd(0.5), optax.add_decayed_weights(-0.5 * 0.1)), 4, start="own"
)
BASE = {"a": 1000, "checkpoint": 300}
FROM_BASE = mcjax.Optax(**GD, start={"a": "checkpoint"})


def given(error):
    """Return the estimator that starts at a base whose parameters all have this error."""
    return mcjax.Optax(**GD, start="base", base=[error] * P)


CASES = {
    "loop": (pipeline(LOOP), 0, {1: 39.573, 5: 46.594, 20: 72.922}),
    "loop, half real": (pipeline(HALF), 0, {1: 35.509, 5: 28.495, 20: 14.589}),
    "ring": (pipeline([("a", "b", 1000), ("b", "a", 1000)]), 0, {1: 34.089, 5: 30.181, 20: 39.083}),
    "reader of the loop": (
        pipeline([*LOOP, ("a", "b", 500), ("real", "b", 500)]),
        1,
        {1: 32.767, 5: 23.568, 20: 18.570},
    ),
    "base of 300 rows": (
        pipeline(LOOP, FROM_BASE, BASE),
        0,
        {1: 106.39, 5: 128.66, 20: 133.54, 60: 135.47},
    ),
    "loop that begins at an anchored model": (
        pipeline([*LOOP, ("b", "b", 500), ("real", "b", 500)], mcjax.Optax(**GD, start={"a": "b"})),
        0,
        {1: 34.089, 5: 33.628, 20: 21.537, 60: 12.765},
    ),
    "heavy ball": (pipeline(HALF, HEAVY), 0, {1: 37.232, 5: 26.270, 20: 14.887}),
    "steps that overshoot from a base": (
        pipeline(LOOP, mcjax.Optax(optax.sgd(1.5), 1, start={"a": "checkpoint"}), BASE),
        0,
        {1: 112.95, 5: 431.2, 10: 20295},
    ),
    "ring of a refit and a start at a base": (
        pipeline(
            [("a", "b", 1000), ("b", "a", 1000)],
            mcjax.Optax(**GD, start={"a": "refit", "b": "checkpoint"}),
            {"a": 1000, "b": 1000, "checkpoint": 300},
        ),
        0,
        {1: 75.48, 5: 162.6, 20: 175.0, 60: 180.4},
    ),
    "decay": (
        pipeline(LOOP, DECAY, theta=(-0.2, -0.2, -0.2)),
        0,
        {1: 29.702, 5: 43.954, 60: 126.91},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_mean_squared_errors(case):
    condition, model, values = CASES[case]
    found = errors(condition, max(values), model)
    for t, value in values.items():
        digits = len(str(value).partition(".")[2])
        assert abs(found[t] - value) <= 0.6 * 10**-digits, (t, found[t], value)


class Preconditioned:
    """Steps of gradient descent with a matrix for each of two models, which do not commute."""

    starts, first, states = Starts(np.array([0, 1], np.int32), None), None, 0

    def __call__(self, data):
        first = 0.5 * np.array([[1, 0.4, 0.1], [0.4, 0.6, 0.2], [0.1, 0.2, 0.8]])
        second = 0.4 * np.array([[0.5, -0.2, 0], [-0.2, 1, 0.3], [0, 0.3, 1.2]])
        steps = [np.eye(P) - scale @ CURVATURE for scale in (first, second)]
        kept = [np.linalg.matrix_power(step, k) for step, k in zip(steps, (3, 6), strict=True)]
        gain = [(np.eye(P) - left) @ np.linalg.inv(CURVATURE) for left in kept]
        nothing = np.zeros((2, P, P))
        return Trained(
            np.array(kept), np.array(gain), noise=nothing, drift=nothing[0, :2], starts=self.starts,
            base=np.zeros((2, P)),
        )  # fmt: skip


def test_a_ring_whose_steps_do_not_commute():
    condition = pipeline([("a", "b", 1000), ("b", "a", 1000)])
    found = covariances(system_of(condition, training=Preconditioned()), 20)
    mse = 1000 * np.trace(found[[1, 5, 20], :P, :P], axis1=1, axis2=2)
    np.testing.assert_allclose(mse, [35.528, 31.546, 32.985], atol=6e-4)


def test_a_base_that_is_given():
    """The values are of a base of a million rows, whose covariance is added."""
    base = {"a": 1000, "checkpoint": 10**6}
    of_base = errors(pipeline(LOOP, FROM_BASE, base), 60) - errors(pipeline(LOOP, given(0.0)), 60)
    condition = pipeline(LOOP, given(0.05))
    found = errors(condition, 60) + of_base
    np.testing.assert_allclose(found[[1, 5, 60]], [6.454, 10.185, 15.792], atol=0.0006)
    np.testing.assert_allclose(
        means(system_of(condition), 60)[60, 0], [0.0490, 0.05, 0.05], atol=6e-5
    )


LONG_RUN = {
    "loop": ("growth", [1.75521e-3]),
    "ring": ("growth", [0.87761e-3, 0.87761e-3]),
    "reader of the loop": ("growth", [1.75521e-3, 0.43880e-3]),
    "loop, half real": ("limit", [5.01859e-3]),
}


@pytest.mark.parametrize("case", LONG_RUN)
def test_growth_and_limits(case):
    field, values = LONG_RUN[case]
    law = FirstOrder().predict(CASES[case][0], 1)
    other = {"growth": law.limit, "limit": law.growth}[field]
    np.testing.assert_allclose(getattr(law, field), values, rtol=1e-5)
    assert np.isnan(other).all()


def test_bases_bound_errors():
    """The limit is that of a chain that runs for long, and a base holds the mean."""
    for condition in (pipeline(LOOP, FROM_BASE, BASE), pipeline(LOOP, given(0.05))):
        law = FirstOrder().predict(condition, 2000)
        assert np.isnan(law.growth).all()
        np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-9)
    np.testing.assert_allclose(law.mean[-1, 0], 0.05, rtol=1e-9)
    own = mcjax.Optax(**GD, start="base")  # each model's own parameters of generation 0
    law = FirstOrder().predict(pipeline(LOOP, own), 2000)
    np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-9)
    alone = FirstOrder().predict(pipeline(LOOP, FROM_BASE, {"a": 1000, "checkpoint": 1000}), 50)
    assert law.mse[1, 0] > alone.mse[1, 0]  # base and parent are one estimate, and not two


def test_no_steps_and_many_steps():
    """Steps of no size keep what there was, and very many steps are a refit."""
    still = mcjax.Optax(optax.sgd(0.0), 3, start="own")
    np.testing.assert_allclose(np.ptp(FirstOrder().predict(pipeline(HALF, still), 5).mse), 0.0)
    many = mcjax.Optax(optax.sgd(1.0), 3000, start="own")
    refit = FirstOrder().predict(pipeline(HALF, None), 5)
    fitted = FirstOrder().predict(pipeline(HALF, many), 5)
    np.testing.assert_allclose(fitted.covariance, refit.covariance, rtol=1e-9, atol=1e-15)
    assert fitted.limit == pytest.approx(refit.limit)
    chosen = FirstOrder().predict(pipeline(HALF, mcjax.Optax(**GD, start={"a": "refit"})), 5)
    np.testing.assert_allclose(chosen.covariance, refit.covariance, rtol=1e-12)


def batches(momentum=None, rate=0.05, steps=20, feeds=(("a", "a", 400),), **settings):
    """Return 400 times the MSE at generation 20 of batches of 20 of 400 rows."""
    estimator = mcjax.Optax(optax.sgd(rate, momentum=momentum), steps, start="own", **settings)
    condition = pipeline(feeds, estimator, 400, theta=(0.0, 0.0), covariance=np.diag([1.0, 0.2]))
    return 400 * np.trace(covariances(system_of(condition, exact=False), 20)[20])


@pytest.mark.system
def test_batches():
    """Values of an epoch, of several, of draws with replacement, and of momentum."""
    half = (("a", "a", 200), ("real", "a", 200))
    found = [
        batches(),
        batches(batch_size=20),
        batches(batch_size=20, replacement=True),
        batches(batch_size=20, steps=60, feeds=half),
        batches(batch_size=20, steps=60, feeds=half, batches="same_order"),
        batches(steps=60, feeds=half),
        batches(batch_size=20, feeds=half),
        batches(0.9, 0.01, 40, batch_size=20),
    ]
    expected = [17.547, 18.265, 29.78, 3.865, 3.922, 3.806, 1.876, 61.24]
    np.testing.assert_allclose(found, expected, atol=0.006)
    assert batches(batch_size=400) == pytest.approx(batches())
    assert batches(batch_size=1000) == pytest.approx(batches())


def test_ragged_batches_and_parts_of_passes():
    """The weights that rows have in steps, over all orders, give the noise by its definition.

    In the same order, the fourth step is of the rows of the first.
    """
    rows, batch, steps, rng = 5, 2, 4, np.random.default_rng(0)
    gains, score = rng.normal(size=(steps, 2, 2)), np.diag([1.0, 2.0])
    weights = np.zeros((120, rows, steps))
    orders = list(permutations(range(rows)))
    for o, order in enumerate(orders):
        for s in range(3):  # the first pass, whose last batch is of one row
            chosen = order[s * batch : (s + 1) * batch]
            weights[o, list(chosen), s] = 1 / len(chosen)
    first = weights[:, 0]  # of a row in the steps of a pass; the second pass is independent
    second = np.zeros_like(first)
    second[:, 3] = first[:, 0]
    products = np.einsum("os,or->sr", first, first) / 120
    products += np.einsum("os,or->sr", second, second) / 120
    products += np.outer(first.mean(0), second.mean(0)) + np.outer(second.mean(0), first.mean(0))
    expected = rows * np.einsum("sr,sab,bc,rdc->ad", products, gains, score, gains)
    steps_map = StepMap(np.eye(2), gains.sum(0), np.zeros(2), gains)
    base = gains.sum(0) @ score @ gains.sum(0).T / rows
    found = base + batch_noise(steps_map, score, rows, batch)
    np.testing.assert_allclose(found, expected)
    weights[:, :, 3] = weights[:, :, 0]
    products = np.einsum("ors,ort->st", weights, weights) / 120 / rows
    expected = rows * np.einsum("sr,sab,bc,rdc->ad", products, gains, score, gains)
    found = base + batch_noise(steps_map, score, rows, batch, "same_order")
    np.testing.assert_allclose(found, expected)


SENTENCES = {
    "full batches of adam": (
        mcjax.Optax(optax.adam(0.1), 4, name="adam(0.1)", start="own"),
        "the steps of adam(0.1) have no linear law",
    ),
    "rounding errors that are multiplied": (
        mcjax.Optax(optax.sgd(100.0), 4, start="own"),
        "from the minimum by 1e+08, and rounding errors with it",
    ),
    "divergence": (mcjax.Optax(optax.sgd(1e250), 4, start="own"), "steps of the optimiser diverge"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_where_the_law_does_not_apply(case):
    estimator, sentence = SENTENCES[case]
    few = [("a", "a", 20), ("real", "a", 20)]
    study = mcjax.Study((pipeline(few, estimator, 40),), generations=2, chains=2)
    [found] = mcjax.predict(study)
    assert not found.laws
    assert sentence in found.inapplicable["first_order"]


def test_other_laws_are_for_refits():
    """No law but the one of steps speaks about them."""
    study = mcjax.Study((pipeline(HALF),), generations=2, chains=2)
    [found] = mcjax.predict(study, laws=["second_order", "surrogate"])
    assert list(found.laws) == ["first_order"]
    assert "does not minimise the loss" in found.inapplicable["finite_sample"]


BEHIND = mcjax.Optax(**GD)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_starts_at_the_parameters_behind_the_data(share):
    """What they keep of the start is what a refit takes from the parents: only noise is damped."""
    real = round(share * ROWS)
    feeds = [("a", "a", ROWS - real), *([("real", "a", real)] if real else [])]
    law = FirstOrder().predict(pipeline(feeds, BEHIND), 6)
    kept = (1 - 0.5 * np.diag(CURVATURE)) ** 4
    fit = (1 - kept) ** 2 / np.diag(CURVATURE) / ROWS
    expected = [sum((1 - share) ** (2 * k) for k in range(t + 1)) * fit.sum() for t in range(7)]
    np.testing.assert_allclose(law.mse[:, 0], expected, rtol=1e-9)
    if share:
        np.testing.assert_allclose(law.limit, fit.sum() / (1 - (1 - share) ** 2), rtol=1e-9)
    else:
        np.testing.assert_allclose(law.growth, fit.sum(), rtol=1e-9)


def test_shifts_behind_the_data_are_followed_whatever_the_steps():
    """Real data that are shifted are fitted in full from a start there, and in generation 0."""
    root = np.sqrt(ROWS)
    source = mcjax.Source("other", samples=ROWS, shift=tuple([0.1 * root] * P))
    first = [("other", "a", ROWS)]
    network = mcjax.build_network(["a"], first, first=first, sources=[source])
    condition = mcjax.condition(
        network, mcjax.linear(), [0.0] * P, covariance=CURVATURE, estimator=BEHIND
    )
    mean = FirstOrder().predict(condition, 2).mean
    np.testing.assert_allclose(mean, 0.1, rtol=1e-9)


class Refit:
    """The law of refits, whatever the estimator."""

    name, reference, exact = "refit", "none", False

    def applies(self, condition):
        return None

    def predict(self, condition, generations):
        return FirstOrder().predict(replace(condition, estimator=None), generations)


@pytest.mark.statistical
@pytest.mark.parametrize("case", ["loop", "loop, half real", "base of 300 rows", "behind"])
def test_simulation_agrees_and_refutes_the_law_of_refits(case):
    condition = pipeline(HALF, BEHIND) if case == "behind" else CASES[case][0]
    study = mcjax.Study((condition,), generations=4, chains=2048, tolerance=0.2)
    result = mcjax.verify(study)
    assert result.verdict == "verified"
    assert not result.failures
    assert mcjax.verify(study, laws=[Refit()]).verdict == "refuted"
