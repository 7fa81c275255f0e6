"""NB2 regression on rows of data: moments, what statsmodels fits, and the law of chains."""

import jax
import numpy as np
import pandas as pd
import pytest
from rows import FRAME, N, loop
from scipy import stats

import mcjax
from mcjax.laws.first_order.population_path import Populations

MODEL = mcjax.nb2()
READERS = np.array([0.3, 0.5, -0.4, -0.5]), np.array([-0.2, 0.1, 0.2, 0.3])
COUNTS = np.arange(150.0)


def data_for(frame=FRAME, **choices):
    return mcjax.Data.from_frame(frame, "count", covariates=("a", "b"), **choices)


def masses(x, v):
    """Probabilities of counts at each row, by SciPy's distribution, over the number of rows."""
    k = np.exp(-v[-1])
    return stats.nbinom.pmf(COUNTS, k, k / (k + np.exp(x @ v[:-1]))[:, None]) / len(x)


def by_rows(x, reader):
    """Scores and Hessians of the loss at each row and each count, (n, Y, p) and (n, Y, p, p)."""

    def loss(theta, x, y):
        return MODEL.loss(MODEL.params, theta, x, y)

    def at(derivative):
        over_counts = jax.vmap(derivative, (None, None, 0))
        every = jax.jit(jax.vmap(over_counts, (None, 0, None)))
        return np.asarray(every(reader, x, COUNTS))

    return at(jax.grad(loss)), at(jax.hessian(loss))


@pytest.mark.parametrize("kind", ["real", "model"])
def test_moments_are_sums_over_rows_and_counts(kind):
    """All counts of a row that a model generates count by their probability."""
    made = mcjax.condition(loop(200), MODEL, data=data_for())
    x, v = made.data.x, READERS[1]
    if kind == "real":
        population = Populations(made).of(1, made.theta[None])
        mass = (made.data.y[:, None] == COUNTS) / N
    else:
        population, mass = Populations(made).of(0, v[None]), masses(x, v)
    scores, hessians = by_rows(x, READERS[0])
    others = by_rows(x, v)[0]
    close = {"rtol": 1e-7, "atol": 1e-9}
    found = population.score(READERS[0])
    np.testing.assert_allclose(found.mean, np.einsum("nk,nka->a", mass, scores), **close)
    np.testing.assert_allclose(found.by_reader, np.einsum("nk,nkab->ab", mass, hessians), **close)
    means = [np.einsum("nk,nka->a", mass, s) for s in (scores, others)]
    spread = np.einsum("nk,nka,nkb->ab", mass, scores, others) - np.outer(*means)
    np.testing.assert_allclose(population.covariance(READERS[0], v), spread, **close)
    if kind == "real":
        metric = np.diag([1.0, 2.0, 0.5, 1.5]) + 0.1
        moments, inside = population.slope_moments(READERS[0], metric), hessians @ metric
        square = np.einsum("nk,nkab->ab", mass, inside @ hessians)
        np.testing.assert_allclose(moments.square, square, **close)
        cube = np.einsum("nk,nkaa->", mass, inside @ inside @ inside)
        np.testing.assert_allclose(moments.cube, cube, rtol=1e-7)
        return
    step = 1e-4
    moved = [(masses(x, v + step * e) - masses(x, v - step * e)) / (2 * step) for e in np.eye(4)]
    by_parent = np.einsum("cnk,nka->ac", moved, scores)
    np.testing.assert_allclose(population.by_parent(READERS[0]), by_parent, rtol=1e-6, atol=1e-7)


@pytest.mark.statistical
def test_the_truth_of_a_file_is_what_statsmodels_fits():
    sm = pytest.importorskip("statsmodels.api")
    data = mcjax.Data.from_file("statsmodels:randhie", standardise=True)
    theta = mcjax.condition(loop(5000), MODEL, data=data).theta
    fit = sm.NegativeBinomial(data.y, data.x, loglike_method="nb2")
    start = np.append(theta[:-1], np.exp(theta[-1])) * 1.01
    found = fit.fit(start, disp=0, method="newton", tol=1e-14, maxiter=100).params
    np.testing.assert_allclose(theta[:-1], found[:-1], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(np.exp(theta[-1]), found[-1], rtol=1e-8)


@pytest.mark.statistical
def test_the_law_holds_and_that_of_a_wrong_information_does_not():
    """A third of the rows are 0 whatever their covariates, which the model does not know."""
    rng = np.random.default_rng(3)
    mean = np.exp(1.2 + 0.4 * FRAME["a"] + 0.2 * FRAME["b"])
    frame = FRAME.assign(count=rng.poisson(mean) * (rng.random(N) > 1 / 3))
    condition = mcjax.condition(loop(500), MODEL, data=data_for(frame))
    score = Populations(condition).of(1, condition.theta[None]).score(condition.theta)

    def of_model(_, generations):
        first = np.linalg.inv(score.by_reader) / 1000
        covariance = [first]
        for _ in range(generations):
            covariance.append(first + covariance[-1] / 4)
        return None, np.array(covariance)

    law = mcjax.user_law(of_model, name="of the model")
    study = mcjax.Study(
        (condition,), generations=1, chains=2048, tolerance=0.25, quantities=("covariance",)
    )
    found = {cell.law: cell.verdict for cell in mcjax.verify(study, laws=[law]).cells}
    assert found == {"first_order": "verified", "of the model": "refuted"}


def test_rows_that_tell_nothing_of_the_dispersion_have_no_law():
    """Their variance is above their mean by 0.02% of it."""
    like_poisson, above = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [0, 0, 1, 1, 2, 2, 2, 3, 4, 5]
    frame = pd.DataFrame({"count": above + 999 * like_poisson, "a": np.arange(10_000) // 10 % 2})
    made = mcjax.condition(loop(20), MODEL, data=mcjax.Data.from_frame(frame, "count"))
    [prediction] = mcjax.predict(mcjax.Study((made,), generations=1))
    assert "over the spread of estimates" in prediction.inapplicable["first_order"]


def test_counts_no_more_spread_than_their_means_are_advised_of_poisson():
    rng = np.random.default_rng(0)
    for count, advice in ((rng.binomial(4, 0.5, N), 'set name = "poisson"'), (0, "ridge = 0.01")):
        with pytest.raises(mcjax.InputError, match=r"\(separated\)") as caught:
            mcjax.condition(loop(100), MODEL, data=data_for(FRAME.assign(count=count)))
        assert advice in str(caught.value)
        assert ("poisson" in str(caught.value)) == ("poisson" in advice)
