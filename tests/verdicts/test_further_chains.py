"""How many chains an undecided cell needs, where noise may hide that its law is true."""

import math

import numpy as np
import pytest
from known_errors import SPREAD, claims, law, outcomes, paths
from scipy import stats

from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import ALLOWED, Place, never_verified, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.skewed_means import Tails

CHAINS, TOLERANCE, LEVEL = 400, 0.05, 0.01
RUNS = 100
FEWEST = int(stats.binom.ppf(1e-4, RUNS, 0.9))
"""Fewest runs of 100 that succeed, if each does with a probability of 90%."""


def claim_of(ratio, error=0.1, allowance=0.1):
    return ratio_claim(
        Place("", "a", 1, "mse", "law"),
        observed=Estimate(ratio, error),
        predicted=Estimate(1.0, 0.0),
        tolerance=TOLERANCE,
        count=ChainCount(CHAINS, 0),
        allowance=allowance,
        tails=Tails.SQUARES,
    )


def planned(error):
    """Chains that verify a true law in nine of ten runs."""
    reach = stats.norm.isf(LEVEL / 2) + stats.norm.isf(0.1)
    return CHAINS * (reach * error / TOLERANCE) ** 2


@pytest.mark.parametrize("ratio", [1.0, 1.0499, 0.95001, 1.08, 0.9, 1.1501])
def test_noise_is_not_taken_for_a_departure(ratio):
    """Near an edge of the margin, beyond it, and near the edge of what is allowed."""
    [cell] = settle([claim_of(ratio)], 1 - LEVEL)
    assert (cell.verdict, cell.note) == (INCONCLUSIVE, "")
    assert cell.chains_needed == pytest.approx(planned(0.1), rel=0.05)


def test_a_ladder_is_named_where_the_departure_is_significant():
    [cell] = settle([claim_of(1.1, 0.005)], 1 - LEVEL)
    assert (cell.verdict, cell.note, cell.chains_needed) == (INCONCLUSIVE, ALLOWED, None)


def test_what_cannot_be_verified_stays_so():
    for ratio in (1.0, 1.1, 1.2):
        [cell] = settle([never_verified(claim_of(ratio), "why")], 1 - LEVEL)
        assert (cell.verdict, cell.note, cell.chains_needed) == (INCONCLUSIVE, "why", None)


QUANTITIES = ("mse", "growth", "bias", "covariance", "cross_covariance", "normality", "collapse")


@pytest.mark.statistical
@pytest.mark.parametrize("name", QUANTITIES)
def test_the_chains_that_are_named_verify_a_true_law(name):
    """In nine runs of ten, whatever few chains have shown."""
    generations, true = 8, law(SPREAD, generations=8)
    tolerance = 0.08 if name == "normality" else 0.2

    def last(errors):
        return [claims(name, true, outcome, tolerance)[-1] for outcome in outcomes(errors)]

    named = []
    for claim in last(paths(np.random.default_rng(0), 20, 256, generations)):
        if not min(claim.within, claim.beyond) < LEVEL and not claim.count.note:
            named.append(claim.expected(LEVEL) * claim.count.counted)
    named = [value for value in named if math.isfinite(value)]
    chains = math.ceil(max(np.median(named), last_fewest(last)))
    found = last(paths(np.random.default_rng(1), RUNS, chains, generations))
    assert sum(claim.within < LEVEL for claim in found) >= FEWEST
    assert len(named) > 10


def last_fewest(last):
    """Chains without which there is no claim."""
    [claim] = last(paths(np.random.default_rng(2), 1, 64, 8))
    return claim.fewest(LEVEL)
