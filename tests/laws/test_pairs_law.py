"""Bigram models: texts, their counts, and the law of frequencies of pairs against chains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.laws.predict import predict_condition
from mcjax.models.bigram import transitions

TRUTH = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3]])
NETWORK = mcjax.build_network(
    4,
    [
        *[("0", "0", 20), ("0", "1", 10), ("real", "1", 10)],
        *[("2", "2", 10), ("real", "2", 10), ("2", "3", 20)],
    ],
    initial=20,
)


def case(smoothing, truth=TRUTH, network=NETWORK, length=50):
    return mcjax.condition(network, mcjax.bigram(length, smoothing), truth.ravel())


def pair_errors(condition, generations):
    return predict_condition(condition, generations).functionals["pairs"].values["pair_error"]


def test_texts_visit_symbols_as_often_as_told(z_limit):
    model = mcjax.bigram(length=30)
    words = np.random.default_rng(0).integers(0, 2**32, (2, 4000), np.uint32)
    draw = jax.vmap(model.sample, (None, None, None, 0))
    theta = jnp.asarray(TRUTH.ravel())
    texts = np.asarray(draw({}, theta, jnp.zeros(0), (words[0], words[1]))).astype(int)
    before = np.concatenate([np.zeros((4000, 1), int), texts[:, :-1]], axis=1)
    visits = np.stack([(before == symbol).sum(1) for symbol in range(3)], axis=1)
    error = visits.std(0) / np.sqrt(4000)
    assert np.abs((visits.mean(0) - model.generative.visits(TRUTH.ravel())) / error).max() < z_limit
    pairs = np.array([np.bincount(before[texts == d], minlength=3) for d in range(3)]).T
    share = pairs / pairs.sum(1, keepdims=True)
    spread = np.sqrt(TRUTH * (1 - TRUTH) / pairs.sum(1, keepdims=True))
    assert np.abs((share - TRUTH) / spread).max() < z_limit


def test_fits_are_smoothed_frequencies():
    """Of two texts with weights; a symbol that never occurs is followed by all alike."""
    model, y = mcjax.bigram(length=4, smoothing=0.5), np.array([[1, 1, 0, 0], [0, 1, 0, 1]])
    rows = mcjax.Dataset(jnp.zeros((0, 2)), jnp.asarray(y.T, float), jnp.array([1.0, 2.0]))
    found = model.estimator.fit(model, rows, jnp.asarray(TRUTH.ravel()), jax.random.key(0))
    counts = np.array([[1 + 2, 1 + 2 * 2, 0], [1 + 2, 1, 0], [0, 0, 0]]) + 0.5
    expected = counts / counts.sum(1, keepdims=True)
    np.testing.assert_allclose(transitions(np.asarray(found.theta)), expected)


def test_one_text_of_one_symbol_is_a_unigram():
    """The rows after symbol 0 are all there is of it, so the law is the exact one."""
    law = pair_errors(case(0.5, length=1), 4)
    unigram = mcjax.condition(NETWORK, mcjax.unigram(0.5), TRUTH[0])
    exact = predict_condition(unigram, 4).laws["smoothed"].mse
    np.testing.assert_allclose(law, exact, rtol=1e-12)


def test_a_law_of_means_is_called_exact_only_if_it_is():
    told = predict_condition(case(0.5), 1).functionals["pairs"]
    assert not told.exact
    unigram = mcjax.condition(NETWORK, mcjax.unigram(0.5), TRUTH[0])
    assert predict_condition(unigram, 1).functionals["smoothed"].exact


def test_what_is_refused():
    for wrong in ([0.5, 0.5], [0.5, 0.6, 0.5, 0.5], [1.0], np.full(5, 0.2)):
        with pytest.raises(InputError, match=r"family\.theta: must be K times K probabilities"):
            mcjax.condition(NETWORK, mcjax.bigram(), wrong)
    with pytest.raises(InputError, match=r"family\.smoothing: is 0"):
        mcjax.bigram(smoothing=0)
    pool = mcjax.topologies.self_loop(samples=5, initial=5, memory="accumulate")
    told = predict_condition(case(0.5, network=pool), 1)
    assert "accumulate" in told.inapplicable["pairs"]


@pytest.mark.statistical
def test_chains_follow_the_law_more_closely_with_more_text(z_limit):
    """To first order in visits; a law without smoothing, and one of less text, are refuted."""
    generations, departures = 5, []
    for length in (50, 400):
        one = case(5.0 * length / 50, length=length)  # smoothing is the same share
        [tally] = mcjax.simulate(mcjax.Study((one,), generations=generations, chains=2048))
        moments, law = tally.outcome.moments.functional, pair_errors(one, generations)
        mean, error = moments.mean[..., 0], moments.standard_error()[..., 0]
        departures.append(np.abs(mean / law - 1).max())
        # what is left out is of the relative order of symbols over text
        assert np.abs((mean - law) / np.hypot(error, 3 / length * law)).max() < z_limit
        for wrong in (case(1e-9, length=length), case(5.0, length=length // 4)):
            assert np.abs((mean - pair_errors(wrong, generations)) / error).max() > 2 * z_limit
    assert departures[1] < 0.15
