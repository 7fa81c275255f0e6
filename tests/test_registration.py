"""Every built-in part is one line of a table, by the name that the part itself has."""

import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest

import mcjax
from mcjax.estimators import registry as estimators
from mcjax.laws import registry as laws
from mcjax.models import registry as models
from mcjax.models.names import LEAST_SQUARES, is_least_squares
from mcjax.network import registry as memories
from mcjax.network.checks import Draws
from mcjax.network.source import RealData
from mcjax.study import quantities, selections
from mcjax.verdicts.quantities import registry as verdicts

TABLES = {
    "mcjax.models": (models.PLACES, {n: make().name for n, make in models.FAMILIES.items()}),
    "mcjax.laws": (laws.PLACES, {law.name: law.name for law in laws.LAWS}),
    "mcjax.network": (memories.PLACES, {n: rule.name for n, rule in memories.MEMORIES.items()}),
    "mcjax.verdicts.quantities": (
        quantities.PLACES,
        {n: quantity.name for n, quantity in verdicts.QUANTITIES.items()},
    ),
    "mcjax.estimators": (estimators.PLACES, {n: n for n in estimators.ESTIMATORS}),
    "mcjax.selections": (
        selections.PLACES,
        {n: fields(resolve_name(place))[0].name for n, place in selections.PLACES.items()},
    ),
}
WITHOUT_JAX = (
    "mcjax.models.names",
    "mcjax.network",
    "mcjax.study.quantities",
    "mcjax.study.selections",
)


@pytest.mark.parametrize("room", TABLES)
def test_parts_stand_in_their_room_under_their_names(room):
    places, names = TABLES[room]
    assert names == {name: name for name in places}
    for place in places.values():
        module, _, attribute = place.partition(":")
        assert module.startswith(f"{room}.")
        assert attribute.isidentifier()


@pytest.mark.parametrize("module", WITHOUT_JAX)
def test_tables_that_are_read_without_jax(module):
    code = f"import sys, {module}; assert not {{'jax', 'mcjax.verdicts'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_models_fitted_by_ordinary_least_squares():
    made = {name: make() for name, make in models.FAMILIES.items()}
    squares = [n for n, m in made.items() if m.least_squares is not None and m.estimator is None]
    assert tuple(squares) == LEAST_SQUARES
    assert is_least_squares({"name": "linear"})
    assert not is_least_squares({"file": "mine.py", "name": "linear"})
    assert not is_least_squares({})


OWNERS = ("models", "network")
NAMES = {*models.PLACES, *memories.PLACES, *get_args(Draws), *get_args(RealData)}
CLASSES = {type(rule).__name__ for rule in memories.MEMORIES.values()}


def asked(tree):
    """The names with which a program compares, and the classes for which it asks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant):
                    yield part.value
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            yield from (part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name))


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ('if net.memory.name == "subsample": pass', True),
        ('if spec.get("name") in ("linear", "huber"): pass', True),
        ("isinstance(rule, Replace | Accumulate)", True),
        ('match name:\n    case "shared": pass', True),
        ('build_network(2, feeds, 5, draws="shared")', False),
        ("if net.memory.adds_up: pass", False),
    ],
)
def test_questions_are_found(program, found):
    assert bool({*asked(ast.parse(program))} & (NAMES | CLASSES)) == found


def test_nothing_asks_for_the_name_of_a_model_or_of_a_rule():
    """Their rooms alone do; all others ask for what they need to know."""
    root = Path(mcjax.__file__).parent
    wrong = {
        f"{path.relative_to(root)}: {name}"
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] not in OWNERS
        for name in asked(ast.parse(path.read_text(encoding="utf-8")))
        if name in NAMES | CLASSES
    }
    assert not wrong
