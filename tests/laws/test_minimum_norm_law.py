"""The law of minimum-norm least squares: known values, random projectors, the engine."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.laws.least_squares.minimum_norm import MinimumNorm
from mcjax.models.location import linear
from mcjax.models.minimum_norm import minimum_norm
from mcjax.network import Source, build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

P = 10
THETA = np.r_[0.8, 0.6, np.zeros(P - 2)]
LAW = MinimumNorm()
T = 3


def loop(samples=6, initial=6, **options):
    return topologies.self_loop(samples=samples, initial=initial, **options)


def test_noise_free_error_bias_and_spread():
    """n / p = 0.6: the mean squared error, and not the squared length of the bias, is 1 - 0.6^g."""
    found = LAW.predict(condition(loop(), minimum_norm(), THETA), 3)
    np.testing.assert_allclose(found.mse[:, 0], [0.4, 0.64, 0.784, 0.8704])
    bias = (found.mean[:, 0] ** 2).sum(-1)
    np.testing.assert_allclose(bias, found.mse[:, 0] ** 2)
    spread = np.trace(found.covariance, axis1=1, axis2=2)
    np.testing.assert_allclose(bias + spread, found.mse[:, 0])
    np.testing.assert_allclose(found.limit, [1.0])


def brute_force(sigma, counts, chains, seed=0):
    """Errors of a chain of fits by the pseudo-inverse, (chains, fits, P)."""
    rng = np.random.default_rng(seed)
    theta = np.broadcast_to(THETA, (chains, P))
    errors = []
    for n in counts:
        x = rng.normal(size=(chains, n, P))
        y = np.einsum("cnp,cp->cn", x, theta) + sigma * rng.normal(size=(chains, n))
        theta = np.einsum("cpn,cn->cp", np.linalg.pinv(x), y)
        errors.append(theta - THETA)
    return np.array(errors).swapaxes(0, 1)


@pytest.mark.parametrize(("initial", "samples"), [(6, 6), (20, 6), (6, 20), (3, 5)])
def test_moments_against_brute_force(initial, samples, z_limit):
    """Every entry of the second moments, and one wrong sample count."""
    sigma, chains = 0.5, 4000
    errors = brute_force(sigma, [initial] + [samples] * 2, chains)
    products = errors[..., :, None] * errors[..., None, :]
    error = products.std(0, ddof=1) / np.sqrt(chains)

    def off(n):
        found = LAW.predict(condition(loop(n, initial), minimum_norm(sigma), THETA), 2)
        outer = found.mean[:, 0, :, None] * found.mean[:, 0, None, :]
        return np.abs(products.mean(0) - found.covariance - outer) / error

    assert off(samples).max() < z_limit
    assert off(18 if samples == 20 else samples - 1)[1:].max() > z_limit


NETWORKS = {  # squared errors have a variance where rows are below p - 3 or above p + 3
    "loop": loop(5, 5),
    "chain": topologies.chain(3, samples=4, initial=20),
    # reads real data; reads that; both read a frozen model
    "readers": build_network(
        5, [("real", "1", 5), ("1", "2", 3), ("0", "3", 4), ("0", "4", 20)], 5
    ),
}


def study(covariance=None):
    conditions = tuple(
        condition(net, minimum_norm(0.5, real_noise="laplace"), THETA, covariance, label=name)
        for name, net in NETWORKS.items()
    )
    return Study(conditions, generations=T, chains=2048, tolerance=0.15)


def test_the_engine_agrees_and_wrong_laws_do_not(z_limit):
    own = study(2 * np.eye(P))
    outcomes = [tally.outcome for tally in api.simulate(own)]
    predictions = api.predict(own)
    assert [list(p.laws) for p in predictions] == [[LAW.name]] * 3
    verdicts = [c.verdict for c in api.judge(own, predictions, outcomes).cells]
    assert verdicts.count(VERIFIED) > len(verdicts) / 2  # the rest have too heavy tails to judge
    assert REFUTED not in verdicts
    for prediction, outcome in zip(predictions, outcomes, strict=True):
        found, product = prediction.laws[LAW.name], outcome.moments.product
        mean = found.mean.reshape(T + 1, -1)
        second = found.covariance + mean[:, :, None] * mean[:, None, :]
        off = np.abs(product.mean - second)
        assert (off < z_limit * product.standard_error() + 1e-12).all()
    biased = [
        replace(
            p, laws={LAW.name: replace(p.laws[LAW.name], mse=(p.laws[LAW.name].mean ** 2).sum(-1))}
        )
        for p in predictions
    ]
    verdicts = [c.verdict for c in api.judge(own, biased, outcomes).cells]
    assert verdicts.count(REFUTED) > len(verdicts) / 2
    assert VERIFIED not in verdicts
    plain = api.predict(study())  # noise as if covariates had variance 1
    assert REFUTED in {c.verdict for c in api.judge(own, plain, outcomes).cells}


@pytest.mark.parametrize("name", NETWORKS)
def test_limits_are_those_of_the_recursion(name):
    found = LAW.predict(condition(NETWORKS[name], minimum_norm(0.5), THETA), 200)
    np.testing.assert_allclose(found.limit, found.mse[-1])
    assert np.isnan(found.growth).all()


def test_growth_and_waves():
    grows = LAW.predict(condition(loop(14), minimum_norm(0.5), THETA), 50)
    np.testing.assert_allclose(grows.growth, grows.mse[-1] - grows.mse[-2])
    assert np.isnan(grows.limit).all()
    exact = LAW.predict(condition(loop(14, 14), minimum_norm(0.5), THETA), 2)
    plain = api.predict(Study((condition(loop(14, 14), linear(0.5), THETA),), generations=2))[0]
    np.testing.assert_allclose(exact.covariance, plain.laws["finite_sample"].covariance, atol=1e-15)
    ring = build_network(
        2, [("0", "1", 14), ("1", "0", 14)], {"0": 4, "1": 6}
    )  # no noise: they take turns
    turns = LAW.predict(condition(ring, minimum_norm(), THETA), 3)
    np.testing.assert_allclose(turns.mse[:, 0], [0.6, 0.4, 0.6, 0.4])
    assert np.isnan(turns.limit).all()


@pytest.mark.parametrize(
    ("net", "options", "reason"),
    [
        (loop(real=6), {}, "reads 2 origins"),
        (loop(10), {}, "10 rows for 10 parameters"),
        (build_network(1, [("s", "0", 6)], 6, sources=[Source("s")]), {}, "several real sources"),
        (loop(), {"design": "fixed"}, "fixed"),
        (loop(), {"covariance": np.diag([2.0] + [1.0] * 9)}, "isotropic"),
    ],
)
def test_inapplicable(net, options, reason):
    assert reason in LAW.applies(condition(net, minimum_norm(0.5), THETA, **options)).sentence
    heavy = minimum_norm(0.5, noise={"name": "student_t", "df": 2})
    assert "variance" in LAW.applies(condition(loop(), heavy, THETA)).sentence


def test_first_order_law_wants_rows():
    own = Study((condition(loop(), minimum_norm(0.5), THETA),), generations=2)
    prediction = api.predict(own)[0]
    assert "6 rows for 10 parameters" in prediction.inapplicable["first_order"]
    many = Study((condition(loop(400, 400), minimum_norm(0.5), THETA),), generations=2)
    laws = api.predict(many)[0].laws
    assert set(laws) == {"first_order", "finite_sample", LAW.name}
    np.testing.assert_allclose(laws["finite_sample"].mse, laws[LAW.name].mse)
