"""What is kept on disk is what was found, and nothing kept is ever lost."""

import csv
import json
import os
from dataclasses import asdict, replace

import jax
import numpy as np
import pytest
from kept_study import CHAINS, assert_equal, content, make

from mcjax import api
from mcjax.engine.outcome import Tally
from mcjax.errors import InputError
from mcjax.estimators.registry import make_estimator
from mcjax.report.folder import FORMAT
from mcjax.report.origin import read_about
from mcjax.report.store import Store
from mcjax.study.identity import describe, identity

# -- round trip


def test_tallies_come_back_to_the_last_bit(study, tallies, folder):
    Store(folder, study).save(tallies)
    found = Store(folder, study).load()
    assert [(t.tiled, t.chains) for t in found] == [(256, 260)] * 2
    assert_equal(found, tallies)


@pytest.mark.parametrize("part", ["whole", "rest"])
def test_missing_parts_stay_missing(part, study, tallies, folder):
    partial = [tallies[0]._replace(**{part: None}), Tally()]
    Store(folder, study).save(partial)
    found = Store(folder, study).load()
    assert_equal(found, partial)
    assert getattr(found[0], part) is None
    assert found[1] == (None, None)


def test_counts_are_whole_numbers_again(study, tallies, folder):
    store = Store(folder, study)
    store.save(tallies)
    whole = store.load()[0].whole
    assert type(whole.chains) is int
    assert type(whole.steps) is int


def test_moments_that_are_not_finite_come_back(study, tallies, folder):
    """A chain lost in every fit leaves not-a-numbers behind."""
    whole = tallies[0].whole
    squared = whole.moments.squared
    lost = squared._replace(mean=np.full_like(squared.mean, np.nan))
    odd = whole._replace(moments=whole.moments._replace(squared=lost))
    store = Store(folder, study)
    store.save([Tally(odd), tallies[1]])
    assert_equal(store.load()[0], Tally(odd))


def test_moments_of_an_earlier_version_are_refused(study, tallies, folder):
    store = Store(folder, study)
    store.save(tallies)
    with np.load(folder / "tallies.npz") as data:
        np.savez(folder / "tallies.npz", **{k: v for k, v in data.items() if "powers" not in k})
    with pytest.raises(InputError, match="earlier version of mcjax"):
        store.load()


def test_nothing_known_of_a_new_folder(study, folder):
    assert Store(folder, study).load() is None


def test_folders_are_made(study, tmp_path):
    assert Store(tmp_path / "a" / "b" / "c", study).load() is None
    assert (tmp_path / "a" / "b" / "c" / "study.json").exists()


# -- going on


class Stop(Exception):
    """The machine goes down."""


def test_an_interrupted_run_resumes_to_the_same_numbers(study, tallies, folder):
    """Saved after every chunk and stopped in the middle of the second condition."""
    store = Store(folder, study)
    seen = []

    def report(lanes, current):
        store.save(current())
        seen.append(lanes)
        if sum(seen) > CHAINS + 10:
            raise Stop

    with pytest.raises(Stop):
        api.simulate(study, report=report)
    known = Store(folder, study).load()
    assert known[0].chains == CHAINS
    assert known[1].chains < CHAINS
    ran = []
    found = api.simulate(study, known, lambda lanes, _: ran.append(lanes))
    assert_equal(found, tallies)
    assert 0 < sum(ran) < 2 * CHAINS


@pytest.mark.parametrize("first", [20, 128, 200])
def test_more_chains_later_equal_one_run(first, study, tallies, folder):
    """Below a tile, a tile, and more."""
    small = replace(study, chains=first)
    Store(folder, small).save(api.simulate(small))
    known = Store(folder, study).load()
    assert [t.chains for t in known] == [first] * 2
    assert_equal(api.simulate(study, known), tallies)


def test_tiles_of_another_size_are_refused(study, tallies, folder):
    """Chains would count twice that are both in them and in a tile of 128."""
    store = Store(folder, study)
    [first, second] = tallies
    whole = second.whole._replace(chains=second.tiled - 64)
    store.save([first, second._replace(whole=whole)])
    with pytest.raises(InputError, match=r"smaller tiles of chains.*name another folder"):
        store.load()


def test_a_finished_run_simulates_nothing(study, tallies, folder):
    store = Store(folder, study)
    store.save(tallies)
    ran = []
    assert_equal(api.simulate(study, store.load(), lambda lanes, _: ran.append(lanes)), tallies)
    assert ran == []


# -- whose folder


OTHERS = {
    "theta": {"theta": (0.6,)},
    "dimension": {"theta": (0.5, 0.5)},
    "samples": {"samples": 21},
    "family parameter": {"sigma": 2.0},
    "seed": {"seed": 1},
    "label": {"label": "another"},
    "generations": {"generations": 3},
    "precision": {"precision": "float64"},
    "solver": {"solver": "lbfgs"},
}

SAME = {
    "chains": {"chains": 64},
    "tolerance": {"tolerance": 0.1},
    "confidence": {"confidence": 0.9},
    "chunk": {"chunk": 1024},
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_study_is_refused_and_nothing_touched(name, study, tallies, verification, folder):
    store = Store(folder, study)
    store.save(tallies)
    store.finish(verification)
    before = content(folder)
    with pytest.raises(InputError, match="another study; name another folder") as caught:
        Store(folder, make(**OTHERS[name]))
    assert caught.value.file == str(folder)
    assert content(folder) == before


def test_another_network_or_number_of_conditions_is_refused(study, folder):
    Store(folder, study)
    first, second = study.conditions
    flipped = replace(first, network=first.network.with_feed("b", "a", 5))
    for conditions in ((flipped, second), (first,), (second, first)):
        with pytest.raises(InputError, match="another study"):
            Store(folder, replace(study, conditions=conditions))


@pytest.mark.parametrize("name", SAME)
def test_the_same_numbers_judged_otherwise_are_the_same_study(name, study, tallies, folder):
    Store(folder, study).save(tallies)
    assert_equal(Store(folder, make(**SAME[name])).load(), tallies)


def test_a_folder_of_other_things_is_refused(study, folder):
    folder.mkdir()
    (folder / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="not empty; name a new folder"):
        Store(folder, study)
    assert content(folder) == {"diary.txt": b"dear diary"}


def test_a_file_is_no_folder(study, tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="not a usable folder"):
            Store(path, study)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_damaged_study_file_is_named(text, study, folder):
    Store(folder, study)
    (folder / "study.json").write_text(text)
    with pytest.raises(InputError, match="damaged") as caught:
        Store(folder, study)
    assert caught.value.file == str(folder / "study.json")
    assert (folder / "study.json").read_text() == text


def test_another_format_is_refused_by_its_number(study, folder):
    Store(folder, study)
    path = folder / "study.json"
    about = json.loads(path.read_text())
    assert about.pop("format") == FORMAT
    path.write_text(json.dumps(about))  # as of the first folders
    assert read_about(folder)["identity"] == about["identity"]
    Store(folder, study)
    for changed in ({**about, "format": 99}, {"format": 99}):
        text = json.dumps(changed)
        path.write_text(text)
        for read in (lambda: read_about(folder), lambda: Store(folder, study)):
            with pytest.raises(InputError, match=r"format: has the format 99.*; name another"):
                read()
        assert path.read_text() == text


# -- what others read


def test_verification_json_agrees(study, verification, folder):
    Store(folder, study).finish(verification)
    text = (folder / "verification.json").read_text()
    found = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))
    assert found["verdict"] == verification.verdict
    assert found["chains"] == CHAINS
    assert found["failures"] == verification.failures
    assert sum(c["law"] == "first_order" for c in found["cells"]) == 3 * (2 + 1)
    for cell, expected in zip(found["cells"], verification.cells, strict=True):
        assert cell == asdict(expected) | {"interval": list(expected.interval)}
    assert [g["empirical"] for g in found["growth"]] == [g.empirical for g in verification.growth]


def test_cells_csv_agrees(study, verification, folder):
    Store(folder, study).finish(verification)
    with (folder / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(verification.cells)
    for row, cell in zip(rows, verification.cells, strict=True):
        expected = asdict(cell)
        expected["low"], expected["high"] = expected.pop("interval")
        assert set(row) == set(expected)
        for name, value in expected.items():
            if isinstance(value, float):
                assert float(row[name]) == value
            else:
                assert row[name] == ("" if value is None else str(value))


def test_numbers_that_are_not_finite_are_null_and_empty_studies_fit(study, verification, folder):
    store = Store(folder, study)
    cell = replace(verification.cells[0], empirical=float("nan"), interval=(0.0, float("inf")))
    store.finish(replace(verification, cells=(cell,)))
    [found] = json.loads((folder / "verification.json").read_text())["cells"]
    assert found["empirical"] is None
    assert found["interval"] == [0.0, None]
    store.finish(replace(verification, cells=()))
    assert json.loads((folder / "verification.json").read_text())["cells"] == []
    assert (folder / "cells.csv").read_text().splitlines() == ["condition"]


def test_study_json_says_how_to_repeat_it(study, folder):
    Store(folder, study)
    found = json.loads((folder / "study.json").read_text())
    assert len(found["identity"]) == 64
    versions = found["environment"]["versions"]
    assert versions["jax"] == jax.__version__
    assert versions["numpy"] == np.__version__
    assert set(versions) >= {"mcjax", "jaxlib"}
    assert found["environment"]["device"] == jax.devices()[0].device_kind
    assert found["settings"] == describe(study)["settings"]
    assert found["settings"]["chains"] == CHAINS
    assert [c["label"] for c in found["conditions"]] == ["one", "two"]
    first = found["conditions"][0]
    assert first["seed"] == 0
    assert first["network"]["models"] == ["a", "b"]
    assert first["network"]["feeds"][1]["reader"] == "b"
    assert first["family"]["name"] == "linear"
    assert first["family"]["params"]["sigma"] == 1.0
    assert first["theta"] == [0.5]
    assert first["covariance"] == [[1.0]]
    Store(folder, replace(study, chains=64))
    again = json.loads((folder / "study.json").read_text())
    assert again["identity"] == found["identity"]
    assert again["settings"]["chains"] == 64


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read(study, folder):
    folder.mkdir(mode=0)
    with pytest.raises(InputError, match="--out: cannot be read: Permission denied"):
        Store(folder, study)


def test_estimators_and_arrangements_of_parameters_are_part_of_a_study(study):
    """A folder of one estimator must not go on with another."""

    def with_estimator(**spec):
        first = replace(study.conditions[0], estimator=make_estimator(spec))
        return identity(replace(study, conditions=(first, *study.conditions[1:])))

    sgd = {"name": "sgd", "learning_rate": 0.1, "steps": 5}
    others = [
        with_estimator(name="fit"),
        with_estimator(name="lbfgs"),
        with_estimator(**sgd),
        with_estimator(**(sgd | {"learning_rate": 0.2})),
        with_estimator(**(sgd | {"steps": 6})),
        with_estimator(**(sgd | {"batch_size": 2})),
    ]
    assert len(set(others)) == len(others)
    assert others[0] == identity(study)
    assert with_estimator(**sgd) == others[2]  # whatever function object optax makes
