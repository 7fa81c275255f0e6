"""Truths at a distance of h / sqrt(n): the first-order law of means and covariances."""

from dataclasses import replace

import pytest

from mcjax import api
from mcjax.models.glm import logistic, poisson
from mcjax.network import Source, build_network
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

CASES = {"logistic": (logistic(), (6.0, -3.0), 1), "poisson": (poisson(), (2.0, -1.0), 2)}
FLAT = ((1.0, 0.5), (0.5, 0.25))


def rungs(name):
    model, shift, size = CASES[name]
    far = Source("far", samples=100 * size, shift=shift)
    flat = Source("flat", samples=100 * size, covariance=FLAT, public=True)
    feeds = [("0", "0", 100), ("far", "0", 100), ("flat", "0", 100)]
    feeds += [("0", "1", 100), ("flat", "1", 100), ("real", "1", 100)]
    first = [("far", "0", 100), ("real", "0", 100)]
    net = build_network(
        2,
        [(*feed[:2], feed[2] * size) for feed in feeds],
        {"1": 200 * size},
        sources=[far, flat],
        first=[(*feed[:2], feed[2] * size) for feed in first],
    )
    return ladder(condition(net, model, [0.5, -0.3]), [1, 4, 16, 64])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_ladder_verifies_mean_and_covariance(name):
    """The limit of every MSE, means included; means and covariances at the largest size. That of
    the whole truth, or of half the shift, is refuted."""
    quantities = ("mse", "bias", "covariance")
    study = Study(rungs(name), generations=2, chains=8192, tolerance=0.15, quantities=quantities)
    outcomes = [tally.outcome for tally in api.simulate(study)]
    cells = api.judge(study, api.predict(study), outcomes).cells
    limits = [cell.verdict for cell in cells if cell.quantity == "mse_asymptote"]
    assert limits == [VERIFIED] * 6
    last = [c for c in cells if c.condition.endswith("64") and c.quantity != "mse"]
    assert {cell.verdict for cell in last} == {VERIFIED}
    biased = [c.empirical for c in cells if (c.model, c.generation, c.quantity) == ("0", 2, "bias")]
    assert biased[0] > 2 * biased[-1]  # what the law leaves out is of order 1 / sqrt(n) of these

    shift = CASES[name][1]
    for wrong in (None, tuple(h / 2 for h in shift)):
        changed = tuple(
            replace(one, network=shifted(one.network, wrong)) for one in study.conditions
        )
        found = api.judge(study, api.predict(replace(study, conditions=changed)), outcomes)
        assert any(c.verdict == REFUTED for c in found.cells if c.quantity == "mse_asymptote")


def shifted(net, shift):
    far, flat = net.sources
    return replace(net, sources=(replace(far, shift=shift), flat))
