"""Claims settle to verdicts by their intervals, and share the budget of their family."""

import numpy as np
import pytest
from scipy.stats import norm

from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place, mean_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate

INF, NAN = np.inf, np.nan


def claim(estimate, error, lower, upper, chains=10**6, name="c"):
    return mean_claim(
        Place(name, "0", 0, "collapse", "law"),
        observed=Estimate(estimate, error),
        predicted=NAN,
        judged=Estimate(estimate, error),
        margin=(lower, upper),
        count=ChainCount(chains, 0),
    )


def decided(*numbers, **settings):
    [cell] = settle([claim(*numbers, **settings)], 0.99)
    return cell.verdict, *cell.interval


@pytest.mark.parametrize(
    ("estimate", "error", "lower", "upper", "expected"),
    [
        (0.6, 0.05, 0.4, INF, VERIFIED),
        (0.2, 0.05, 0.4, INF, REFUTED),
        (0.45, 0.05, 0.4, INF, INCONCLUSIVE),
        (0.35, 0.05, 0.4, INF, INCONCLUSIVE),
        (0.2, 0.05, -INF, 0.4, VERIFIED),
        (0.6, 0.05, -INF, 0.4, REFUTED),
        (-9.0, 0.05, -INF, 0.4, VERIFIED),
        (1e9, 0.05, 0.4, INF, VERIFIED),
        (1.0, 0.01, 0.6, 1.4, VERIFIED),
        (1.7, 0.01, 0.6, 1.4, REFUTED),
        (0.3, 0.01, 0.6, 1.4, REFUTED),
        # a bound itself belongs to neither side, however small the error
        (0.4, 0.05, 0.4, INF, INCONCLUSIVE),
        (0.4, 0.0, 0.4, INF, INCONCLUSIVE),
        (0.4, 0.0, -INF, 0.4, INCONCLUSIVE),
        (0.4000001, 0.0, 0.4, INF, VERIFIED),
        (0.3999999, 0.0, 0.4, INF, REFUTED),
        # the interval's end, 2.5758 errors away, on either side of the bound
        (0.4 + 2.57 * 0.05, 0.05, 0.4, INF, INCONCLUSIVE),
        (0.4 + 2.58 * 0.05, 0.05, 0.4, INF, VERIFIED),
        (0.4 - 2.57 * 0.05, 0.05, 0.4, INF, INCONCLUSIVE),
        (0.4 - 2.58 * 0.05, 0.05, 0.4, INF, REFUTED),
        # what is no number is no evidence, not even for a claim that it would satisfy
        (NAN, 0.05, 0.4, INF, INCONCLUSIVE),
        (INF, 0.05, 0.4, INF, INCONCLUSIVE),
        (-INF, 0.05, -INF, 0.4, INCONCLUSIVE),
        (9.0, NAN, 0.4, INF, INCONCLUSIVE),
        (9.0, INF, 0.4, INF, INCONCLUSIVE),
    ],
)
def test_one_claim(estimate, error, lower, upper, expected):
    verdict, low, high = decided(estimate, error, lower, upper)
    assert verdict == expected
    if np.isfinite(estimate) and np.isfinite(error):
        assert low == pytest.approx(estimate - 2.5758 * error, rel=1e-4)
        assert high == pytest.approx(estimate + 2.5758 * error, rel=1e-4)
    else:
        assert (low, high) == (-INF, INF)


def test_one_chain_proves_nothing():
    assert decided(9.0, 0.01, 0.4, INF, chains=1)[0] == INCONCLUSIVE
    assert decided(9.0, 0.01, 0.4, INF, chains=31)[0] == INCONCLUSIVE
    assert decided(9.0, 0.01, 0.4, INF, chains=4096)[0] == VERIFIED


def test_claims_of_a_family_share_its_budget():
    """The clearest claim has a hundredth of it, and the next a little more; all claims from the
    first undecided one on have its level, missing numbers among them counted as claims."""
    estimates = [2.0, 1.5, 0.41, *[0.42] * 96, NAN]
    claims = [claim(x, 0.1, 0.4, INF, name=str(k)) for k, x in enumerate(estimates)]
    cells = settle(claims, 0.9)
    verdicts = [cell.verdict for cell in cells]
    low, high = np.array([cell.interval for cell in cells]).T
    quantile = (high - low)[:-1] / 2 / 0.1
    expected = [norm.isf(0.1 / 2 / left) for left in (100, 99, *[98] * 97)]
    np.testing.assert_allclose(quantile, expected, rtol=1e-3)
    assert verdicts == [VERIFIED] * 2 + [INCONCLUSIVE] * 98
