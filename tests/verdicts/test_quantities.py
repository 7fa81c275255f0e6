"""What each quantity sees, and what it does not, on errors whose law is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from known_errors import SPREAD, claims, law, normal, outcomes, own, paths, root
from scipy import stats

from mcjax import api
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import ALLOWED, Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.quantities.normality import kolmogorov
from mcjax.verdicts.tails import HEAVY
from mcjax.verdicts.whitening import BEYOND

NAMES = ("mse", "growth", "bias", "covariance", "cross_covariance", "normality")
MANY = 16_384


def errors_of(chains, seed=0, generations=2, **how):
    return paths(np.random.default_rng(seed), 1, chains, generations, **how)


def judged(name, told, errors, tolerance=0.1, confidence=0.99):
    """The cells of a run, all of one quantity."""
    [outcome] = outcomes(errors)
    return settle(claims(name, told, outcome, tolerance), confidence)


def verdicts(*args, **settings):
    return {cell.verdict for cell in judged(*args, **settings)}


@pytest.fixture(scope="module")
def many():
    return errors_of(MANY)


@pytest.mark.parametrize("name", NAMES)
def test_a_true_law_is_verified_by_many_chains_and_not_by_few(name, many):
    cells = judged(name, law(SPREAD), many)
    assert len(cells) == (6 if name in ("mse", "bias") else 2)
    assert {cell.quantity for cell in cells} == {name}
    assert {cell.verdict for cell in cells} == {VERIFIED}
    assert all(cell.chains == MANY and not cell.lost and not cell.note for cell in cells)
    assert all(cell.chains_needed is None for cell in cells)
    assert verdicts(name, law(SPREAD), many[:, :64]) == {INCONCLUSIVE}


def planted(name):
    """Errors, the law and a tolerance that the departure exceeds, by .05 at least."""
    if name in ("mse", "growth"):
        return errors_of(MANY), law(SPREAD, mse=law(SPREAD).mse / 1.3), 0.1
    if name == "bias":
        ahead = root(SPREAD) @ np.tile([0.6, 0.8], 2)
        shift = 0.3 * np.sqrt(np.arange(1, 4))[:, None] * ahead
        return errors_of(2048) + shift.reshape(3, 2, 2), law(SPREAD), 0.1
    if name == "covariance":
        return errors_of(MANY), law(SPREAD / 1.3), 0.1
    if name == "cross_covariance":
        apart = SPREAD * np.kron(np.eye(2), np.ones((2, 2)))
        return errors_of(MANY, spread=apart), law(SPREAD), 0.1
    skewed = errors_of(MANY, draw=lambda rng, shape: rng.exponential(size=shape) - 1, generations=0)
    return skewed, law(SPREAD, generations=0), 0.05


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_departure_is_refuted(name):
    errors, told, tolerance = planted(name)
    assert verdicts(name, told, errors, tolerance) == {REFUTED}


@pytest.mark.parametrize("name", NAMES)
def test_what_an_asymptotic_law_is_allowed_is_no_refutation(name):
    errors, told, tolerance = planted(name)
    allowance = 5.0 if name == "normality" else 0.5  # of variances: exponential errors are far off
    cells = judged(name, replace(told, allowance=allowance), errors, tolerance)
    assert {cell.verdict for cell in cells} == {INCONCLUSIVE}
    assert {cell.note for cell in cells} == {ALLOWED}
    assert {cell.chains_needed for cell in cells} == {None}


def test_a_slope_off_by_30_percent_at_the_right_level(many):
    """The MSE at the last generation is right, and that in the middle is not."""
    mse = law(SPREAD).mse.copy()
    mse[1] = mse[2] - 1.3 * (mse[2] - mse[1])
    [a, b] = judged("growth", law(SPREAD, mse=mse), many, tolerance=0.1)
    assert a.verdict == b.verdict == REFUTED
    assert abs(a.ratio - 1 / 1.3) < 5 * a.standard_error / a.predicted
    assert a.predicted == pytest.approx(mse[2, 0] - mse[1, 0])


def test_a_bias_of_one_model_in_one_generation():
    """.2 standard deviations, along no axis."""
    shift = 0.2 * np.sqrt(2) * np.linalg.cholesky(own(SPREAD)[1]) @ [0.6, 0.8]
    errors = errors_of(4096)
    errors[:, :, 1, 1] += shift
    for cell in judged("bias", law(SPREAD), errors):
        biased = (cell.model, cell.generation) == ("b", 1)
        assert cell.verdict == (REFUTED if biased else VERIFIED)
        assert abs(cell.empirical - 0.2 * biased) < 5 * cell.standard_error


def test_a_rotated_covariance_has_the_same_mse(many):
    half = np.sqrt(0.5)
    turned = many @ np.array([[half, -half], [half, half]])
    assert verdicts("mse", law(SPREAD), turned) == {VERIFIED}
    assert verdicts("growth", law(SPREAD), turned) == {VERIFIED}
    assert verdicts("covariance", law(SPREAD), turned) == {REFUTED}


@pytest.mark.parametrize("departure", [0.3, -0.3])
def test_one_eigenvalue_off_while_every_entry_is_within(departure):
    """Along a diagonal: the entries are off by half of it."""
    spread = np.eye(4)
    spread[:2, :2] += departure / 2
    [a, b] = judged("covariance", law(np.eye(4)), errors_of(MANY, spread=spread), tolerance=0.2)
    assert (a.verdict, b.verdict) == (REFUTED, VERIFIED)
    assert abs(a.empirical - 1 - departure) < 5 * a.standard_error
    assert a.predicted == 1


def test_models_that_are_not_correlated_as_told():
    """Each model's own covariance is right."""
    errors, told, tolerance = planted("cross_covariance")
    assert verdicts("covariance", told, errors, tolerance) == {VERIFIED}
    assert verdicts("mse", told, errors, tolerance) == {VERIFIED}


def student(rng, shape):
    """Of 3 degrees of freedom, with variance 1."""
    return rng.standard_t(3, shape) / np.sqrt(3)


def test_errors_of_students_law_are_not_normal():
    """By .087 at most; those that are normal, but too wide by half, are farther off than .05."""
    x = np.linspace(0, 4, 999)
    far = np.abs(stats.t(3).cdf(x * 3**0.5) - stats.norm.cdf(x))
    told = law(np.eye(4), generations=0)
    for draw, distance in ((student, far.max()), (lambda r, s: 1.5 * normal(r, s), 0.0964)):
        errors = errors_of(MANY, generations=0, spread=np.eye(4), draw=draw)
        for cell in judged("normality", told, errors, tolerance=0.05):
            assert cell.verdict == REFUTED
            assert abs(cell.empirical - distance) < 5 * cell.standard_error


def test_only_asymptotic_laws_say_that_errors_are_normal(many):
    assert judged("normality", law(SPREAD, asymptotic=False), many) == ()


def test_a_model_that_does_not_collapse_has_no_slope_to_judge(many):
    told = law(SPREAD, growth=np.array([np.nan, 1.0]))
    assert [cell.model for cell in judged("growth", told, many)] == ["b"]
    assert judged("growth", law(SPREAD, generations=0), many[:, :, :1]) == ()


def test_one_model_has_no_cross_covariance(many):
    told = law(SPREAD[:2, :2], models=1)
    assert judged("cross_covariance", told, many[:, :, :, :1]) == ()
    assert verdicts("covariance", told, many[:, :, :, :1]) == {VERIFIED}


LEVELS = (0.3, 0.8, 0.9, 0.95, 0.99, 0.9999)


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_are_what_intervals_say(name):
    """Verified if and only if the interval lies in the margin, refuted if and only if outside."""
    tolerance = 0.12 if name == "normality" else 0.3
    centre = 1.0 if name in ("mse", "growth") else 0.0
    seen = set()
    for chains in (64, 512, 2048):
        for factor, shift in ((1, 0), (1.3, 0.1), (0.7, 0.15), (0.1, 0.2), (9, 0.25)):
            errors = errors_of(chains, seed=chains) + shift * np.sqrt([2.0, 1.0])
            for confidence in LEVELS:
                for cell in judged(name, law(SPREAD * factor), errors, tolerance, confidence):
                    low, high = cell.interval
                    inside = centre - tolerance < low and high < centre + tolerance
                    outside = high < centre - tolerance or low > centre + tolerance
                    assert (cell.verdict == VERIFIED) == inside
                    assert (cell.verdict == REFUTED) == outside
                    seen.add(cell.verdict)
    assert seen == {VERIFIED, REFUTED, INCONCLUSIVE}


@pytest.mark.statistical
def test_verdicts_are_what_intervals_say_of_one_parameter():
    rng = np.random.default_rng(0)
    told = law(np.eye(1), models=1, generations=0)
    for outcome in outcomes(paths(rng, 500, 1000, 0, np.eye(1) * 1.3, models=1)):
        [cell] = settle(claims("covariance", told, outcome, 0.15), 0.95)
        assert (cell.verdict == REFUTED) == (cell.interval[0] > 0.15)


@pytest.mark.statistical
@pytest.mark.parametrize("name", NAMES)
def test_chains_needed_are_about_right(name):
    """The same errors many times over leave the numbers where they are: a tenth more chains than
    the factor says decide, a tenth fewer do not."""
    chains, tried = 1024, 0
    tolerance = {"growth": 0.2, "normality": 0.05}.get(name, 0.1)

    def last(errors):
        [outcome] = outcomes(errors)
        return settle(claims(name, law(SPREAD), outcome, tolerance)[-1:], 0.95)[0]

    for seed in range(40):
        errors = errors_of(chains, seed)
        [outcome] = outcomes(errors)
        claim = claims(name, law(SPREAD), outcome, tolerance)[-1]
        needed = chains * claim.factor(0.05) if last(errors).verdict == INCONCLUSIVE else math.inf
        if needed > 16 * chains:
            continue
        tried += 1
        assert needed > chains
        enough, short = int(np.ceil(1.1 * needed / chains)), int(0.9 * needed / chains)
        assert last(repeated(errors, enough)).verdict != INCONCLUSIVE
        assert last(repeated(errors, max(short, 1))).verdict == INCONCLUSIVE
    assert tried > 5


def repeated(errors, times):
    """Each half of the chains, which covariance tells apart, many times over."""
    halves = [np.tile(half, (1, times, 1, 1, 1)) for half in np.split(errors, 2, axis=1)]
    return np.concatenate(halves, axis=1)


@pytest.mark.parametrize(("lost", "judges"), [(5, True), (20, False)])
@pytest.mark.parametrize("name", NAMES)
def test_lost_chains(name, lost, judges):
    """A tenth of the tolerance, 1% of 1,000 chains, may be missing: of model a, in the end."""
    errors = errors_of(1000)
    errors[0, :lost, 2, 0] = np.nan
    for cell in judged(name, law(SPREAD), errors):
        concerned = cell.generation == 2 and cell.model == "a"
        concerned |= name in ("covariance", "cross_covariance", "normality")
        assert cell.lost == (lost if concerned else 0)
        assert cell.chains == 1000 - cell.lost
        noted = f"{lost} of 1000 chains have no estimate"
        assert cell.note == (noted if concerned and not judges else "")
        assert not cell.note or (cell.verdict, cell.chains_needed) == (INCONCLUSIVE, None)


@pytest.mark.parametrize("name", ["covariance", "cross_covariance", "normality"])
def test_variation_that_a_singular_covariance_denies_is_not_judged(name, many):
    for cell in judged(name, law(np.ones((4, 4))), many):
        assert cell.note == BEYOND
        assert cell.verdict == INCONCLUSIVE
        assert cell.interval == (-np.inf, np.inf)


def test_errors_on_a_line_have_no_bias_to_judge(many):
    flat = np.repeat(many[..., :1], 2, axis=-1)
    assert all("singular" in cell.note for cell in judged("bias", law(SPREAD), flat))


def test_every_bias_has_an_interval():
    rng = np.random.default_rng(0)
    for shift in np.linspace(0.05, 2, 40):
        for outcome in outcomes(paths(rng, 1, MANY, 0) + np.array([shift, 0])):
            for cell in settle(claims("bias", law(SPREAD, generations=0), outcome, 0.1), 0.99):
                assert cell.interval[0] < cell.empirical < cell.interval[1]


def test_an_infinite_prediction_is_not_judged():
    claim = ratio_claim(
        Place("here", "a", 0, "mse", "law"),
        observed=Estimate(1.0, 0.1),
        predicted=Estimate(np.inf, 0.0),
        tolerance=0.05,
        count=ChainCount(100, 0),
    )
    [cell] = settle([claim], 0.99)
    assert cell.verdict == INCONCLUSIVE
    assert cell.note == "no finite estimate or prediction"


def test_a_wild_chain_is_noted_where_standard_errors_hang_on_it():
    errors = errors_of(1000)
    errors[0, 17, 2, 0] *= 100
    for name in NAMES:
        for cell in judged(name, law(SPREAD), errors):
            concerned = cell.generation == 2 and (cell.model == "a" or name == "cross_covariance")
            concerned &= name not in ("bias", "normality")
            assert (cell.note == HEAVY) == concerned


@pytest.mark.parametrize(
    ("name", "chains", "note", "enough"),
    [
        ("covariance", 29, "fewer than 30 chains", 400),
        ("cross_covariance", 29, "fewer than 30 chains", 400),
        ("covariance", 30, "fewer than", 400),
        ("normality", 29, "fewer than 30 chains", 30),
        ("bias", 3, "too few chains", 4),
        ("mse", 1, "no finite estimate", 64),
        ("mse", 31, "fewer than", 64),
        ("growth", 1, "no finite estimate", 800),
        ("growth", 64, "fewer than", 800),
    ],
)
def test_too_few_chains_are_noted(name, chains, note, enough):
    assert all(note in c.note for c in judged(name, law(SPREAD), errors_of(chains)))
    assert not any(c.note for c in judged(name, law(SPREAD), errors_of(enough)))


FREE = {"bias"}
TRIANGULAR = {"bias", "covariance", "cross_covariance", "normality"}


@pytest.mark.parametrize(("lower", "same"), [(True, TRIANGULAR), (False, FREE)])
@pytest.mark.parametrize("name", NAMES)
def test_linear_reparametrisation(name, lower, same):
    """Bias knows no parametrisation. What is whitened by the law's Cholesky root has coordinates
    that turn, unless every parameter becomes a combination of itself and those before it. The MSE
    and its slope add up squares of parameters, whatever their units."""
    change = np.array([[2.0, 0.0], [0.7, 0.3]]) if lower else np.array([[0.5, 1.0], [-2.0, 0.3]])
    both = np.kron(np.eye(2), change)
    errors = paths(np.random.default_rng(0), 20, 300, 2)
    before = [c for o in outcomes(errors) for c in claims(name, law(SPREAD), o, 0.1)]
    turned = law(both @ SPREAD @ both.T)
    after = [c for o in outcomes(errors @ change.T) for c in claims(name, turned, o, 0.1)]
    numbers = [np.array([[*c.interval(0.05), c.within] for c in g]) for g in (before, after)]
    assert np.allclose(*numbers, rtol=1e-3, atol=1e-5) == (name in same)


def test_an_allowance_hides_no_covariance_off_by_a_factor_of_four(many):
    """Nor one that is off by half, where little is allowed; what is allowed is not refuted."""
    for factor in (4.0, 0.25):
        told = law(factor * SPREAD, allowance=0.5)
        assert verdicts("normality", told, many, tolerance=0.03) == {REFUTED}
    assert verdicts("normality", law(1.5 * SPREAD, allowance=0.05), many, tolerance=0.01) == {
        REFUTED
    }
    for factor in (1.4, 1 / 1.4):
        allowed = verdicts("normality", law(factor * SPREAD, allowance=0.5), many, tolerance=0.01)
        assert allowed == {INCONCLUSIVE}


@pytest.mark.statistical
def test_errors_on_fixed_designs_are_exactly_normal():
    net = topologies.self_loop(samples=6, real=6, initial=8)
    one = condition(net, linear(), [0.5, -0.5], design="fixed")
    study = Study((one,), generations=3, chains=16_384, quantities=("normality",))
    [predictions] = api.predict(study)
    assert [name for name, told in predictions.laws.items() if told.normal] == ["fixed_design"]
    outcome = [tally.outcome for tally in api.simulate(study)]

    def judged_by(factor):
        told = predictions.laws["fixed_design"]
        wrong = replace(told, covariance=factor * told.covariance)
        return api.judge(study, [replace(predictions, laws={"law": wrong})], outcome).verdict

    assert [judged_by(factor) for factor in (1.0, 2.5, 0.4)] == [VERIFIED, REFUTED, REFUTED]


def test_a_bias_is_no_part_of_covariance_or_normality(many):
    for name in ("covariance", "cross_covariance", "normality"):
        assert verdicts(name, law(SPREAD), many + 3) == {VERIFIED}


def test_which_parameter_of_which_model():
    """The first of a with the second of b is not the second of a with the first of b."""
    spread = np.eye(4)
    spread[0, 3] = spread[3, 0] = 0.5
    errors = errors_of(MANY, spread=spread)
    assert verdicts("cross_covariance", law(spread), errors) == {VERIFIED}
    swapped = np.eye(4)
    swapped[1, 2] = swapped[2, 1] = 0.5
    assert verdicts("cross_covariance", law(swapped), errors) == {REFUTED}


def test_kolmogorov_distance_against_scipy():
    x = np.random.default_rng(0).standard_normal((9, 200)) ** 3 + 0.2
    np.testing.assert_allclose(kolmogorov(x), [stats.kstest(c, "norm").statistic for c in x.T])
