"""What every selection has, whether it is built in or somebody's own."""

from dataclasses import fields, is_dataclass
from pkgutil import resolve_name

import jax
import numpy as np
import pytest
from kinds import EXAMPLES

import mcjax
from mcjax.models import registry
from mcjax.selections.selection import Selection
from mcjax.study.selections import PLACES

each = pytest.mark.parametrize("kind", PLACES)
MODELS = {name: make() for name, make in registry.FAMILIES.items()}
STRANGE = (None, True, "x", -1.0, np.nan, np.inf, (), (1.0,), ("x", "y"), ((1.0,),), 10**400)


def examples(kind):
    return [own for name, own in EXAMPLES.items() if name.split()[0] == kind]


@each
def test_the_first_field_names_the_kind(kind):
    made = resolve_name(PLACES[kind])
    assert issubclass(made, Selection)
    assert is_dataclass(made)
    assert made.__dataclass_params__.frozen
    assert fields(made)[0].name == kind
    assert getattr(mcjax, made.__name__) is made


@each
def test_examples_are_hashable_pytrees_of_numbers(kind):
    for own in examples(kind):
        leaves, structure = jax.tree.flatten(own.keep)
        assert all(isinstance(leaf, float | int) for leaf in leaves)
        again = jax.tree.unflatten(structure, leaves)
        assert again == own.keep
        assert {again: 1}[own.keep] == 1
        other = jax.tree.map(lambda leaf: leaf + 0.25, own.keep)
        assert jax.tree.structure(other) == structure
        assert (other == own.keep) == (not leaves)


@each
def test_problem_accepts_the_examples(kind):
    for own in examples(kind):
        assert own.keep.values() == own.keep.problem(own.model, own.points[0], False) == ""


@each
def test_problem_names_a_field_and_a_remedy_for_anything(kind):
    """Whatever the model and the values are, it returns a sentence or nothing, and never raises."""
    made = resolve_name(PLACES[kind])
    names = [entry.name for entry in fields(made)]
    for own in examples(kind):
        good = {name: getattr(own.keep, name) for name in names}
        for model in MODELS.values():
            for theta in (np.array([0.5]), np.array([0.5, 0.5]), np.full(7, 0.1)):
                for real in (False, True):
                    for name in names:
                        for value in STRANGE:
                            keep = made(**(good | {name: value}))
                            problem = keep.problem(model, theta, real)
                            assert isinstance(problem, str)
                            assert problem.startswith(keep.values())
                            if problem:
                                field, _, sentence = problem.partition(" ")
                                assert field in names
                                remedies = ("; give ", "leave it out", "not one of")
                                assert any(remedy in sentence for remedy in remedies), problem


@each
def test_a_field_without_meaning_is_refused(kind):
    own = examples(kind)[0]
    first = fields(own.keep)[0].name
    for value in (None, np.nan, "x"):
        keep = type(own.keep)(**(vars(own.keep) | {first: value}))
        assert keep.problem(own.model, own.points[0], False)


def test_a_target_is_for_the_closest_answer():
    from mcjax.selections.best_of import BestOf

    assert BestOf(4, target=1.0).values().startswith("target is for reward = 'closest'")
    assert BestOf(4, "closest", 1.0).values() == ""
