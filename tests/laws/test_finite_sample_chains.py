"""The exact law of least squares against chains, and errors planted in it, which are refuted."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from finite_sample_cases import ALPHA, limit, random_covariance, random_network, unusual

from mcjax import api
from mcjax.models.location import linear
from mcjax.network import REAL, Feed, build_network
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

NETWORKS, BUDGET = 50, 1e-3  # networks against simulation, and the same chance for all of them
PARAMETERS = range(2, 11)


@cache
def random_study(p):
    """The networks with p parameters, of the 50."""
    conditions = []
    for k in range(p - PARAMETERS[0], NETWORKS, len(PARAMETERS)):
        rng = np.random.default_rng([5, k])
        covariance = random_covariance(rng, p) if k % 2 else None
        model = linear(sigma=float(rng.uniform(0.5, 2.0)))
        net = random_network(rng, p)
        conditions.append(condition(net, model, rng.standard_normal(p), covariance, str(k)))
    return Study(tuple(conditions), generations=3 + p % 2)


def simulated(study):
    return [tally.outcome for tally in api.simulate(study)]


def scores(predictions, outcomes, name="finite_sample"):
    """How many standard errors MSEs and second moments are off a law, an array a condition."""
    result = []
    for found, outcome in zip(predictions, outcomes, strict=True):
        expected = found.laws[name]
        product, squared = outcome.moments.product, outcome.moments.squared
        assert (squared.chains == outcome.chains).all()
        lower = np.tril_indices(product.mean.shape[1])
        mse = (squared.mean - expected.mse) / squared.standard_error()
        entries = (product.mean - expected.covariance) / product.standard_error()
        result.append(np.append(mse, entries[:, *lower]))
    return result


def agrees(study, budget):
    found = scores(api.predict(study), simulated(study))
    bound = limit(sum(map(len, found)), budget)
    off = {c.name: np.abs(z).max() for c, z in zip(study.conditions, found, strict=True)}
    assert max(off.values()) < bound, off


@pytest.mark.parametrize("p", [2, 4, 6])
def test_random_networks(p):
    """The MSE of every model and every entry of the second moments, at every generation."""
    agrees(replace(random_study(p), chains=8192), BUDGET / len(PARAMETERS))


@pytest.mark.slow
@pytest.mark.parametrize("p", PARAMETERS)
def test_fifty_random_networks(p):
    agrees(replace(random_study(p), chains=100_000), BUDGET / len(PARAMETERS))


NOISES = {
    "real noise of another variance": linear(real_noise={"name": "laplace"}),
    "no normal noise at all": linear(
        sigma=0.6,
        noise={"name": "contaminated_normal", "share": 0.2},
        real_noise={"name": "student_t", "df": 9},
    ),
}


@pytest.mark.parametrize("name", NOISES)
def test_noise_matters_through_its_variance(name):
    """Rows, for want of sufficient statistics; in every network somebody reads real data."""
    conditions = []
    for k in range(2):
        rng = np.random.default_rng([6, k])
        net = random_network(rng, 3)
        kept = [f for f in net.feeds if (f.origin, f.reader) != (REAL, "0")]
        net = net.with_feeds((*kept, Feed(REAL, "0", 9)))
        covariance = random_covariance(rng, 3)
        conditions.append(condition(net, NOISES[name], np.ones(3), covariance, str(k)))
    agrees(Study(tuple(conditions), generations=3, chains=8192), ALPHA)


def test_networks_with_options_that_do_not_matter():
    conditions = [condition(n, linear(), np.ones(3), label=key) for key, n in unusual().items()]
    agrees(Study(tuple(conditions), generations=4, chains=16_384), ALPHA)


# ----------------------------------------------------------------------------------- planted errors


@cache
def planted():
    """Two models with two parents each, one with real data, and what their chains do."""
    feeds = [("0", "0", 10), ("1", "0", 10), ("0", "1", 10), (REAL, "1", 10)]
    one = condition(build_network(2, feeds, 20), linear(), np.ones(8))
    study = Study((one,), generations=3, chains=65_536)
    return study, simulated(study)


def worst(law_of, name="finite_sample"):
    """Largest score, in units of the largest that is allowed."""
    study, outcomes = planted()
    (found,) = scores(api.predict(law_of(study)), outcomes, name)
    return np.abs(found).max() / limit(len(found))


def with_network(change):
    def law_of(study):
        (one,) = study.conditions
        return replace(study, conditions=(replace(one, network=change(one.network)),))

    return law_of


def test_the_right_law_is_not_refuted():
    assert worst(lambda study: study) < 1


def test_first_order_law_is_refuted():
    assert worst(lambda study: study, "first_order") > 5


@pytest.mark.parametrize("feed", range(4))
def test_a_count_that_is_off_by_a_tenth_is_refuted(feed):
    def change(net):
        feeds = list(net.feeds)
        feeds[feed] = replace(feeds[feed], samples=11)  # not 10
        return net.with_feeds(feeds)

    assert worst(with_network(change)) > 2
