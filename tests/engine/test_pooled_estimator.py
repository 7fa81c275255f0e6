"""The pooled estimator beside the chains: one fit of all real data, on the models' own samples."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import Source, api
from mcjax.engine.moments import ErrorMoments
from mcjax.engine.outcome import Tally
from mcjax.laws.prediction import Predictions
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import build_network, data_mediated
from mcjax.report.store import Store
from mcjax.study.study import Study, condition
from mcjax.verdicts.counts import NO_ESTIMATE
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.quantities.efficiency import NOT_SIMULATED

THETA = (0.5, -0.5)
SOURCES = [
    Source("common", 31, public=True, theta=(0.8, -0.5)),
    Source("own", 45, covariance=((1.0, 0.0), (0.0, 0.25))),
]
FEEDS = [
    *[("common", reader, 31, 0.5) for reader in "ab"],
    ("own", "a", 45),
    ("own", "b", 45, 2.0),
    ("real", "b", 60),
    ("a", "a", 50),
    ("a", "b", 40),
]
KEPT = ("common", "own", "real")


def study_of(real="fresh", model=None, design="random", **options):
    first = [("common", "a", 31), ("own", "a", 45), ("common", "b", 31), ("real", "b", 60)]
    net = build_network("ab", FEEDS, 91, real=real, sources=SOURCES, first=first)
    one = condition(net, model or linear(), THETA, design=design)
    return Study(
        (one,), **{"generations": 2, "chains": 70, "quantities": ("efficiency",)} | options
    )


def fitted_by_hand(study, chain):
    """Least squares on all real rows, each stream once, the one that both models read once too."""
    plain = replace(study, quantities=("mse",))
    trajectory = api.replay(plain, "", chain)
    data = list(api.replay_data(plain, "", chain, trajectory))
    parts = {}
    for rows in (data[0], data[1]):
        for i, read in enumerate(rows):
            for origin in KEPT:
                if origin in read:
                    reader = None if origin == "common" else i
                    parts.setdefault((origin, reader), read[origin])
    assert len(parts) == 4
    x, y = (
        np.concatenate([np.asarray(getattr(part, field), float) for part in parts.values()], -1)
        for field in ("x", "y")
    )
    assert x.shape[-1] == 31 + 45 + 45 + 60
    return np.linalg.lstsq(x.T, y, rcond=None)[0]


@pytest.mark.statistical  # eager code draws the rows again
@pytest.mark.parametrize("design", ["random", "fixed"])
def test_it_fits_every_real_row_that_a_model_reads_once(design):
    """Each row with weight 1, whatever the readers' weights."""
    study = study_of("reused", design=design)
    errors = [np.square(fitted_by_hand(study, k) - THETA).sum() for k in range(2)]
    [tally] = api.simulate(study, chains=[2])
    found = tally.outcome.moments.pooled
    assert (found.chains == 2).all()
    np.testing.assert_allclose(found.mean[..., 0], np.mean(errors), rtol=1e-5)
    spread = np.square(errors - np.mean(errors)).sum()
    np.testing.assert_allclose(found.square[..., 0, 0], spread, rtol=1e-4)
    np.testing.assert_array_equal(found.mean[..., 1], tally.outcome.moments.squared.mean)
    np.testing.assert_allclose(
        found.square[..., 1, 1], tally.outcome.moments.squared.square, rtol=1e-9
    )


@pytest.mark.system
def test_chains_are_the_same_without_it():
    study = study_of(model=logistic())
    [beside], [alone] = (
        api.simulate(replace(study, quantities=q)) for q in (["efficiency"], ["mse"])
    )
    one, other = beside.outcome, alone.outcome
    assert one.moments.pooled.chains.any()
    assert not other.moments.pooled.chains.any()
    np.testing.assert_array_equal(one.sample, other.sample)
    np.testing.assert_array_equal(one.fits, other.fits)
    for name in set(ErrorMoments._fields) - {"pooled", "powers"}:
        np.testing.assert_allclose(
            getattr(one.moments, name).mean, getattr(other.moments, name).mean, rtol=1e-12
        )


@pytest.mark.statistical  # chains of two programs
def test_a_resumed_run_is_the_same():
    study = study_of()
    known = api.simulate(study, chains=[64])
    [resumed] = api.simulate(study, known)
    [whole] = api.simulate(study)
    for part, expected in zip(
        resumed.outcome.moments.pooled, whole.outcome.moments.pooled, strict=True
    ):
        np.testing.assert_array_equal(part, expected)


def entities():
    net = data_mediated(2, 0.5, 0.5, 30, 40, 30)
    one = condition(net, linear(), [0.0, 0.0], design="fixed")
    return Study((one,), generations=2, chains=16_384, tolerance=0.1, quantities=("efficiency",))


@pytest.mark.statistical
def test_a_wrong_pooled_error_is_refuted():
    """The numerator is simulated, and not taken from the law that is judged."""
    study = entities()
    told = api.predict(study)
    told[0].laws.pop("first_order")
    outcome = [tally.outcome for tally in api.simulate(study)]
    assert api.judge(study, told, outcome).verdict == VERIFIED
    for factor in (0.8, 1.25, 10):
        laws = {
            name: replace(law, pooled=factor * law.pooled) for name, law in told[0].laws.items()
        }
        found = api.judge(study, [replace(told[0], laws=laws)], outcome)
        assert {cell.verdict for cell in found.cells} == {REFUTED}


@pytest.mark.system
def test_results_without_it_are_not_judged(tmp_path):
    """Of a study that asked for something else, and of folders from before there was any."""
    study = study_of(quantities=("mse",))
    store = Store(tmp_path, study)
    store.save(api.simulate(study))
    arrays = dict(np.load(tmp_path / "tallies.npz"))
    older = {name: value for name, value in arrays.items() if "/pooled/" not in name}
    assert len(older) < len(arrays)
    for kept in (arrays, older):
        np.savez(tmp_path / "tallies.npz", **kept)
        [tally] = store.load()
        assert isinstance(tally, Tally)
        asked = replace(study, quantities=("efficiency",))
        found = api.judge(asked, api.predict(asked), [tally.outcome])
        assert {cell.verdict for cell in found.cells} == {INCONCLUSIVE}
        assert NOT_SIMULATED in {cell.note for cell in found.cells}


@pytest.mark.system
def test_chains_that_were_simulated_without_it_are_told_from_lost_ones():
    """A folder continued by a study that does not ask for efficiency."""
    study = study_of(chains=640, generations=1)
    known = api.simulate(study, chains=[64])
    [tally] = api.simulate(replace(study, quantities=("mse",)), known)
    found = api.judge(study, api.predict(study), [tally.outcome])
    assert {cell.note for cell in found.cells} == {NOT_SIMULATED}


@pytest.mark.system
def test_chains_without_any_estimate_are_lost():
    """Few rows of logistic data, which a plane separates in many chains."""
    net = build_network("a", [("a", "a", 6), ("real", "a", 6)], 12)
    study = study_of(chains=64, generations=1)
    one = condition(net, logistic(), (2.0, 2.0), design="fixed")
    study = replace(study, conditions=(one,))
    [tally] = api.simulate(study)
    outcome = tally.outcome
    assert outcome.moments.pooled.chains[1, 0] < 60
    told = api.predict(study)[0].laws["first_order"]
    [cell, *_] = api.judge(
        study, [Predictions({"first_order": replace(told, pooled=1.0)}, {})], [outcome]
    ).cells
    assert NO_ESTIMATE in cell.note
