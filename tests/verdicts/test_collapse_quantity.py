"""Collapse as a claim of its own: growth as a share of the level."""

from dataclasses import replace

import numpy as np
import pytest
from known_errors import SPREAD, claims, law, outcomes, paths
from scipy import optimize, stats

from mcjax import api
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.cells import settle
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.quantities.collapse import (
    TOO_FEW_GENERATIONS,
    clear,
    growth_share,
    share_slopes,
)

LAST = 7
NOTHING = np.full(2, np.nan)


def grows(**changes):
    return law(SPREAD, generations=LAST, **changes)


def settles(**changes):
    """That errors are level."""
    level = np.repeat(grows().mse[:1], LAST + 1, axis=0)
    return replace(grows(), mse=level, growth=NOTHING, limit=level[0], **changes)


def level_paths(rng, runs, chains):
    """Independent errors of the same spread at every generation."""
    return np.concatenate([paths(rng, runs, chains, 0) for _ in range(LAST + 1)], axis=2)


def cells(told, errors, confidence=0.99, tolerance=0.3):
    [outcome] = outcomes(errors)
    return settle(claims("collapse", told, outcome, tolerance), confidence)


def test_a_line_through_zero_has_share_1_and_a_level_0():
    for last in (2, 3, 8, 9):
        t = np.arange(last + 1.0)[:, None]
        assert growth_share(t) == pytest.approx(1)
        assert growth_share(0 * t + 5) == pytest.approx(0)
        ends = np.array([2.0, 3.0])

        def share(two, last=last):
            mse = np.zeros((last + 1, 1))
            mse[[last // 2, last], 0] = two
            return growth_share(mse)[0]

        slopes = optimize.approx_fprime(ends, share, 1e-7)
        np.testing.assert_allclose(share_slopes(ends, last), slopes, rtol=1e-5)


def test_right_and_wrong_laws():
    rng = np.random.default_rng(0)
    growing, level = paths(rng, 1, 2048, LAST), level_paths(rng, 1, 2048)
    for told, errors, verdict in (
        (grows(), growing, VERIFIED),
        (settles(), level, VERIFIED),
        (settles(), growing, REFUTED),
        (grows(), level, REFUTED),
    ):
        found = cells(told, errors)
        assert [cell.model for cell in found] == ["a", "b"]
        assert {cell.verdict for cell in found} == {verdict}
        for cell in found:
            assert cell.predicted == growth_share(told.mse)[0]
            low, high = cell.interval
            assert low < cell.empirical < high
            assert low > 0.4 or high < 0.4
    assert {cell.verdict for cell in cells(grows(), growing[:, :8])} == {INCONCLUSIVE}


def test_intervals_hold_the_truth():
    told = grows()
    true, inside, runs = growth_share(told.mse)[0], [], 400
    for outcome in outcomes(paths(np.random.default_rng(1), runs, 512, LAST)):
        for claim in claims("collapse", told, outcome, 0.1):
            low, high = claim.interval(0.1)
            inside.append(low < true < high)
    # two models that go together count as one
    assert stats.binom.sf(np.mean(inside) * runs, runs, 0.9) > 1e-4
    assert stats.binom.cdf(np.mean(inside) * runs, runs, 0.9) > 1e-4


def test_what_is_not_judged():
    errors = paths(np.random.default_rng(2), 1, 512, LAST)
    slow = grows(mse=grows().mse + 100)  # grows, but not by enough to be seen so early
    observed = np.square(errors[0]).sum(-1).mean(0) + 100
    near = replace(slow, mse=observed)  # what was observed is what the law says
    shifted = [errors + np.sqrt(50.0)]  # which adds 100 to every mean square
    found = cells(near, shifted[0])
    assert all(cell.note.startswith(TOO_FEW_GENERATIONS) for cell in found)
    assert {cell.verdict for cell in found} == {INCONCLUSIVE}
    assert {cell.verdict for cell in cells(slow, errors)} == {REFUTED}  # 1 is not near 0 at any T
    assert cells(grows(growth=NOTHING), errors) == ()  # a law that does not tell
    assert [c.model for c in cells(grows(growth=np.array([np.nan, 1.0])), errors)] == ["b"]
    lost = errors.copy()
    lost[:, :100] = np.nan
    assert all("have no estimate" in cell.note for cell in cells(grows(), lost))
    for last in (0, 1):
        short = law(SPREAD, generations=last)
        [outcome] = outcomes(errors[:, :, : last + 1])
        assert claims("collapse", short, outcome, 0.1) == []
    [cell, _] = cells(grows(mse=np.where(grows().mse > 20, np.inf, grows().mse)), errors)
    assert cell.note == "the law predicts no finite error at these generations"


def test_an_asymptotic_law_is_allowed_its_error():
    errors = level_paths(np.random.default_rng(3), 1, 2048)
    assert {cell.verdict for cell in cells(grows(allowance=1.0), errors)} == {INCONCLUSIVE}


def test_the_right_side_is_not_enough():
    """A law is judged by its own r, wherever that lies on its side of the boundary."""
    rng = np.random.default_rng(4)
    growing, level = paths(rng, 1, 16_384, LAST), level_paths(rng, 1, 16_384)
    one, rest = grows(), settles()
    faster = replace(one, mse=one.mse * np.arange(1, LAST + 2)[:, None])
    assert (growth_share(faster.mse) > 1.3).all()
    slower = replace(one, mse=one.mse + 4)
    assert (growth_share(slower.mse) > 0.5).all()
    falls = replace(rest, mse=rest.mse / np.arange(1, LAST + 2)[:, None] ** 0.5)
    assert (growth_share(falls.mse) < -0.3).all()
    for told, errors in ((faster, growing), (slower, growing), (falls, level)):
        assert {cell.verdict for cell in cells(told, errors, tolerance=0.1)} == {REFUTED}


def test_a_margin_ends_at_the_boundary():
    """However wide: what is on the other side is not what the law says."""
    level = level_paths(np.random.default_rng(5), 1, 2048)
    [outcome] = outcomes(level)
    found = settle(claims("collapse", grows(), outcome, 0.999), 0.99)
    assert {cell.verdict for cell in found} == {REFUTED}


def loop(real, samples=20_000, initial=200):
    net = topologies.self_loop(samples=samples, real=real, initial=initial)
    return condition(net, linear(), [1.0])


@pytest.mark.system
@pytest.mark.parametrize(
    ("true", "told", "generations"),
    [
        (loop(0), loop(2_000), 60),  # has hardly begun to grow: still on the side of stability
        (loop(100, 900, 100_000), loop(0, 1_000, 100_000), 8),  # has not settled yet
    ],
)
def test_a_study_too_short_to_tell(true, told, generations):
    """The other theory is never verified, and a law on its own says which T would tell."""
    options = {"generations": generations, "chains": 16_384, "quantities": ("collapse",)}
    study = Study((true,), **options)
    predictions = api.predict(replace(study, conditions=(told,)))
    own = api.predict(study)
    outcome = [tally.outcome for tally in api.simulate(study)]
    verdicts = {c.law: c.verdict for c in api.judge(study, predictions, outcome).cells}
    assert verdicts["finite_sample"] == REFUTED
    assert VERIFIED not in verdicts.values()
    for cell in api.judge(study, own, outcome).cells:
        assert cell.verdict == INCONCLUSIVE
        generations = int(cell.note.split("T = ")[1].split()[0])
        law_of = own[0].laws[cell.law]
        assert clear(law_of.longer(generations))
        assert not clear(law_of.longer(generations - 1))


def test_a_t_that_tells_is_followed_by_none_that_does_not():
    """Errors that swing: T = 6 would tell, and T = 9 would not, whose half is even."""

    def swings(last, decay=0.97):
        t = np.arange(last + 1)
        mse = np.repeat((1 + 0.4 * (t % 2) * decay**t)[:, None], 2, axis=1)
        still = {"growth": NOTHING, "limit": np.ones(2)}
        told = law(SPREAD, generations=last, **still, mse=mse)
        return replace(told, longer=lambda later: swings(later, decay))

    short = replace(swings(5), longer=lambda later: swings(later))
    level = level_paths(np.random.default_rng(6), 1, 512)[:, :, :6]
    errors = level * np.sqrt(short.mse[:, :1, None])
    assert not clear(short).any()
    assert clear(swings(6)).all()
    assert not clear(swings(9)).any()
    for cell in settle(claims("collapse", short, outcomes(errors)[0], 0.3), 0.99):
        told = int(cell.note.split("T = ")[1].split()[0])
        assert not clear(swings(told - 1)).any()
        assert all(clear(swings(later)).all() for later in range(told, 4 * told))
        assert cell.note.endswith(f"would tell for {cell.model!r}")
    never = replace(swings(5, 1.0), longer=lambda later: swings(later, 1.0))
    for cell in settle(claims("collapse", never, outcomes(errors)[0], 0.3), 0.99):
        assert f"T would have to be larger than 512 to tell for {cell.model!r}" in cell.note


@pytest.mark.system
@pytest.mark.parametrize("real", [0, 100])
def test_networks(real):
    """By their own law verified, by that of the other refuted."""

    def study(real):
        loop = topologies.self_loop(samples=100, real=real, initial=100)
        one = condition(loop, linear(), [1.0])
        return Study((one,), generations=12, chains=4096, tolerance=0.25, quantities=("collapse",))

    one, other = study(real), study(100 - real)
    assert api.verify(one).verdict == VERIFIED
    assert api.verify(one, theory=other).verdict == REFUTED


def test_a_frozen_model_does_not_collapse():
    net = topologies.chain(2, samples=100, initial=100)
    study = Study(
        (condition(net, linear(), [1.0]),),
        generations=12,
        chains=4096,
        tolerance=0.25,
        quantities=("collapse",),
    )
    assert api.verify(study).verdict == VERIFIED
