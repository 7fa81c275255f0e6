"""The verdict procedure on ratios whose law is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, worst
from mcjax.verdicts.estimates import Estimate


def claim_of(ratio, error, chains, tolerance=0.05, name="0"):
    return ratio_claim(
        Place("c", name, 0, "mse", "law"),
        observed=Estimate(ratio, error),
        predicted=Estimate(1.0, 0.0),
        tolerance=tolerance,
        count=ChainCount(chains, 0),
    )


def equivalence(ratio, error, chains, tolerance, confidence):
    claims = [
        claim_of(r, e, n, tolerance, str(k))
        for k, (r, e, n) in enumerate(zip(ratio, error, chains.tolist(), strict=True))
    ]
    cells = settle(claims, confidence)
    low, high = np.array([cell.interval for cell in cells]).T
    return np.array([cell.verdict for cell in cells]), low, high


def one(ratio, error, chains=10**6, tolerance=0.05, confidence=0.99):
    verdicts, low, high = equivalence(
        np.array([ratio]), np.array([error]), np.array([chains]), tolerance, confidence
    )
    return verdicts[0], low[0], high[0]


@pytest.mark.parametrize(
    ("ratio", "error", "expected"),
    [
        (1.0, 0.01, VERIFIED),
        (1.0, 0.03, INCONCLUSIVE),
        (1.045, 0.01, INCONCLUSIVE),
        (1.2, 0.01, REFUTED),
        (0.8, 0.01, REFUTED),
        (1.06, 0.01, INCONCLUSIVE),
        (np.nan, 0.01, INCONCLUSIVE),
        (1.0, np.inf, INCONCLUSIVE),
        (1.0, 0.0, VERIFIED),
        (1.051, 0.0, REFUTED),
    ],
)
def test_one_cell(ratio, error, expected):
    verdict, low, high = one(ratio, error)
    assert verdict == expected
    if np.isfinite(ratio) and np.isfinite(error):
        inside = low > 0.95 and high < 1.05
        outside = high < 0.95 or low > 1.05
        assert (verdict == VERIFIED, verdict == REFUTED) == (inside, outside)


def test_one_cell_has_the_plain_interval():
    _, low, high = one(1.0, 0.01)
    assert abs((high - low) / 2 / 0.01 - 2.5758) < 1e-3


def test_few_chains_claim_nothing_and_say_how_many_would():
    """At 99%, of values about which nothing is known."""
    [cell] = settle([claim_of(1.0, 1e-6, 293)], 0.99)
    assert cell.verdict == INCONCLUSIVE
    assert cell.interval == (-np.inf, np.inf)
    assert cell.note == "no verdict at this level with fewer than 294 chains"
    assert cell.chains_needed == 294
    [cell] = settle([claim_of(1.0, 1e-6, 294)], 0.99)
    assert (cell.verdict, cell.note) == (VERIFIED, "")


def test_chains_have_students_interval_unless_they_are_skewed():
    [cell] = settle([claim_of(1.0, 0.01, 294)], 0.99)
    assert cell.interval[1] - 1 == pytest.approx(0.01 * stats.t.isf(0.005, 293))
    assert 1 - cell.interval[0] == pytest.approx(0.01 * stats.t.isf(0.005, 293))


def test_one_chain_says_nothing():
    assert one(1.0, 0.0, chains=1)[0] == INCONCLUSIVE


def test_interval_and_verdict_agree_in_large_families():
    rng = np.random.default_rng(0)
    ratio, error = 1 + 0.1 * rng.normal(size=500), rng.uniform(0.001, 0.05, 500)
    verdicts, low, high = equivalence(ratio, error, np.full(500, 9999), 0.05, 0.99)
    assert ((verdicts == VERIFIED) == ((low > 0.95) & (high < 1.05))).all()
    assert ((verdicts == REFUTED) == ((high < 0.95) | (low > 1.05))).all()
    assert {VERIFIED, REFUTED, INCONCLUSIVE} == set(verdicts)


def wrong_claims(step_down, runs=1000, cells=20):
    """Runs with any wrong claim, when all cells sit on the edge of the null they may reject."""
    rng = np.random.default_rng(1)
    truth = np.where(np.arange(cells) % 2, 1.05, 0.95)
    wrong = 0
    for _ in range(runs):
        ratio = truth + 0.01 * rng.normal(size=cells)
        if step_down:
            verdicts, _, _ = equivalence(
                ratio, np.full(cells, 0.01), np.full(cells, 10**6), 0.05, 0.9
            )
            claims = verdicts != INCONCLUSIVE
        else:
            distance = np.abs(np.abs(ratio - 1) - 0.05)
            claims = distance > 1.645 * 0.01
        wrong += claims.any()
    return wrong / runs


@pytest.mark.statistical
def test_family_wise_error():
    """At most 1 - confidence = 10%; without the correction, far more."""
    assert wrong_claims(step_down=True) < 0.1 + 3 * np.sqrt(0.09 / 1000)
    assert wrong_claims(step_down=False) > 0.5


def test_worst():
    assert worst(np.array([VERIFIED, REFUTED, INCONCLUSIVE])) == REFUTED
    assert worst(np.array([VERIFIED, INCONCLUSIVE])) == INCONCLUSIVE
    assert worst(np.array([VERIFIED, VERIFIED])) == VERIFIED
    assert worst(np.array([])) == INCONCLUSIVE


def test_no_number_of_chains_beyond_what_a_table_holds():
    claim = claim_of(1.0, 0.3, 1000)
    many = {"factor": lambda level: 1e30, "expected": lambda level: 1e30}
    [cell] = settle([replace(claim, **many)], 0.99)
    assert cell.verdict == INCONCLUSIVE
    assert cell.chains_needed is None
    assert cell.note == ""
