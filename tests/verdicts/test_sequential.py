"""Runs that stop when all is decided: no more wrong claims than promised, and fewer chains."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mcjax import api
from mcjax.api import verify_until_decided
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import judge
from mcjax.verdicts.looks import FIRST_LOOK
from mcjax.verdicts.plan import plan

pytestmark = pytest.mark.statistical

NET = topologies.self_loop(samples=50, initial=50)
DELTA = 0.2


def study(seed, **options):
    one = condition(NET, linear(), (1.0, 1.0), seed=seed)
    return Study((one,), generations=2, tolerance=DELTA, **options)


def exact(one, factor=1.0):
    """The exact law alone, its MSE times ``factor``."""
    found = api.predict(one)
    law = found[0].laws["finite_sample"]
    return [replace(found[0], laws={"finite_sample": replace(law, mse=factor * law.mse)})]


@pytest.mark.parametrize("seeds", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_all_looks_together_keep_to_the_error(seeds):
    """The law is off by exactly the tolerance, so that any claim at any look is wrong."""
    confidence, wrong, looks = 0.8, 0, set()
    for seed in range(seeds):
        one = study(seed, chains=16 * FIRST_LOOK, confidence=confidence)
        found, tallies = verify_until_decided(one, exact(one, 1 / (1 + DELTA)))
        wrong += any(cell.verdict != INCONCLUSIVE for cell in found.cells)
        looks.add(tallies[0].chains)
    assert wrong <= stats.binom.isf(1e-4, seeds, 1 - confidence)
    assert max(looks) == 16 * FIRST_LOOK  # where nothing can be decided, all chains are spent


@pytest.mark.parametrize("seeds", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_a_true_law_is_decided_at_the_first_look_beyond_the_plan(seeds):
    one = study(0, chains=4096)
    fixed = plan(one, exact(one), 0.9).chains
    used, verdicts = [], []
    for seed in range(seeds):
        own = study(seed, chains=4096)
        found, tallies = verify_until_decided(own, exact(own))
        used.append(tallies[0].chains)
        verdicts.append(found.verdict)
    assert verdicts.count(VERIFIED) >= stats.binom.ppf(1e-4, seeds, 0.9)
    looks = [FIRST_LOOK * 2**k for k in range(5)]
    beyond = next(look for look in looks if look >= fixed)
    assert sum(chains <= beyond for chains in used) >= stats.binom.ppf(1e-4, seeds, 0.9)
    assert min(used) < fixed
    assert set(used) <= set(looks)


def test_a_gross_error_is_refuted_at_the_first_look():
    one = study(0, chains=4096)
    found, tallies = verify_until_decided(one, exact(one, 0.4))
    assert found.verdict == REFUTED
    assert tallies[0].chains == FIRST_LOOK


@pytest.fixture(scope="module")
def two():
    """An easy condition, two parameters, and a hard one, with one."""
    easy = condition(NET, linear(), np.ones(8), label="easy")
    hard = condition(NET, linear(), (1.0,), label="hard")
    both = Study((easy, hard), generations=2, tolerance=0.15, chains=8192)
    laws = [
        replace(found, laws={"finite_sample": found.laws["finite_sample"]})
        for found in api.predict(both)
    ]
    return both, laws, *verify_until_decided(both, laws)


def test_chains_go_where_cells_are_undecided(two):
    both, _, found, tallies = two
    assert found.verdict == VERIFIED
    assert tallies[0].chains < tallies[1].chains <= both.chains
    assert found.waiting == ()


def test_cells_keep_what_an_earlier_look_decided(two):
    """And the chains, the interval and the level it was decided by."""
    both, _, found, tallies = two
    for name, tally in zip(("easy", "hard"), tallies, strict=True):
        chains = {cell.chains for cell in found.cells if cell.condition == name}
        assert max(chains) == tally.chains
    for cell in found.cells:
        low, high = cell.interval
        assert (cell.verdict == VERIFIED) == (low > 0.85 and high < 1.15)
    # the chains are those of a run in one go
    whole = api.simulate(replace(both, chains=tallies[1].chains))[1]
    for a, b in zip(whole.outcome.moments.squared, tallies[1].outcome.moments.squared, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_chains_cannot_decide_ends_the_run():
    one = study(0, chains=65_536)
    found, tallies = verify_until_decided(one, exact(one, 0.0))
    assert {cell.note for cell in found.cells} == {"the law predicts 0"}
    assert tallies[0].chains == FIRST_LOOK


def test_a_run_that_goes_on_does_not_look_again():
    """What an earlier run has looked at counts as looked at."""
    one = study(0, chains=2048, confidence=0.99)
    predictions = exact(one, 1 / (1 + DELTA))  # on the margin: nothing is decided early
    _, tallies = verify_until_decided(one, predictions)
    seen = []
    again, _ = verify_until_decided(
        one, predictions, tallies, lambda lanes, current: seen.append(lanes)
    )
    assert not seen
    last = 1 - 0.01 * 0.5**3  # four looks, of which the last has the third's share again
    whole = judge(replace(one, confidence=last), predictions, [t.outcome for t in tallies])
    assert [c.interval for c in again.cells] == [c.interval for c in whole.cells]
