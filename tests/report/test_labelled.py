"""Labelled results hold every number of every cell, and say where they come from."""

import csv
import io
import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas
import pytest
import xarray

import mcjax
from mcjax import api
from mcjax.errors import InputError
from mcjax.laws.prediction import Predictions
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import build_network
from mcjax.report.store import Store
from mcjax.report.tabular import netcdf
from mcjax.study.identity import identity
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition
from mcjax.verdicts.frames import TEXTS
from mcjax.verdicts.judge import judge

pytestmark = pytest.mark.system

NUMBERS = ("empirical", "standard_error", "predicted", "ratio", "chains", "lost", "chains_needed")
CELL = ["condition", "generation", "model", "quantity", "law"]


def results_of(study):
    predictions, outcomes = api.predict(study), [t.outcome for t in api.simulate(study)]
    return study, predictions, outcomes, judge(study, predictions, outcomes)


@pytest.fixture(scope="module")
def results():
    """Two families, numbers of parameters and sets of models, of which they share one; chains lost
    for lack of an estimate; quantities of one generation, and of all."""
    pair = build_network(["a", "bé"], [("a", "a", 20), ("a", "bé", 20)], 20)
    few = build_network(["c", "a"], [("c", "c", 8), ("c", "a", 8), ("real", "a", 4)], 8)
    return results_of(
        Study(
            (
                condition(pair, linear(), [0.5], label="one", seed=2**64 - 1),
                condition(few, logistic(), [1.0, -1.0], label="two", seed=3),
            ),
            generations=3,
            chains=100,
            tolerance=0.5,
            quantities=("mse", "growth", "bias", "covariance"),
        )
    )


@pytest.fixture(scope="module")
def labelled(results):
    """As it comes back from a file."""
    return read(netcdf(mcjax.dataset(*results)))


@pytest.fixture(scope="module")
def rungs():
    loop = build_network(["a"], [("a", "a", 40)], 40)
    small = condition(loop, linear(), [0.5], label="loop")
    return results_of(Study(ladder(small, [1, 2, 4]), generations=1, chains=100, tolerance=0.5))


def read(content):
    return xarray.load_dataset(io.BytesIO(content), engine="h5netcdf")


def assert_holds(labelled, cells):
    """Every cell to the last bit where it belongs, and nothing anywhere else."""
    for cell in cells:
        found = labelled.sel({name: getattr(cell, name) for name in CELL})
        expected = {name: getattr(cell, name) for name in NUMBERS}
        expected["low"], expected["high"] = cell.interval
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], math.nan if value is None else value, name)
        assert (found.verdict.item(), found.note.item()) == (cell.verdict, cell.note)
    assert (labelled.verdict != "").sum() == len(cells)
    elsewhere = labelled.where(labelled.verdict == "")
    for name in (*NUMBERS, "low", "high"):
        assert elsewhere[name].isnull().all()
    assert (labelled.note.where(labelled.verdict == "", "") == "").all()


# -- values


@pytest.mark.system
def test_every_cell_comes_back(results, labelled):
    cells = results[3].cells
    assert {cell.quantity for cell in cells} > {"mse", "bias", "growth"}
    assert any(cell.note for cell in cells)
    assert any(cell.lost for cell in cells)
    assert_holds(labelled, cells)
    assert labelled.identical(mcjax.dataset(*results))


def test_dimensions(labelled):
    assert labelled.verdict.dims == tuple(CELL)
    assert labelled.condition.values.tolist() == ["one", "two"]
    assert labelled.generation.values.tolist() == [0, 1, 2, 3]
    assert labelled.model.values.tolist() == ["a", "bé", "c"]
    assert labelled.quantity.values[:4].tolist() == ["mse", "growth", "bias", "covariance"]
    assert labelled.law.values[:2].tolist() == ["first_order", "finite_sample"]


def test_models_a_condition_lacks_hold_nothing(labelled):
    for name, lacks in (("one", "c"), ("two", "bé")):
        nothing = labelled.sel(condition=name, model=lacks)
        for variable in ("empirical", "mse", "mse_error", "chains_counted", "mean_error"):
            assert nothing[variable].isnull().all()
            own = labelled[variable].sel(condition=name, model="a")
            assert own.notnull().any()
        assert (nothing.verdict == "").all()


def test_moments_are_those_of_the_chains(results, labelled):
    study, _, outcomes, _ = results
    for own, outcome in zip(study.conditions, outcomes, strict=True):
        found = labelled.sel(condition=own.name, model=list(own.network.models))
        squared, error = outcome.moments.squared, outcome.moments.error
        some = squared.chains > 0
        np.testing.assert_array_equal(found.mse, np.where(some, squared.mean, math.nan))
        np.testing.assert_array_equal(found.mse_error, squared.standard_error())
        np.testing.assert_array_equal(found.chains_counted, squared.chains)
        p = len(own.theta)
        expected = np.where(some[..., None], error.mean, math.nan)
        np.testing.assert_array_equal(found.mean_error[..., :p], expected)
        np.testing.assert_array_equal(found.mean_error_error[..., :p], error.standard_error())
        assert found.mean_error[..., p:].isnull().all()
    assert labelled.sizes["parameter"] == 2
    assert labelled.chains_counted.sel(condition="two").min() < 100


def test_a_mean_over_no_chain_is_no_number(results):
    """Nobody left at the last generation: no mean, and an infinite standard error."""
    study, predictions, outcomes, verification = results
    first = outcomes[0].moments
    chains = first.squared.chains.copy()
    chains[-1] = 0
    moments = first._replace(
        squared=first.squared._replace(chains=chains),
        error=first.error._replace(chains=chains[..., None]),
    )
    outcomes = [outcomes[0]._replace(moments=moments), outcomes[1]]
    found = mcjax.dataset(study, predictions, outcomes, verification)
    last = found.sel(condition="one", model="a", generation=3)
    assert last.mse.isnull()
    assert last.mean_error.isnull().all()
    assert last.mse_error == math.inf
    assert last.chains_counted == 0


def test_what_the_laws_say(results, labelled):
    study, predictions, _, _ = results
    assert [bool(laws.inapplicable) for laws in predictions] == [False, True]
    for own, laws in zip(study.conditions, predictions, strict=True):
        found = labelled.sel(condition=own.name, model=list(own.network.models))
        for name, law in laws.laws.items():
            np.testing.assert_array_equal(found.predicted_growth.sel(law=name), law.growth)
            np.testing.assert_array_equal(found.predicted_limit.sel(law=name), law.limit)
            assert found.inapplicable.sel(law=name) == ""
        for name, reason in laws.inapplicable.items():
            assert found.inapplicable.sel(law=name) == reason
            assert found.predicted_growth.sel(law=name).isnull().all()


def test_conditions_are_described(results, labelled):
    study = results[0]
    assert labelled.seed.values.tolist() == [2**64 - 1, 3]
    assert labelled.seed.dtype == np.uint64
    assert labelled.family.values.tolist() == ["linear", "logistic"]
    assert labelled.label.values.tolist() == ["one", "two"]
    assert labelled.scale.values.tolist() == [1, 1]
    np.testing.assert_array_equal(labelled.theta, [[0.5, math.nan], [1, -1]])
    networks = [json.loads(text) for text in labelled.network.values]
    assert networks == [json.loads(json.dumps(c.network.described())) for c in study.conditions]


def test_every_variable_says_what_it_is(labelled):
    for name, variable in labelled.data_vars.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs.get("units") == (None if variable.dtype.kind == "O" else "1"), name


def test_numbers_that_are_not_finite_and_texts(results):
    """Those of a cell that is not judged; a note with what is not ASCII."""
    study, predictions, outcomes, verification = results
    odd = replace(
        verification.cells[0],
        empirical=math.nan,
        standard_error=math.inf,
        interval=(-math.inf, math.inf),
        chains_needed=None,
        note="nothing – none ≤ 3",
    )
    large = replace(verification.cells[1], chains_needed=2**52 + 1, note="")
    changed = replace(verification, cells=(odd, large))
    assert_holds(read(netcdf(mcjax.dataset(study, predictions, outcomes, changed))), changed.cells)


def test_a_ladder_is_a_condition(rungs):
    verification = rungs[3]
    found = read(netcdf(mcjax.dataset(*rungs)))
    assert_holds(found, verification.cells)
    assert len(found.condition) == 4
    [name] = {fit.condition for fit in verification.ladders}
    whole = found.sel(condition=name)
    assert whole.empirical.sel(quantity="mse_asymptote", model="a", generation=1).notnull().any()
    assert whole.scale.isnull()
    assert whole.network == ""
    assert whole.mse.isnull().all()
    assert found.scale.values[:3].tolist() == [1, 2, 4]
    assert (found.ladder == name).all()


def test_no_law_applies(results):
    """No cell at all, and yet what was simulated and why."""
    study, _, outcomes, _ = results
    silent = [Predictions({}, {"first_order": f"because of {i}"}) for i in range(2)]
    verification = judge(study, silent, outcomes)
    assert verification.cells == ()
    found = read(netcdf(mcjax.dataset(study, silent, outcomes, verification)))
    assert_holds(found, ())
    assert found.inapplicable.sel(law="first_order").values.tolist() == [
        "because of 0",
        "because of 1",
    ]
    assert found.mse.notnull().any()
    assert found.attrs["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    "change", [{"condition": "three"}, {"model": "z"}, {"generation": 4}, {"law": "murphy"}]
)
def test_a_verification_of_another_study_is_refused(change, results):
    study, predictions, outcomes, verification = results
    other = replace(verification, cells=(replace(verification.cells[0], **change),))
    with pytest.raises(InputError, match="of another study") as caught:
        mcjax.dataset(study, predictions, outcomes, other)
    assert str(next(iter(change.values()))) in str(caught.value)


# -- from a verification


def test_a_verification_is_a_dataset(results):
    assert results[3].to_dataset().identical(mcjax.dataset(*results))


def test_a_verification_is_the_table_on_disk(results, tmp_path):
    Store(tmp_path / "results", results[0]).finish(results[3])
    kept = pandas.read_parquet(tmp_path / "results" / "cells.parquet")
    frame = results[3].to_dataframe()
    # old versions of Arrow hand texts over as objects
    pandas.testing.assert_frame_equal(frame, kept, check_dtype=False)
    numbers = [name for name in frame if name not in TEXTS]
    pandas.testing.assert_frame_equal(frame[numbers], kept[numbers])


@pytest.mark.system
def test_the_dataset_has_the_budget_of_the_study_and_not_that_of_a_look(results):
    study, predictions = replace(results[0], chains=300), results[1]  # more than one look
    verification, _ = api.verify_until_decided(study, predictions)
    assert verification.to_dataset().attrs["confidence"] == study.confidence


def test_an_unpickled_verification_has_its_table_and_needs_its_study_for_more(results):
    study, predictions, _, verification = results
    found = pickle.loads(pickle.dumps(verification))
    pandas.testing.assert_frame_equal(found.to_dataframe(), verification.to_dataframe())
    with pytest.raises(InputError, match=r"call mcjax\.dataset with the study"):
        found.to_dataset()
    again = mcjax.dataset(study, predictions, found.outcomes, found)
    assert again.identical(verification.to_dataset())


# -- where it comes from


def test_provenance(results):
    study, *_, verification = results
    about = {"command": "mcjax verify 'a b.toml'", "study_file": "# é\n" + "x" * 200_000}
    found = read(netcdf(mcjax.dataset(*results, about | {"wall_seconds": 1.5})))
    attributes = found.attrs
    assert attributes["identity"] == identity(study)
    assert len(attributes["identity"]) == 64
    assert attributes["seed"] == f"3, {2**64 - 1}"
    assert attributes["tolerance"] == 0.5
    assert attributes["confidence"] == 0.99
    assert attributes["chains"] == 100
    assert attributes["verdict"] == verification.verdict
    assert json.loads(attributes["failures"]) == verification.failures
    versions = dict(part.split() for part in attributes["versions"].split(", "))
    assert versions["numpy"] == np.__version__
    assert set(versions) == {"mcjax", "jax", "jaxlib", "numpy"}
    assert attributes["device"]
    assert attributes["wall_seconds"] == 1.5
    assert {name: attributes[name] for name in about} == about


def test_identity_is_that_of_the_folder(results, tmp_path):
    Store(tmp_path / "results", results[0])
    kept = json.loads((tmp_path / "results" / "study.json").read_text())
    assert mcjax.dataset(*results).attrs["identity"] == kept["identity"]


# -- on disk


def test_parquet_is_the_csv(results, tmp_path):
    verification = results[3]
    Store(tmp_path / "results", results[0]).finish(verification)
    table = pandas.read_parquet(tmp_path / "results" / "cells.parquet")
    with (tmp_path / "results" / "cells.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert table.columns.tolist() == list(rows[0])
    for name in table:
        texts = [row[name] for row in rows]
        if name in (*NUMBERS, "low", "high", "generation"):
            np.testing.assert_array_equal(table[name], [float(text or "nan") for text in texts])
        else:
            assert table[name].tolist() == texts
    assert len(table) == len(verification.cells)
    assert table.chains.dtype == table.generation.dtype == np.int64
    for name in NUMBERS[:4]:
        expected = [getattr(cell, name) for cell in verification.cells]
        np.testing.assert_array_equal(table[name].to_numpy(), expected)
    assert table.note.tolist() == [cell.note for cell in verification.cells]


def test_an_empty_parquet_has_its_columns(results, tmp_path):
    store = Store(tmp_path / "results", results[0])
    store.finish(results[3])
    some = pandas.read_parquet(tmp_path / "results" / "cells.parquet")
    store.finish(replace(results[3], cells=()))
    none = pandas.read_parquet(tmp_path / "results" / "cells.parquet")
    assert len(none) == 0
    pandas.testing.assert_series_equal(
        none.dtypes.drop("chains_needed"), some.dtypes.drop("chains_needed")
    )


@pytest.mark.parametrize("name", ["results.nc", "cells.parquet"])
def test_a_failing_write_leaves_the_old_file(name, results, tmp_path, monkeypatch):
    folder = tmp_path / "results"
    store = Store(folder, results[0])
    store.finish(results[3], {"results.nc": netcdf(mcjax.dataset(*results))})
    before = (folder / name).read_bytes()
    real = type(folder).replace

    def full(path, target):
        if target.name == name:
            raise OSError(28, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(type(folder), "replace", full)
    changed = replace(results[3], cells=results[3].cells[:1])
    new = netcdf(mcjax.dataset(*results[:3], changed))
    assert new != before
    with pytest.raises(InputError, match="No space left") as caught:
        store.finish(changed, {"results.nc": new})
    assert caught.value.file == str(folder / name)
    assert (folder / name).read_bytes() == before
    assert not list(folder.glob("*.part"))


def test_nothing_heavy_until_it_is_used():
    code = (
        "import sys, mcjax\n"
        "for name in mcjax.__all__: getattr(mcjax, name)\n"
        "import mcjax.cli.commands, mcjax.cli.verify, mcjax.cli.plan, mcjax.cli.replay\n"
        "assert not {'xarray', 'pandas', 'pyarrow', 'h5py'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
