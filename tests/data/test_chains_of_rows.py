"""Chains draw rows of data by position, and fit them."""

import numpy as np
import pytest
from rows import FRAME, data_for, loop
from scipy import stats

import mcjax
from mcjax.draws.samplers import place_below


def study_of(data, network, model=None, **settings):
    condition = mcjax.condition(network, model or mcjax.linear(), data=data)
    return mcjax.Study((condition,), **{"generations": 2, "chains": 64} | settings)


def fed(study, chain):
    """Return the rows of all feeds of a chain, generation by generation."""
    return list(mcjax.replay_data(study, "", chain, mcjax.replay(study, "", chain)))


@pytest.fixture(scope="module")
def redrawn():
    """Return a study and the rows that a chain of it was fed."""
    sources = [mcjax.Source("late", data=data_for("linear", FRAME[200:]))]
    feeds = [("real", "a", 61), ("a", "a", 80), ("late", "a", 40)]
    network = mcjax.build_network(["a"], feeds, initial=150, sources=sources)
    study = study_of(data_for("linear"), network)
    return study, fed(study, 5)


def places_of(data, x):
    """Return for each row the row of data with its covariates."""
    same = (data.x[None] == x[:, None]).all(2)
    assert (same.sum(1) == 1).all()
    return same.argmax(1)


@pytest.mark.system
def test_real_rows_are_rows_of_the_file(redrawn):
    study, generations = redrawn
    [condition] = study.conditions
    late = condition.network.sources[0].data
    for t, origin, data, count in (
        (0, "real", condition.data, 150),
        (1, "real", condition.data, 61),
        (1, "late", late, 40),
    ):
        rows = generations[t][0][origin]
        assert rows.y.shape == (count,)
        np.testing.assert_array_equal(data.y[places_of(data, rows.x.T)], rows.y)


def test_rows_of_models_have_covariates_of_the_file_and_labels_of_the_model(redrawn):
    study, generations = redrawn
    data = study.conditions[0].data
    theta = mcjax.replay(study, "", 5).theta[0, 0]
    rows = generations[1][0]["a"]
    assert not (data.y[places_of(data, rows.x.T)] == rows.y).any()
    assert stats.kstest(rows.y - theta @ rows.x, "norm").pvalue > 1e-6


def test_every_generation_draws_anew(redrawn):
    study, (_, first, second) = redrawn
    data = study.conditions[0].data
    places = [places_of(data, rows[0]["real"].x.T) for rows in (first, second)]
    assert (places[0] == places[1]).mean() < 0.1


def test_fits_are_of_these_rows(redrawn):
    study, generations = redrawn
    theta = mcjax.replay(study, "", 5).theta
    for t, generation in enumerate(generations):
        x, y = (
            np.concatenate([getattr(rows, k).T for rows in generation[0].values()]) for k in "xy"
        )
        np.testing.assert_allclose(theta[t, 0], np.linalg.lstsq(x, y)[0], rtol=1e-7)


def test_chains_do_not_depend_on_their_number(redrawn):
    study, _ = redrawn
    [tally] = mcjax.simulate(study)
    theta = mcjax.replay(study, "", 5).theta[-1, 0]
    error = (theta - study.conditions[0].theta).astype("f4")
    np.testing.assert_array_equal(tally.outcome.sample[5, 0], error)


@pytest.mark.system
def test_reused_rows_are_those_of_generation_0():
    feeds = [("real", "a", 150), ("a", "a", 81)]
    network = mcjax.build_network(["a"], feeds, initial=150, real="reused")
    first, second, _ = fed(study_of(data_for("linear"), network), 0)
    np.testing.assert_array_equal(first[0]["real"].x, second[0]["real"].x)
    np.testing.assert_array_equal(first[0]["real"].y, second[0]["real"].y)


def test_places_are_products_of_64_bits():
    rng = np.random.default_rng(1)
    words = np.append(rng.integers(0, 2**32, 999), [0, 2**32 - 1]).astype("u4")
    for size in (1, 2, 300, 65_537, 2**31 - 1):
        found = np.asarray(place_below(words, np.uint32(size)))
        np.testing.assert_array_equal(found, words.astype("u8") * size >> 32)


WRONG = {
    "theta": ({"theta": [1.0, 2, 3]}, "family.theta: is what fits the data"),
    "covariance": ({"covariance": np.eye(3)}, "covariates.covariance: is that of the data"),
    "design": ({"design": "fixed"}, "covariates.design: is 'random'"),
    "own": ({"own_covariances": {"0": np.eye(3)}}, "covariates.models: are those of the data"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_go_with_data(case):
    given, problem = WRONG[case]
    with pytest.raises(mcjax.InputError, match=problem):
        mcjax.condition(loop(100), mcjax.linear(), data=data_for("linear"), **given)


def test_labels_that_no_model_generates():
    with pytest.raises(mcjax.InputError, match=r"data.target: has 300 labels other than 0 and 1"):
        mcjax.condition(loop(100), mcjax.logistic(), data=data_for("linear"))
    with pytest.raises(mcjax.InputError, match="no whole numbers of at least 0"):
        mcjax.condition(loop(100), mcjax.poisson(), data=data_for("linear"))


def test_separated_labels_have_no_fit():
    apart = FRAME.assign(answer=FRAME["a"] > 0)
    rows = data_for("logistic", apart)
    with pytest.raises(mcjax.InputError, match=r"all 300 rows \(separated\)") as caught:
        mcjax.condition(loop(100), mcjax.logistic(), data=rows)
    assert "set penalty = { ridge = 0.01 } in [family]" in str(caught.value)
    penalised = mcjax.penalised(mcjax.logistic(), ridge=0.01)  # as it is told
    assert np.isfinite(mcjax.condition(loop(100), penalised, data=rows).theta).all()
    with pytest.raises(mcjax.InputError, match="a Firth penalty"):
        mcjax.condition(loop(100), mcjax.penalised(mcjax.logistic(), firth=True), data=rows)


def test_real_feeds_are_whole():
    feeds = [mcjax.Feed("real", "a", 100, keep=mcjax.Flip(0.1))]
    network = mcjax.build_network(["a"], feeds, initial=100)
    with pytest.raises(mcjax.InputError, match=r"network.feeds.keep: is for rows that models"):
        mcjax.condition(network, mcjax.logistic(), data=data_for("logistic"))


def test_subsamples_are_not_of_data():
    with pytest.raises(mcjax.InputError, match=r"network.memory: is for models without data"):
        study_of(data_for("linear"), loop(100, memory="subsample"))
