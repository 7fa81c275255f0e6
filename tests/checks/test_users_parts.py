"""A user's estimator, memory rule and quantity are tried before chains run."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.checks.case import Case
from mcjax.checks.registry import results_of
from mcjax.engine import simulation
from mcjax.errors import InputError

LOOP = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
CONVERGED, ONE = jnp.int32(mcjax.Status.CONVERGED), jnp.int32(1)


@dataclass(frozen=True)
class Returning:
    """An estimator that returns what it is told to."""

    value: Any
    minimises = True

    def fit(self, model, data, start, key):
        return self.value(model, data, start)


class Unhashable(Returning):
    __hash__ = None


def at_start(model, data, start):
    return mcjax.Fit(start, CONVERGED, ONE)


def solved(model, data, start):
    return mcjax.Fit(jnp.linalg.solve(data.x @ data.x.T, data.x @ data.y), CONVERGED, ONE)


def study_of(estimator=None, memory="replace", quantities=("mse",)):
    net = replace(LOOP, memory=memory) if memory != "replace" else LOOP
    one = mcjax.condition(net, mcjax.linear(), [1.0, 1.0], estimator=estimator)
    return mcjax.Study((one,), generations=1, chains=64, quantities=quantities)


def found(study):
    return {result.name: result for result in results_of(Case(study.conditions[0], study))}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda model, data, start: start, r"returned float64 \(2,\) .*; return mcjax.Fit"),
        (lambda model, data, start: None, "returned NoneType"),
        (
            lambda model, data, start: mcjax.Fit(start[:1], CONVERGED, ONE),
            r"returned \(1,\) for theta .*; return \(2,\)",
        ),
        (lambda model, data, start: mcjax.Fit(start, start[0], ONE), "a status that is no int32"),
        (lambda model, data, start: mcjax.Fit(start, CONVERGED, data.x), "a steps that is no int"),
        (lambda model, data, start: 1 / 0, "failed with ZeroDivisionError: division by zero"),
        (lambda model, data, start: start if start[0] > 0 else 0, "TracerBoolConversionError"),
        (lambda model, data, start: data.z, "AttributeError: 'Dataset' object has no attribute"),
        (lambda model, data, start: exit(), "SystemExit"),
    ],
)
def test_an_estimator_that_returns_no_fit(value, words):
    study = study_of(Returning(value))
    assert not found(study)["estimator"].passed
    for call in (mcjax.predict, mcjax.simulate, mcjax.verify):
        with pytest.raises(InputError, match=f"estimator: .*{words}") as caught:
            call(study)
        assert f"{__file__}:" in str(caught.value)


@pytest.mark.parametrize("call", [mcjax.simulate, mcjax.compile_study])
def test_an_estimator_that_is_no_frozen_dataclass(call):
    by_model = mcjax.ByModel(None, {LOOP.models[0]: Unhashable(at_start)})
    for estimator in (Unhashable(at_start), by_model):
        with pytest.raises(InputError, match="make Unhashable a frozen dataclass"):
            call(study_of(estimator))


@pytest.mark.parametrize("value", [at_start, solved])
def test_an_estimator_that_is_right(value):
    assert found(study_of(Returning(value)))["estimator"].passed


@dataclass(frozen=True)
class Keeping(mcjax.Memory):
    """A memory rule that answers as it is told to."""

    answer: Any
    name = "own"

    def keeps(self, generation, now):
        return self.answer(generation, now)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda generation, now: generation == (now if now > 1 else 0), "TracerBoolConversion"),
        (lambda generation, now: True, r"keeps returned bool \(\) for four generations"),
        (lambda generation, now: generation - now, r"keeps returned int32 \(4,\)"),
        (lambda generation, now: generation.missing, "AttributeError"),
    ],
)
def test_a_memory_rule_that_is_wrong(answer, words):
    study = study_of(memory=Keeping(answer))
    with pytest.raises(InputError, match=f"network.memory: .*{words}") as caught:
        mcjax.simulate(study)
    assert f"{__file__}:" in str(caught.value)


def test_a_memory_rule_that_is_right():
    assert found(study_of(memory=Keeping(lambda generation, now: generation == now)))[
        "memory"
    ].passed


class Own(mcjax.Quantity):
    """A quantity whose claims are those that it is given."""

    name = "own"
    unit = "observed / predicted"

    def __init__(self, claims):
        self.claimed = claims

    def speaks(self, prediction):
        return True

    def claims(self, comparison, outcome):
        return self.claimed(comparison, outcome)

    def planned(self, comparison):
        return [mcjax.UnplannedCells(self.name, 1)]


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (lambda comparison, outcome: outcome.nothing, "AttributeError"),
        (lambda comparison, outcome: [1 / 0], "ZeroDivisionError"),
        (lambda comparison, outcome: None, "TypeError"),
        (lambda comparison, outcome: [3], "claims yielded int .*; yield claims"),
    ],
)
def test_a_quantity_that_is_wrong_is_found_before_chains_run(claims, words, monkeypatch):
    monkeypatch.setattr(simulation, "simulate", None)
    with pytest.raises(InputError, match=f"quantity.own: .*{words}") as caught:
        mcjax.verify(study_of(quantities=("mse", Own(claims))))
    assert f"{__file__}:" in str(caught.value)


def test_a_quantity_sees_what_chains_would_show():
    seen = []

    def claims(comparison, outcome):
        seen.append((outcome.sample.shape, outcome.chains, np.isfinite(outcome.sample).all()))
        return []

    mcjax.verify(study_of(quantities=(Own(claims),)))
    assert [shape for shape, *_ in seen] == [(64, 1, 2)] * len(seen)
    assert len(seen) >= 2


@partial(jax.tree_util.register_dataclass, data_fields=["own"], meta_fields=["draws", "says"])
@dataclass(frozen=True)
class Keep(mcjax.Selection):
    """A selection that does what it is told to."""

    own: float
    draws: Any
    says: Any = lambda self, model, theta, real: ""

    def problem(self, model, theta, real):
        return self.says(self, model, theta, real)

    def draw(self, rows):
        return self.draws(rows)


def kept(keep):
    feeds = [mcjax.Feed("0", "0", 50, keep=keep), mcjax.Feed("real", "0", 50)]
    net = mcjax.build_network(1, feeds, initial=100)
    one = mcjax.condition(net, mcjax.linear(), [1.0, 1.0])
    return mcjax.simulate(mcjax.Study((one,), generations=1, chains=64))


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (Keep(1.0, lambda rows: 1 / 0), "keep: failed with ZeroDivisionError"),
        (Keep(1.0, lambda rows: rows.attempt(0).x), "keep: failed with AttributeError"),
        (Keep(1.0, lambda rows: None if rows.wanted[0] else 1), "TracerBoolConversionError"),
        (Keep(1.0, None, lambda *_: 1 / 0), r"feeds\[0\].keep: failed with ZeroDivisionError"),
        (Keep(1.0, None, lambda *_: None), r"feeds\[0\].keep: failed with AttributeError"),
        (Keep(1.0, None, lambda *_: "own is 1"), r"feeds\[0\].keep.own: is 1"),
    ],
)
def test_a_selection_that_is_wrong(keep, words):
    with pytest.raises(InputError, match=words):
        kept(keep)


def test_a_law_cannot_change_its_condition():
    study = study_of()

    def law(condition, generations):
        condition.model.params["sigma"] = 100.0
        return None, np.tile(np.eye(2), (generations + 1, 1, 1))

    mcjax.predict(study, {"own": mcjax.user_law(law, "own")})
    assert study.conditions[0].model.params["sigma"] == 1.0
    for part in ("theta", "covariance"):

        def writes(condition, generations, part=part):
            getattr(condition, part)[0] = 3.0

        with pytest.raises(InputError, match=r"law.own: .*what mcjax hands over does not change"):
            mcjax.predict(study, {"own": mcjax.user_law(writes, "own")})
