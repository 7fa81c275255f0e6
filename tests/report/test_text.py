"""Numbers for people and for scripts."""

import json
import math
import re

import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.models.location import linear
from mcjax.network.topologies import self_loop
from mcjax.numbers import how_many
from mcjax.report.console import show_table, table_console
from mcjax.report.tables import _verdict_table
from mcjax.study.study import Study, condition
from mcjax.study.theory import theory_for
from mcjax.text import json_pieces, number, strict_json, with_error


def parsed(value):
    """As a strict reader takes it."""
    text = strict_json(value)
    return json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in JSON"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (np.float64("nan"), None),
        (np.float32("inf"), None),
        (1.5, 1.5),
        (0.1, 0.1),
        (-0.0, 0.0),
        (None, None),
        (True, True),
        (3, 3),
        (2**70, 2**70),
        ("NaN", "NaN"),
        ("θ", "θ"),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64(0.1), 0.1),
        ((1, 2.5, "a"), [1, 2.5, "a"]),
        ([], []),
        ({}, {}),
        ({1: (math.nan, [math.inf, {"x": -math.inf}])}, {"1": [None, [None, {"x": None}]]}),
        (np.array([[1.0, np.nan], [np.inf, 2.0]]), [[1.0, None], [None, 2.0]]),
        (np.arange(3), [0, 1, 2]),
        (np.array(np.nan), None),
        ({"a": np.zeros((0, 2))}, {"a": []}),
        (jnp.asarray([1.0, jnp.nan]), [1.0, None]),
    ],
)
def test_strict_json(value, expected):
    found = parsed(value)
    assert found == expected
    assert type(found) is type(expected)


def test_strict_json_loses_no_digit():
    values = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-50, 50)
    assert parsed(values) == values.tolist()


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (None, 4, "-"),
        (math.nan, 4, "-"),
        (math.inf, 4, "-"),
        (-math.inf, 4, "-"),
        (0.0, 4, "0"),
        (1.0, 4, "1"),
        (0.0123456, 4, "0.01235"),
        (0.0123456, 3, "0.0123"),
        (-123456.0, 4, "-1.235e+05"),
        (np.float64(2.5), 4, "2.5"),
    ],
)
def test_number(value, digits, expected):
    assert number(value, digits) == expected


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.0231, 0.00045, "0.02310(45)"),
        (1.23456, 0.012, "1.235(12)"),
        (-1.23456, 0.012, "-1.235(12)"),
        (12.34, 4.5, "12.3(45)"),
        (1234.4, 12.3, "1234(12)"),
        (123456.0, 789.0, "123456(789)"),
        (0.5, 0.1, "0.50(10)"),
        (2.0, 0.0, "2"),
        (math.nan, 0.1, "-"),
        (1.0, math.inf, "-"),
        (1.0, math.nan, "-"),
        (0.0, 0.00012, "0.00000(12)"),
    ],
)
def test_with_error(value, error, expected):
    assert with_error(value, error) == expected


def read_back(text):
    """Value, standard error, and the unit of the last digit."""
    shown, bracket = re.fullmatch(r"(-?\d+(?:\.\d+)?)\((\d+)\)", text).groups()
    unit = 10.0 ** -len(shown.partition(".")[2])
    return float(shown), int(bracket) * unit, unit, bracket


@pytest.mark.parametrize("magnitude", range(-12, 5))
def test_brackets_reproduce_the_standard_error(magnitude):
    """Value and error come back within half a unit of the last digit, which is a small part of the
    error; errors of 9.96 and the like, which round up, included."""
    rng = np.random.default_rng(magnitude + 100)
    errors = 10.0 ** (magnitude + rng.random(200))
    errors = [*errors, 10.0**magnitude, 9.949 * 10.0**magnitude, 9.996 * 10.0**magnitude]
    for error in errors:
        value = error * rng.normal() * 10.0 ** rng.integers(0, 3)
        seen, seen_error, unit, bracket = read_back(with_error(value, error))
        half = 0.5 * unit * (1 + 1e-9)
        assert abs(seen - value) <= half + 1e-15 * abs(value)
        assert abs(seen_error - error) <= half
        assert half <= 0.0501 * error
        if error < 9.9:
            assert len(bracket) == 2 or bracket == "100"


@pytest.mark.parametrize("error", [1e-100, 1e-300])
def test_tiny_errors(error):
    assert with_error(error, error).endswith("00010(10)")


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "chain", "0 chains"),
        (1, "condition", "1 condition"),
        (2048, "chain", "2,048 chains"),
        (1, "entry", "1 entry"),
        (2, "entry", "2 entries"),
    ],
)
def test_counts_agree_with_their_nouns(count, noun, text):
    assert how_many(count, noun) == text


def test_lists_of_one_number_are_called_so():
    two, one = (
        Study((condition(self_loop(samples=9, initial=9), linear(), np.ones(p)),)) for p in (2, 1)
    )
    with pytest.raises(InputError, match="has 1 number, and the study's has 2"):
        theory_for(two, one)


def test_a_small_growth_is_shown_whole(capsys):
    growth = with_error(-1.1e-5, 3.8e-6)
    table = _verdict_table(True, {"model": 12, "law": 34})
    table.add_row("a", "first_order", growth)
    show_table(table_console(), table)
    assert growth in capsys.readouterr().out


def test_pieces_of_json_are_the_whole():
    """Iterators of pairs become objects, of which one pair at a time is made."""
    made = []

    def pairs(count):
        for k in range(count):
            made.append(k)
            yield f'"{k}"\n', {"k": [k, math.nan], "none": None}

    fields = {"a\n": {"b": [1, math.inf]}, "none": pairs(0), "some": pairs(3), "last": "\n"}
    pieces = json_pieces(fields)
    begun = [next(pieces) for _ in range(6)]
    assert made == [0]
    found = json.loads("".join([*begun, *pieces]))
    some = {f'"{k}"\n': {"k": [k, None], "none": None} for k in range(3)}
    assert found == {"a\n": {"b": [1, None]}, "none": {}, "some": some, "last": "\n"}
    assert json.loads("".join(json_pieces({}))) == {}
