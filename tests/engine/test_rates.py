"""Programs that take the rates of optimisers as numbers."""

import numpy as np
import optax
import pytest

import mcjax
from mcjax.engine import engine, rates
from mcjax.estimators.registry import make_estimator

NET = mcjax.topologies.self_loop(samples=6, real=2, initial=8)


def tuned(estimator, label):
    return mcjax.condition(NET, mcjax.linear(), [0.5, -0.5], label=label, estimator=estimator)


def named(rate, momentum=0.5, name="sgd", **more):
    table = {"name": name, "steps": 2, "learning_rate": rate, "start": "own", **more}
    return make_estimator(table if momentum is None else table | {"momentum": momentum})


def chain(estimator, path="auto"):
    study = mcjax.Study((tuned(estimator, "a"),), generations=2, chains=64, path=path)
    return mcjax.replay(study, "a", 5)


@pytest.fixture
def programs(monkeypatch):
    """The programs that were traced, one for each that is compiled."""
    traced, real = [], engine.run_chain
    engine._compiled.cache_clear()
    monkeypatch.setattr(
        engine,
        "run_chain",
        lambda *a, program, **k: traced.append(program) or real(*a, program=program, **k),
    )
    yield traced
    engine._compiled.cache_clear()


def test_one_program_serves_all_rates(programs):
    """Steps, which are none of the rates, are a constant."""
    cases = [named(0.1), named(0.2), named(0.2, 0.9), named(0.1, steps=3)]
    conditions = tuple(tuned(estimator, str(i)) for i, estimator in enumerate(cases))
    mcjax.simulate(mcjax.Study(conditions, generations=2, chains=64))
    assert len({program.estimator.steps for program in programs}) == len(programs) == 2


def test_rates_are_those_that_are_given():
    """A program of numbers makes the chain of a program of constants, and each rate its own."""
    constant = mcjax.Optax(optax.sgd(0.1, 0.5), 2, start="own", name="sgd(0.1, 0.5)")
    for part, other in zip(chain(named(0.1)), chain(constant), strict=True):
        np.testing.assert_array_equal(part, other)
    thetas = [chain(named(*given)).theta for given in ((0.1,), (0.2,), (0.1, 0.6))]
    assert len({np.asarray(theta)[-1].tobytes() for theta in thetas}) == 3


@pytest.mark.parametrize(
    ("table", "numbers"),
    [
        ({"rate": 0.1}, (0.1, 0.5)),
        ({"rate": 1, "momentum": None}, (1.0,)),
        ({"rate": 0.1, "momentum": None, "name": "adam", "b1": 0.8}, (0.1,)),
        ({"rate": 0.1, "momentum": None, "weight_decay": 0.1}, None),  # a product of two rates
    ],
)
def test_what_is_a_rate(table, numbers):
    parts = named(**table).split()
    assert (parts and parts[1]) == numbers


def test_programs_are_put_together_again():
    """Each estimator gets its own rates, in the precision of the fits."""
    before = named(0.1), named(0.3, None)
    program = (
        mcjax.compile_study(mcjax.Study((tuned(before[0], "a"),), generations=2, chains=64))
        .programs[0]
        .program
    )
    form, taken = rates.split(program._replace(first=before[1]))
    assert taken == ((0.1, 0.5), (0.3,))
    assert form == rates.split(program._replace(estimator=named(7), first=named(8, None)))[0]
    found = rates.joined(form, taken)
    for estimator, given in zip(before, (found.estimator, found.first), strict=True):
        numbers = given.split()[1]
        assert [n.dtype for n in numbers] == ["float64"] * len(numbers)
        assert tuple(map(float, numbers)) == estimator.split()[1]
        assert (given.steps, given.start) == (estimator.steps, estimator.start)


def test_equal_estimators_stay_equal():
    """A model that is fitted in one way in all generations is not fitted in two."""
    mixed = mcjax.ByModel(named(0.2), {"0": named(0.1, start="parents")})
    [shared] = mcjax.compile_study(
        mcjax.Study(
            (
                mcjax.condition(
                    mcjax.topologies.ring(3, samples=6, initial=8),
                    mcjax.linear(),
                    [0.5, -0.5],
                    estimator=mixed,
                ),
            ),
            generations=2,
            chains=64,
        )
    ).programs
    form, taken = rates.split(shared.program)
    [other] = rates.joined(form, taken).others
    assert taken == ((0.2, 0.5), (0.1, 0.5))
    assert other.first == other.later
