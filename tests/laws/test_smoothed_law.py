"""The exact law of smoothed frequencies: enumeration, simulation, wrong laws."""

import numpy as np
import pytest
from two_class_outcomes import NETWORKS, outcomes

import mcjax
from mcjax.errors import InputError
from mcjax.laws.predict import predict_condition
from mcjax.study.study import condition

TRUTH = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
N, H = 60, 30
ZOO = mcjax.build_network(
    4,
    [
        *[("0", "0", N), ("0", "1", H), ("real", "1", H)],
        *[("2", "2", H), ("real", "2", H), ("2", "3", N)],
    ],
    initial=N,
)
RING = mcjax.build_network(
    4,
    [
        *[("2", "0", 42), ("real", "0", 18), ("0", "1", N), ("1", "2", N)],
        *[("0", "3", H), ("1", "3", H)],
    ],
    initial=N,
)


def law_of(net, theta, smoothing, generations):
    """The law of smoothed frequencies, or without smoothing that of plain ones."""
    model = mcjax.unigram(smoothing) if smoothing else mcjax.categorical()
    found = predict_condition(condition(net, model, theta), generations).laws
    return found["smoothed" if smoothing else "generative"]


FORGETS = [name for name, net in NETWORKS.items() if net.memory.current_only]


@pytest.mark.parametrize("name", FORGETS)
def test_every_outcome_of_two_classes(name):
    net, truth, alpha = NETWORKS[name], np.array([0.3, 0.7]), 0.4
    law = law_of(net, truth, alpha, 2)
    for t, states in enumerate(outcomes(net, truth[0], 2, alpha)):
        error = np.array([state for state, _ in states]) - truth[0]
        chance = np.array([chance for _, chance in states])
        centred = error - chance @ error
        np.testing.assert_allclose(chance @ error, law.mean[t, :, 0], atol=1e-12)
        mine = law.covariance[t, ::2, ::2]
        np.testing.assert_allclose((centred.T * chance) @ centred, mine, atol=1e-12)
        left = 2 * chance @ ((truth[0] + error) * (truth[1] - error))
        np.testing.assert_allclose(law.functionals["heterozygosity"][t], left, atol=1e-12)


def test_accumulated_data_have_no_law():
    net = NETWORKS["accumulate"]
    found = predict_condition(condition(net, mcjax.unigram(1.0), [0.3, 0.7]), 2)
    assert "accumulate" in found.inapplicable["smoothed"]
    assert not found.laws


def test_little_smoothing_is_none():
    """Also of more than two classes, whose covariances are not those of two."""
    for net in (ZOO, RING):
        little, none = (law_of(net, TRUTH, alpha, 5) for alpha in (1e-9, 0))
        np.testing.assert_allclose(little.covariance, none.covariance, atol=1e-10)


def test_limits_are_those_of_many_generations():
    late = law_of(RING, TRUTH, 0.5, 2000)
    np.testing.assert_allclose(late.limit, late.mse[-1], rtol=1e-9)
    assert np.isnan(law_of(ZOO, TRUTH, 1e-6, 1).limit[0])  # not settled in any time worth a wait


def test_smoothing_is_a_positive_number():
    for wrong in (0, -1.0, float("nan")):
        with pytest.raises(InputError, match=r"family\.smoothing: is .* above 0"):
            mcjax.unigram(wrong)


@pytest.mark.statistical
@pytest.mark.parametrize("net", [ZOO, RING], ids=["zoo", "ring"])
def test_chains_follow_the_law(net, z_limit):
    """First and second moments of all models; two wrong laws beside it."""
    alpha, generations = 2.0, 8
    case = condition(net, mcjax.unigram(alpha), TRUTH)
    study = mcjax.Study((case,), generations=generations, chains=4096)
    [result] = mcjax.simulate(study)
    moments = result.outcome.moments
    law = law_of(net, TRUTH, alpha, generations)

    def largest(other):
        bias = (moments.error.mean - other.bias) / moments.error.standard_error()
        mse = (moments.squared.mean - other.mse) / moments.squared.standard_error()
        return max(np.abs(bias).max(), np.abs(mse).max())

    assert largest(law) < z_limit
    assert largest(law_of(net, TRUTH, 0, generations)) > 2 * z_limit
    # as if smoothing added rows of real data
    assert largest(_as_real_rows(net, alpha, generations)) > 2 * z_limit


def _as_real_rows(net, alpha, generations):
    extra = round(alpha * len(TRUTH))
    feeds = [(f.origin, f.reader, f.samples) for f in net.feeds if f.origin != "real"]
    for model in net.models:
        real = sum(f.samples for f in net.feeds if f.reader == model and f.origin == "real")
        feeds.append(("real", model, real + extra))
    other = mcjax.build_network(net.models, feeds, initial=N + extra)
    return law_of(other, TRUTH, 0, generations)
