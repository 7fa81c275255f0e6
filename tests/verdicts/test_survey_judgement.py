"""How a survey judges slopes and levels, with numbers made up for the purpose."""

import numpy as np
import pytest
from survey_cells import cells_about

from mcjax.engine.moments import Moments
from mcjax.engine.powers import sum_pairs
from mcjax.engine.survey import LateErrors
from mcjax.laws.first_order.collapse_rates import rates_without
from mcjax.solvers.status import Status
from mcjax.study.survey import Survey
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.survey import judge_survey

pytestmark = pytest.mark.statistical

ONE = Survey(models=1, generations=64, chains=4096)
SPAN = 48.0  # the middle of generations 32 to 64


def made_up(shares, rates, chains=4096, seed=0):
    """Slopes and levels of the four networks of one model (frozen, loop, real, loop and real)
    that have these shares of growth and these ratios of the loop's growth or another's limit."""
    laws = [rates_without(ONE.network(code)) for code in range(4)]
    truth = np.array([law.growth[0] if law.collapses[0] else law.limit[0] for law in laws])
    collapses = np.array([law.collapses[0] for law in laws])
    rate, share = truth * rates, np.asarray(shares, float)
    slope = np.where(collapses, rate, share * rate / SPAN)
    level = np.where(collapses, SPAN * rate / np.where(share == 0, 1, share), rate)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(4, chains, 2)) * [0.5, 1.0] @ [[1.0, 0.8], [0.0, 0.6]]
    noise -= noise.mean(1, keepdims=True)
    both = np.stack([slope, level], -1)[:, None] * (1 + noise)
    return laws, both


def moments(both):
    """Late errors of chains of (slope, level), shape (4, chains, 2)."""
    mean = both.mean(1)
    centred = both - mean[:, None]
    square = np.einsum("kna,knb->kab", centred, centred)
    count = np.full((4, 1), both.shape[1])
    fits = np.zeros((4, 1, len(Status)), int)
    slope, level = np.moveaxis(both, -1, 0)[:, :, None]  # (4, 1, chains)
    pairs = np.asarray(sum_pairs(slope, level, np.ones_like(slope, bool)))
    found = Moments(count, mean[:, None], square[:, None])
    return LateErrors(found, pairs, fits, count[:, 0].copy())


def judged(shares, rates, **settings):
    rates, both = made_up(shares, rates, **settings)
    return judge_survey(ONE, rates, moments(both))


RIGHT = [0.0, 0.9, 0.0, 0.05]


@pytest.mark.parametrize(
    ("shares", "rates", "expected"),
    [
        (RIGHT, [1, 1, 1, 1], "vvvv"),
        ([0.0, 0.1, 0.0, 0.05], [1, 1, 1, 1], "vrvv"),  # who should collapse, does not
        ([0.0, 0.9, 0.8, 0.05], [1, 1, 1, 1], "vvrv"),  # who should not, does
        (RIGHT, [1, 1.8, 1, 1], "vrvv"),  # collapses as it should, but too fast
        (RIGHT, [1, 1, 1, 0.3], "vvvr"),  # settles too low
        (RIGHT, [1, 1, 1.4, 1], "vviv"),  # on the edge
        ([0.0, 0.4, 0.0, 0.4], [1, 1, 1, 1], "vivi"),
    ],
)
def test_a_network_is_as_good_as_its_worst_claim(shares, rates, expected):
    found = judged(shares, rates)
    assert "".join(word[0] for word in found.networks) == expected
    overall = REFUTED if "r" in expected else INCONCLUSIVE if "i" in expected else VERIFIED
    assert found.verdict == overall
    about_collapse = cells_about(found, "collapse").values()
    np.testing.assert_allclose([cell.empirical for cell in about_collapse], shares, atol=1e-12)
    others = [cell for cell in found.cells if cell.quantity != "collapse"]
    np.testing.assert_allclose([cell.ratio for cell in others], rates)


def test_error_of_the_share_is_that_of_a_jackknife():
    """Slope and level of one chain go together, so that their ratio is surer than either."""
    laws, both = made_up([0.2, 0.9, 0.3, 0.05], [1, 1, 1, 1], chains=500)
    found = judge_survey(ONE, laws, moments(both))
    cells = cells_about(found, "collapse").values()
    estimate = np.array([cell.empirical for cell in cells])
    error = np.array([cell.standard_error for cell in cells])
    others = (both.sum(1)[:, None] - both) / 499
    share = SPAN * others[..., 0] / others[..., 1]
    jackknife = np.sqrt(499 / 500 * ((share - share.mean(1, keepdims=True)) ** 2).sum(1))
    np.testing.assert_allclose(error, jackknife, rtol=0.01)
    alone = np.abs(estimate) * both[..., 0].std(1) / both[..., 0].mean(1) / np.sqrt(500)
    assert (np.abs(error / alone - 1) > 0.1).all()


@pytest.mark.parametrize("lost", ["chains", "mean", "some chains"])
def test_lost_chains_prove_nothing(lost):
    laws, both = made_up(RIGHT, [1, 1, 1, 1])
    late = moments(both)
    if lost == "chains":
        for leaf in late.moments:
            leaf[2] = 0
    elif lost == "mean":
        late.moments.mean[2] = np.nan
    else:  # a twentieth of the chains, which is more than a tenth of the margin
        late.moments.chains[2] = 3891
    late.fits[2, 0, Status.OVERFLOW] = 7
    found = judge_survey(ONE, laws, late)
    assert found.networks.tolist() == [VERIFIED, VERIFIED, INCONCLUSIVE, VERIFIED]
    assert (found.verdict, found.failures) == (INCONCLUSIVE, {"overflow": 7})
    assert {cell.verdict for cell in found.cells if cell.condition == "real->0"} == {INCONCLUSIVE}
