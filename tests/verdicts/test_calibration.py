"""How often verdicts are wrong, and intervals miss, on errors whose law is known.

Every limit is that of a binomial count which a correct procedure passes with probability
``ALPHA`` at most. Errors of normal law, and of one with kurtosis 4.5, that are correlated across
generations and models; 256 chains by default, 1,024 and ten times the runs if asked for.
"""

import numpy as np
import pytest
from known_errors import SPREAD, claims, law, mixture, normal, outcomes, paths, root
from scipy import optimize, stats

from mcjax.verdicts.cells import settle
from mcjax.verdicts.equivalence import INCONCLUSIVE, VERIFIED

pytestmark = pytest.mark.statistical

ALPHA, LEVEL = 1e-6, 0.05
SIZES = [(1000, 256), pytest.param((10_000, 1024), marks=pytest.mark.slow)]
TOLERANCE = {
    "mse": 0.3,
    "growth": 0.6,
    "bias": 0.3,
    "covariance": 0.5,
    "cross_covariance": 0.4,
    "normality": 0.15,
}
"""With which 256 chains can verify: about three times the half-width of the interval."""
DRAWS = {"normal": normal, "mixture": mixture}


def most(runs, rate=LEVEL):
    return stats.binom.isf(ALPHA, runs, rate)


def batches(seed, size, draw=normal, spread=SPREAD):
    """Errors of all runs, 500 at a time."""
    rng = np.random.default_rng(seed)
    runs, chains = size
    for _ in range(runs // 500):
        yield paths(rng, 500, chains, 2, spread, draw)


def whitened_root(sign, tolerance, direction):
    """Of a covariance with eigenvalues 1 and 1 +- tolerance, the latter in this direction."""
    return np.eye(2) + (np.sqrt(1 + sign * tolerance) - 1) * np.outer(direction, direction)


def off_by_the_tolerance(name, sign, tolerance):
    """A law, and the map and shift of errors, so that the truth lies exactly on the margin."""
    told, change, shift = law(SPREAD), np.eye(4), np.zeros((3, 4))
    base = root(SPREAD)
    if name in ("mse", "growth"):
        told = law(SPREAD, mse=told.mse / (1 + sign * tolerance))
    elif name == "bias":
        ahead = base @ np.tile([0.6, 0.8 * sign], 2)
        shift = tolerance * np.sqrt(np.arange(1, 4))[:, None] * ahead
    elif name == "covariance":
        ways = [[1.0, 0.0], np.sqrt([0.5, 0.5])]
        parts = [whitened_root(sign, tolerance, way) for way in ways]
        stretch = np.zeros((4, 4))
        stretch[:2, :2], stretch[2:, 2:] = parts
        change = base @ stretch @ np.linalg.inv(base)
    elif name == "cross_covariance":
        entry = np.zeros((4, 4))
        entry[0, 3] = entry[3, 0] = sign * tolerance
        told = law(SPREAD + base @ entry @ base.T)
    else:
        change = np.eye(4) * scale_at(sign, tolerance)
    return told, change, shift


def scale_at(sign, tolerance):
    """Standard deviation of normal errors at this Kolmogorov distance from the standard normal."""

    def distance(s):
        x = np.sqrt(2 * np.log(s) / (1 - s**-2))
        return abs(stats.norm.cdf(x / s) - stats.norm.cdf(x))

    ends = (1.001, 9.0) if sign > 0 else (1 / 9.0, 0.999)
    return optimize.brentq(lambda s: distance(s) - tolerance, *ends)


def last(name, told, tolerance, errors):
    """The claims of the last generation, (runs, models)."""
    return [claims(name, told, outcome, tolerance)[-2:] for outcome in outcomes(errors)]


def decided(found):
    """Which are verified, and which refuted, each by itself; shapes (runs, models)."""
    p_values = np.array([[(claim.within, claim.beyond) for claim in pair] for pair in found])
    return np.moveaxis(p_values < LEVEL, -1, 0)


def moved(errors, change, shift):
    flat = errors.reshape(*errors.shape[:3], 4) @ change.T + shift
    return flat.reshape(errors.shape)


ON_THE_MARGIN = [(name, "normal", sign) for name in TOLERANCE for sign in (1, -1)]
ON_THE_MARGIN += [(name, "mixture", 1) for name in TOLERANCE if name != "normality"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "draw", "sign"), ON_THE_MARGIN)
def test_wrong_verdicts_on_the_margin(name, draw, sign, size):
    """There, either verdict rejects a null that is true; both together at most at the level."""
    told, change, shift = off_by_the_tolerance(name, sign, TOLERANCE[name])
    wrong = np.zeros(2)
    for errors in batches([1, sign + 1], size, DRAWS[draw]):
        found = last(name, told, TOLERANCE[name], moved(errors, change, shift))
        wrong += np.logical_or(*decided(found)).sum(0)
    assert (wrong <= most(size[0])).all(), wrong / size[0]


@pytest.mark.parametrize("size", SIZES)
def test_wrong_normality_of_skewed_errors_on_the_margin(size):
    """The exponential law, centred, is farthest from the normal one at its end: by Phi(-1)."""
    distance, wrong = stats.norm.cdf(-1), 0
    for errors in batches(2, size, lambda rng, shape: rng.exponential(size=shape) - 1, np.eye(4)):
        found = last("normality", law(np.eye(4), generations=0), distance, errors[:, :, :1])
        wrong += np.logical_or(*decided(found)).any(1).sum()
    assert wrong <= most(size[0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", TOLERANCE)
def test_a_true_law_is_seldom_refuted(name, size):
    wrong = np.zeros(2)
    for errors in batches(3, size):
        wrong += decided(last(name, law(SPREAD), 0.01, errors))[1].sum(0)
    assert (wrong <= most(size[0])).all(), wrong / size[0]


def test_wrong_verification_of_one_eigenvalue():
    """One eigenvalue on the margin, in a direction oblique to every axis. (With 20 parameters 1,600
    chains would not find that direction: the claim is about those found.)"""
    p = 2
    runs, tolerance, wrong = 100, 0.2, 0
    spread = np.eye(p) + tolerance / p
    rng = np.random.default_rng(p)
    for _ in range(runs):
        [outcome] = outcomes(paths(rng, 1, 1600, 0, spread, models=1))
        told = law(np.eye(p), models=1, generations=0)
        [cell] = settle(claims("covariance", told, outcome, tolerance), 1 - LEVEL)
        wrong += cell.verdict == VERIFIED
    assert wrong <= most(runs)


INTERVALS = [("mse", 1.0), ("growth", 1.0), ("bias", 0.0), ("covariance", 0.0)]
INTERVALS += [("cross_covariance", 0.0), ("normality", 0.0)]


def misses(name, truth, told, change, shift, size, draw, tolerance=0.3):
    """Of 95% intervals, by model."""
    count = np.zeros(2)
    for errors in batches(4, size, draw):
        found = last(name, told, tolerance, moved(errors, change, shift))
        ends = np.array([[claim.interval(LEVEL) for claim in pair] for pair in found])
        count += ((ends[..., 0] > truth) | (ends[..., 1] < truth)).sum(0)
    return count


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(("name", "truth"), INTERVALS[:-1])
def test_intervals_of_a_true_law_cover(name, truth, draw, size):
    """Those of ratios at the stated rate, the others at least as often: that of a bias stops at 0,
    that of many entries is the hull of all of theirs."""
    none = np.eye(4), np.zeros((3, 4))
    count = misses(name, truth, law(SPREAD), *none, size, DRAWS[draw])
    assert (count <= most(size[0])).all(), count / size[0]
    if name in ("mse", "growth"):
        assert (count >= stats.binom.ppf(ALPHA, size[0], LEVEL)).all(), count / size[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "exact"), [("bias", True), ("covariance", 0), ("normality", 0)])
def test_intervals_of_a_departure_cover(name, exact, size):
    """The true size of a planted departure; judged with another tolerance than that size."""
    told, change, shift = off_by_the_tolerance(name, 1, TOLERANCE[name])
    count = misses(name, TOLERANCE[name], told, change, shift, size, normal, tolerance=0.9)
    assert (count <= most(size[0])).all(), count / size[0]
    if exact:
        assert (count >= stats.binom.ppf(ALPHA, size[0], LEVEL)).all(), count / size[0]


@pytest.mark.parametrize("distance", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("chains", [8, 256])
def test_hotelling_against_the_noncentral_f(distance, chains):
    """What a bias claim says of its statistic is uniform; so is the statistic by scipy's law."""
    base = root(SPREAD)
    shift = distance * base @ np.array([0.6, 0.8, 1.0, 0.0])
    errors = paths(np.random.default_rng(5), 1000, chains, 0)
    errors = errors + shift.reshape(2, 2)
    tolerance = distance or 1e-9
    ranks, statistics = [], []
    for one, outcome in zip(errors, outcomes(errors), strict=True):
        claim = claims("bias", law(SPREAD, generations=0), outcome, tolerance)[0]
        ranks.append(claim.within / 2 if claim.within < 1 else 1 - claim.beyond / 2)
        e = one[:, 0, 0]
        squared = chains * e.mean(0) @ np.linalg.solve(np.cov(e.T), e.mean(0))
        statistics.append((chains - 2) / (2 * (chains - 1)) * squared)
    expected = stats.ncf(2, chains - 2, chains * tolerance**2)
    assert stats.kstest(statistics, expected.cdf).pvalue > ALPHA
    assert stats.kstest(ranks, "uniform").pvalue > ALPHA
    np.testing.assert_allclose(ranks, expected.cdf(statistics), atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("draw", ["normal", pytest.param("mixture", marks=pytest.mark.slow)])
def test_holm_bounds_any_wrong_verdict_among_many(draw, size):
    """MSEs, slopes, biases and covariances, 16 cells, all on the margin; and others inside."""
    tolerance = 0.5
    told = law(SPREAD / (1 + tolerance))
    _, _, shift = off_by_the_tolerance("bias", 1, tolerance)
    bias = np.square(shift.reshape(3, 2, 2)).sum(-1)
    told = law(SPREAD / (1 + tolerance), mse=law(SPREAD).mse + bias)
    told = law(SPREAD / (1 + tolerance), mse=told.mse / (1 + tolerance))
    model = alone = 0
    for errors in batches(6, size, DRAWS[draw]):
        for outcome in outcomes(moved(errors, np.eye(4), shift)):
            names = ("mse", "growth", "bias", "covariance")
            found = [c for name in names for c in claims(name, told, outcome, tolerance)]
            assert len(found) == 16
            inside = claims("cross_covariance", told, outcome, tolerance)
            cells = settle([*found, *inside], 1 - LEVEL)[:16]
            model += any(cell.verdict != INCONCLUSIVE for cell in cells)
            alone += any(min(c.within, c.beyond) < LEVEL for c in found)
    assert model <= most(size[0]), model / size[0]
    assert alone > most(size[0]), alone / size[0]
