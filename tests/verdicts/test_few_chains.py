"""Any number of chains is judged: few of them decide nothing, and break nothing."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from known_errors import SPREAD, law, paths
from rich.console import Console

from mcjax.chains.program import Trajectory
from mcjax.engine.tiles import summarise
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.predict import predict_condition
from mcjax.laws.prediction import Predictions
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import categorical, poisson_mean
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.published.entry import ConditionResult
from mcjax.published.judge import Run, judge_runs
from mcjax.published.registry import ENTRIES
from mcjax.report.published import published_json, show_published
from mcjax.report.tables import show_verification
from mcjax.report.tabular import parquet
from mcjax.report.verification import verification_json
from mcjax.solvers.status import Status
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition
from mcjax.text import strict_json
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.judge import judge
from mcjax.verdicts.labelled import dataset
from mcjax.verdicts.quantities.registry import QUANTITIES

CHAINS = (1, 2, 3, 4, 8, 16)
VIEWS = np.diag([2.0, 0.5]), np.array([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.5], [0.5, 1.0]]])
PAIR = topologies.chain(2, samples=60, initial=60)
ERRORS = tuple(name for name, quantity in QUANTITIES.items() if quantity.subject == "errors")
WITH_ROWS = {name for name in ERRORS if name.startswith("held_out")}
"""Those that need rows which are held out."""
SHARES = np.array([0.6, 0.3, 0.1])


def outcome_of(theta, truth, family):
    """What chains with estimates theta (C, T + 1, M, p), not-a-number where lost, come to."""
    lost = ~np.isfinite(theta).all(-1)
    status = np.where(lost, Status.STEP_LIMIT, Status.CONVERGED).astype(np.int32)
    [found] = summarise(
        Trajectory(theta[None], status[None], np.ones_like(status)[None]),
        np.asarray(truth, float),
        family.functionals,
    )
    return found


def errors_of(kind, chains):
    """Errors (C, 3, 2, 2) of a kind of run."""
    errors = paths(np.random.default_rng(chains), 1, chains, 2)[0]
    if kind == "alike":
        errors[:] = errors[:1]
    elif kind == "exact":
        errors[:] = 0
    elif kind == "one left":
        errors[1:, 1:] = np.nan
    elif kind == "none left":
        errors[:, 1:] = np.nan
    elif kind == "far":
        errors[-1] *= 1e20
    elif kind == "near":
        errors *= 1e-30
    return errors


KINDS = ("ordinary", "alike", "exact", "one left", "none left", "far", "near")


def checked(study, predictions, outcomes):
    """Judge, and show in every form there is."""
    found = judge(study, predictions, outcomes)
    text = strict_json(verification_json(study, found))
    json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    console = Console(file=io.StringIO(), width=132)
    show_verification(console, study, predictions, found, 1.0)
    parquet(found.cells)
    for cell in found.cells:
        low, high = cell.interval
        assert low <= high
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chains", CHAINS)
def test_every_quantity_of_errors(chains, kind):
    """All of them in one study, with a condition on its own and a ladder."""
    base = condition(PAIR, linear(), [0.0, 0.0])
    study = Study(
        (base, *ladder(condition(PAIR, linear(), [0.0, 0.0], label="n"), (1, 2, 4, 8))),
        generations=2,
        chains=max(chains, 2),
        quantities=ERRORS,
    )
    told = law(SPREAD, models=2, views=VIEWS, pooled=0.3, mean=np.full((3, 2, 2), 0.1))
    settles = law(SPREAD, growth=np.full(2, np.nan), limit=np.full(2, 8.0))
    one = Predictions({"law": told, "settles": settles}, {})
    outcome = outcome_of(errors_of(kind, chains), [0.0, 0.0], linear())
    found = checked(study, [one] * 5, [outcome] * 5)
    dataset(study, [one] * 5, [outcome] * 5, found)
    assert {cell.quantity for cell in found.cells} >= set(ERRORS) - {"homogenisation", *WITH_ROWS}
    if kind == "ordinary":
        assert VERIFIED not in {cell.verdict for cell in found.cells}


def estimates(family, kind, chains):
    """Estimates (C, 3, 1, p) of a generative family, and its truth."""
    rng = np.random.default_rng(chains)
    shape = (chains, 3, 1)
    if family.name == "categorical":
        theta, truth = rng.multinomial(10, SHARES, shape) / 10, SHARES
    elif family.name == "gaussian":
        spread = rng.chisquare(9, shape) / 9
        theta, truth = np.stack([rng.standard_normal(shape), spread], -1), np.array([0.0, 1.0])
    else:
        theta, truth = rng.poisson(0.5, (*shape, 1)).astype(float), np.array([0.5])
    if kind == "alike":
        theta[:] = theta[:1]
    elif kind == "one left":
        theta[1:] = np.nan
    elif kind == "none left":
        theta[:] = np.nan
    elif kind == "exact":
        theta[:] = truth
    elif kind == "gone":
        theta[:] = 0.0 if family.name != "categorical" else np.array([1.0, 0.0, 0.0])
    return theta, truth


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["ordinary", "alike", "exact", "one left", "none left", "gone"])
@pytest.mark.parametrize("make", [categorical, gaussian, poisson_mean])
@pytest.mark.parametrize("chains", CHAINS)
def test_every_functional(chains, make, kind):
    """Whatever a law tells of it: the truth of these chains, or nothing, or very little."""
    family = make()
    theta, truth = estimates(family, kind, chains)
    one = condition(topologies.self_loop(samples=10, initial=10), family, truth)
    study = Study((one,), 2, max(chains, 2), tolerance=0.15, quantities=("functional",))
    outcome = outcome_of(theta, truth, family)
    for told in (1.0, 0.3, 1e-300, 0.0):
        values = {f.name: np.full((3, 1), told) for f in family.functionals}
        laws = Predictions({}, {}, {"law": FunctionalPrediction("law", "", values)})
        found = checked(study, [laws], [outcome])
        assert len(found.cells) == 3 * len(family.functionals)
        for cell in found.cells:
            low, high = cell.interval
            assert (cell.verdict == REFUTED) == (high < 0.85 or low > 1.15)
        assert VERIFIED not in {cell.verdict for cell in found.cells}


@pytest.fixture(scope="module")
def published():
    """Every entry with its study and what the laws say of each condition."""
    found = []
    for entry in ENTRIES.values():
        study = entry.study(1)
        told = [predict_condition(one, study.generations) for one in study.conditions]
        found.append((entry, study, told))
    return found


@pytest.mark.system
@pytest.mark.parametrize("chains", CHAINS)
def test_every_published_number(chains, published):
    """Errors are made up; what is read from them may be anything but a fault."""
    runs = []
    for entry, study, told in published:
        found = []
        for one, laws in zip(study.conditions, told, strict=True):
            rng = np.random.default_rng(chains)
            shape = (chains, study.generations + 1, one.network.size, len(one.theta))
            theta = np.abs(one.theta + 0.1 * rng.standard_normal(shape))
            outcome = outcome_of(theta, one.theta, one.model)
            found.append(ConditionResult(one, outcome, laws))
        runs.append(Run(entry, study, found, []))
    results = judge_runs(runs, 0.03)
    text = strict_json(published_json(results, 0.03))
    json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    show_published(Console(file=io.StringIO(), width=132), results, 0.03, 1.0)


def test_a_claim_may_ask_for_more_chains_than_its_p_values_do():
    """A quantity of one's own need not put the floor of chains into its p-values."""
    claim = ratio_claim(
        Place("", "a", 0, "mse", "law"),
        observed=Estimate(1.0, 1e-6),
        predicted=Estimate(1.0, 0.0),
        tolerance=0.05,
        count=ChainCount(64, 0, ""),
    )
    for fewest, verdict in ((64, VERIFIED), (65, INCONCLUSIVE)):
        asked = replace(claim, within=0.0, fewest=lambda level, fewest=fewest: fewest)
        assert settle([asked], 0.99)[0].verdict == verdict
