"""Every built-in part is one line of a table, by the name that the part itself has."""

import subprocess
import sys

import pytest

from mcjax.estimators import registry as estimators
from mcjax.laws import registry as laws
from mcjax.models import registry as models
from mcjax.models.names import LEAST_SQUARES, is_least_squares
from mcjax.network import registry as memories
from mcjax.study import quantities
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
}
WITHOUT_JAX = ("mcjax.models.names", "mcjax.network", "mcjax.study.quantities")


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
