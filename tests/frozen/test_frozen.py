"""Results that must not change when the code is rearranged, and that a change is seen."""

import copy
from functools import cache

import jax
import numpy as np
import pytest
from differences import Report, compare_studies
from freeze import STUDIES, compare, load, record

QUICK = ("bernoulli", "linear_growth", "logistic_float32")


@pytest.fixture(autouse=True)
def as_in_the_program():
    """Like ``freeze.py``; optax's L-BFGS, in single precision, leans on promotion."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@cache
def kept():
    return load()[1]


@cache
def found(name):
    return record(name, kept()[name])


def report(old, new):
    total = Report("")
    for one in compare_studies("", old, new):
        total.add(one)
    return total


def test_every_study_is_kept():
    assert set(kept()) == set(STUDIES)


@pytest.mark.by_default("linear_growth")
@pytest.mark.parametrize("name", QUICK)
def test_results_are_what_they_were(name):
    assert report(kept()[name], found(name)).violations == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STUDIES))
def test_all_results_are_what_they_were(name):
    for one in compare([name]):
        assert one.violations == [], str(one)


def scaled(*path, by):
    """Change the numbers at the end of a path by a factor."""

    def change(condition, whole):
        *way, last = path
        for key in way:
            condition = condition[key]
        condition[last] = condition[last] * by

    return change


def one_row(condition, whole):
    place = next(iter(condition["rows"]))
    condition["rows"][place] = condition["rows"][place][::-1]


def one_status(condition, whole):
    condition["replayed"]["101"]["status"][-1, 0] = 6


def one_estimate(condition, whole):
    error = np.sqrt(condition["simulated"]["variance"][2, 1, 0])
    condition["replayed"]["0"]["theta"][2, 1, 0] += 2e-6 * error


def one_count(condition, whole):
    condition["simulated"]["fits"][1, 0, 0] -= 1


def lost_law(condition, whole):
    del condition["laws"]["generative"]


def lost_reason(condition, whole):
    condition["inapplicable"].clear()


def one_verdict(condition, whole):
    whole["cells"][3]["verdict"] = "refuted"


def one_interval(condition, whole):
    whole["cells"][3]["interval"][1] *= 1 + 1e-4


def lost_cell(condition, whole):
    del whole["cells"][5]


def overall(condition, whole):
    whole["verdict"] = "refuted"


CHANGES = {
    "a law, by 2e-12": scaled("laws", "first_order", "numbers", "mse", by=1 + 2e-12),
    "an allowance": scaled("laws", "first_order", "numbers", "allowance", by=1 + 1e-9),
    "a functional": scaled("functionals", "generative", "heterozygosity", by=1 + 1e-9),
    "a mean": scaled("simulated", "mean", by=1.001),
    "products": scaled("simulated", "product", by=1 + 1e-5),
    "an MSE": scaled("simulated", "mse", by=1 + 1e-5),
    **{
        function.__name__: function
        for function in (
            one_row,
            one_status,
            one_estimate,
            one_count,
            lost_law,
            lost_reason,
            one_verdict,
            one_interval,
            lost_cell,
            overall,
        )
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_seen(change):
    changed = copy.deepcopy(kept()["bernoulli"])
    change(changed["conditions"][""], changed)
    assert report(kept()["bernoulli"], changed).violations


def test_what_may_differ_is_told_and_no_violation():
    changed = copy.deepcopy(kept()["bernoulli"])
    condition = changed["conditions"][""]
    condition["laws"]["first_order"]["numbers"]["mse"] *= 1 + 2e-13
    condition["simulated"]["mean"] += 1e-8 * np.sqrt(condition["simulated"]["variance"])
    for name in condition["inapplicable"]:
        condition["inapplicable"][name] += " (said otherwise)"
    total = report(kept()["bernoulli"], changed)
    assert total.violations == []
    assert total.wording
    assert 1e-13 < total.apart["laws"] < 3e-13
    assert 0 < total.apart["moments"] < 1e-7
