"""Surveys: what the chains of every small network did, and the verdicts on it, end to end."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import norm
from survey_cells import cells_about

from mcjax import api
from mcjax.engine.survey import joined_pieces
from mcjax.laws.first_order.switching_rates import STATIC
from mcjax.solvers.status import Status
from mcjax.study.load import builtin_file, load_survey
from mcjax.study.survey import Survey
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

ALL = Survey(models=2, generations=16, chains=1536, piece=64)
"""All 64 labelled networks of 2 models, the fewest generations, in one piece."""
CODES = range(64)


def run(survey, known=()):
    return dict(api.survey_pieces(survey, known))


def arrays(pieces):
    """The numbers of all networks, whatever the pieces."""
    late = joined_pieces([pieces[k] for k in sorted(pieces)])
    return [*late.moments, late.fits]


def assert_same(found, expected, **tolerance):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 0.0, "atol": 0.0} | tolerance)


def judge(survey, pieces, without=None):
    return api.judge_pieces(survey, [pieces[k] for k in sorted(pieces)], without)


@pytest.fixture(scope="module")
def pieces():
    return run(ALL)


@pytest.fixture(scope="module")
def verdict(pieces):
    return judge(ALL, pieces)


# ------------------------------------------------------------------- the law, in terms of its own


def rows_of(code, models):
    """What each model reads; the last number is the real source."""
    width = models + 1
    return [{j for j in range(width) if code >> (i * width + j) & 1} for i in range(models)]


def collapse_of(code, models):
    """A model collapses if, against the data flow, one gets from it to a model from which one gets
    to nothing that stays: neither to real data nor to a frozen model."""
    rows = rows_of(code, models)
    behind = [{i} for i in range(models)]
    for _ in range(models):
        behind = [b.union(*(rows[j] - {models} for j in b)) for b in behind]
    lost = [not any(models in rows[j] or not rows[j] for j in b) for b in behind]
    return [any(lost[j] for j in b) for b in behind]


def assert_if_and_only_if(verdict):
    """Growth is shown by every model that the law says collapses, and by no other: with its
    interval on its own side of the boundary, not only its estimate."""
    models = verdict.survey.models
    doomed = np.array([collapse_of(int(code), models) for code in verdict.codes])
    np.testing.assert_array_equal(doomed, verdict.collapses)
    assert 0.2 < doomed.mean() < 0.8
    cells = cells_about(verdict, "collapse")
    low, high = np.array([cell.interval for cell in cells.values()]).T
    assert (low[doomed.ravel()] > 0.4).all()
    assert (high[~doomed.ravel()] < 0.4).all()
    assert {cell.verdict for cell in verdict.cells} == {VERIFIED}
    assert (verdict.networks == VERIFIED).all()
    assert verdict.verdict == VERIFIED


def test_every_network_of_two_models_is_verified(verdict):
    assert verdict.codes.tolist() == list(CODES)
    assert verdict.networks.shape == (64,)
    assert verdict.failures == {}
    assert_if_and_only_if(verdict)


def cyclic_alone(rows):
    """The ring of two: the only source with a period."""
    return rows == [{1}, {0}]


def fed_source(rows):
    """A self-loop fed by a model that does not read it: no source, though it looks like one."""
    return any(rows[i] == {0, 1} and i not in rows[1 - i] for i in (0, 1))


def lone_loop(rows):
    return any(rows[i] == {i} for i in (0, 1))


MATTERS = {"closed": (fed_source, 8), "self-loop": (lone_loop, 15), "period": (cyclic_alone, 1)}
"""By which networks of two models a law without the clause is refuted, and how many they are."""


@pytest.mark.parametrize("clause", STATIC)
def test_without_a_clause_the_law_is_refuted(clause, pieces):
    matters, count = MATTERS[clause]
    found = judge(ALL, pieces, clause)
    assert found.verdict == REFUTED
    refuted = set(found.codes[found.networks == REFUTED].tolist())
    assert refuted == {code for code in CODES if matters(rows_of(code, 2))}
    assert len(refuted) == count
    assert set(found.networks) == {VERIFIED, REFUTED}
    # a wrong period says who collapses, but not how fast
    about_collapse = {cell.verdict for cell in cells_about(found, "collapse").values()}
    assert (REFUTED in about_collapse) == (clause != "period")


def test_one_model_needs_the_self_loop_alone():
    """The other clauses are about two models at least."""
    survey = Survey(models=1, generations=16, chains=1536)
    alone = run(survey)
    for clause in (None, *STATIC):
        expected = {0b01} if clause == "self-loop" else set()
        found = judge(survey, alone, clause)
        assert set(found.codes[found.networks == REFUTED].tolist()) == expected
        assert (found.networks == VERIFIED).sum() == 4 - len(expected)


@pytest.mark.slow
def test_every_network_of_three_models():
    """4,096 labelled networks, 2,560 chains of 64 generations each: 24,576 claims (of each model,
    whether it collapses, and its rate or limit to 40%), all of them together wrong with
    probability at most 1%."""
    survey = load_survey(builtin_file("every-3"))
    assert (survey.models, survey.labelled, survey.samples) == (3, True, 1000)
    assert (survey.generations, survey.chains) == (64, 2560)
    assert (survey.tolerance, survey.confidence) == (0.4, 0.99)
    found = run(survey)
    verdict = judge(survey, found)
    assert len(verdict.networks) == 4_096
    assert len(verdict.cells) == 24_576
    assert verdict.failures == {}
    assert_if_and_only_if(verdict)
    for clause in STATIC:
        assert judge(survey, found, clause).verdict == REFUTED


# ---------------------------------------------------------------------------------- the chains


def recursion(rows, generations):
    """Variances by generation of two models that read so, to first order: 1,000 samples a feed."""
    shares = np.array([[(j in r) / len(r) if r else i == j for j in (0, 1)]
                       for i, r in enumerate(rows)])  # fmt: skip
    noise = np.diag([1e-3 / len(r) if r else 0.0 for r in rows])
    covariances = [np.eye(2) / 1000]
    for _ in range(generations):
        covariances.append(shares @ covariances[-1] @ shares.T + noise)
    return np.diagonal(covariances, axis1=1, axis2=2)


def test_slope_and_level_are_those_of_the_recursion(pieces, z_limit):
    """Windows of 16 generations: slopes from 4, 5 to 15, 16; levels over 8 to 16. Each number by
    itself, and all together, for what is wrong by a tenth everywhere."""
    chains, mean, square, fits = arrays(pieces)
    error = np.sqrt(np.diagonal(square, axis1=2, axis2=3) / (chains * (chains - 1.0))[..., None])
    assert (chains == 1536).all()
    frozen = np.array([[not r for r in rows_of(code, 2)] for code in CODES])
    # a frozen model is fitted once, in generation 0
    np.testing.assert_array_equal(fits[..., Status.CONVERGED], 1536 * np.where(frozen, 1, 17))
    assert (fits.sum(-1) == 1536 * 17).all()
    c = np.array([recursion(rows_of(code, 2), 16) for code in CODES])
    slope = (c[:, [15, 16]].mean(1) - c[:, [4, 5]].mean(1)) / 11
    expected = np.stack([slope, c[:, 8:17].mean(1)], axis=-1)
    still = error == 0
    assert (still == (np.array([[[not r, False] for r in rows_of(k, 2)] for k in CODES]))).all()
    assert not mean[still].any()
    z = np.where(still, 0.0, (mean - expected) / np.where(still, 1.0, error))
    assert (np.abs(z) < norm.isf(1e-6 / 2 / z.size)).all()
    growing = np.array([collapse_of(code, 2) for code in CODES])
    for kind in (growing, ~growing):
        # models of a network depend on one another, networks do not
        counts = kind.sum(1)
        each = np.where(kind[..., None], z, 0.0).sum(1)[counts > 0] / counts[counts > 0, None]
        assert (np.abs(each.sum(0)) < z_limit * np.sqrt(len(each))).all()


def test_a_frozen_model_has_the_error_of_one_square(verdict):
    """Squares of a normal number with variance 1/1000: standard deviation sqrt(2)/1000."""
    frozen = [(ALL.name(code), str(i)) for code in CODES for i in (0, 1) if not rows_of(code, 2)[i]]
    assert len(frozen) == 16
    limits, shares = cells_about(verdict, "limit"), cells_about(verdict, "collapse")
    error = np.array([limits[place].standard_error for place in frozen])
    # the estimate of that is itself off by a share of sqrt(60 - 4) / 4 = 1.87 over sqrt(chains)
    np.testing.assert_allclose(error, np.sqrt(2 / 1536) / 1000, rtol=5 * 1.87 / np.sqrt(1536))
    assert all(shares[p].empirical == shares[p].standard_error == 0 for p in frozen)


@pytest.mark.parametrize("piece", [16, 24])
def test_pieces_change_no_bit(piece, pieces):
    cut = run(replace(ALL, piece=piece))
    assert len(cut) == -(-64 // piece)
    assert [len(cut[k].fits) for k in cut] == [piece] * (64 // piece) + [16] * (piece == 24)
    assert_same(arrays(cut), arrays(pieces))


def test_resuming_changes_no_bit(pieces):
    """Only what is missing runs."""
    survey = replace(ALL, piece=24)
    kept = {1: jax.tree.map(lambda leaf: leaf[24:48], pieces[0])}
    rest = run(survey, kept)
    assert list(rest) == [0, 2]
    assert_same(arrays(rest | kept), arrays(pieces))


def test_a_class_runs_as_its_first_network_does(pieces):
    """A network's draws depend on its code alone, so that a class's verdict is its network's."""
    survey = replace(ALL, labelled=False)
    codes, sizes = survey.codes()
    found = run(survey)
    assert_same(arrays(found), [leaf[codes] for leaf in arrays(pieces)])
    verdict = judge(survey, found)
    assert (len(verdict.networks), verdict.sizes.sum()) == (36, 64)
    assert_if_and_only_if(verdict)
    assert verdict.sizes.tolist() == sizes.tolist()


def test_draws_differ_between_networks_and_seeds(pieces):
    """Frozen models have nothing but their generation 0; no two networks share it."""
    _, mean, _, _ = arrays(pieces)
    frozen = [mean[code, 0, 1] for code in CODES if not rows_of(code, 2)[0]]
    assert len(set(frozen)) == len(frozen) == 8
    _, other, _, _ = arrays(run(replace(ALL, seed=1)))
    assert (other[..., 1] != mean[..., 1]).all()


def test_too_few_chains_leave_networks_open():
    """Undecided is not verified, and not refuted either."""
    survey = replace(ALL, chains=512)
    found = judge(survey, run(survey))
    assert found.verdict == INCONCLUSIVE
    assert set(found.networks) == {VERIFIED, INCONCLUSIVE}
    undecided = {cell.condition for cell in found.cells if cell.verdict == INCONCLUSIVE}
    names = np.array([survey.name(int(code)) for code in found.codes])
    assert set(names[found.networks == INCONCLUSIVE]) == undecided
