"""The growth of each workflow is that of the engine's first-order law for a self-loop."""

import math

import numpy as np
import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.logs.growth import growth_of

FITS = 12


@pytest.mark.parametrize("real", [0, 25, 90])
@pytest.mark.parametrize("memory", ["replace", "accumulate", "subsample"])
def test_growth_is_that_of_the_first_order_law(memory, real):
    """In units of the first fit, of a network with 100 rows a generation and at the start."""
    network = mcjax.topologies.self_loop(samples=100 - real, real=real, initial=100, memory=memory)
    condition = mcjax.condition(network, mcjax.linear(), [1.0, -1.0])
    [predictions] = mcjax.predict(mcjax.Study((condition,), generations=FITS - 1))
    mse = predictions.laws["first_order"].mse[:, 0]
    np.testing.assert_allclose(growth_of(f"{memory}:{real / 100}", FITS), mse / mse[0], rtol=1e-9)


def test_growth_without_real_data_has_the_published_form():
    t = np.arange(1, FITS + 1)
    np.testing.assert_allclose(growth_of("replace", FITS), t)
    np.testing.assert_allclose(growth_of("accumulate", FITS), np.cumsum(1 / t**2))
    # both limits are approached like 1 / t
    assert abs(growth_of("accumulate", 10_000)[-1] - math.pi**2 / 6) < 2e-4
    assert abs(growth_of("subsample", 10_000)[-1] - (math.pi**2 / 2 - 2)) < 4e-4


def test_a_generation_is_the_same_whatever_comes_after():
    for law in ("replace:0.5", "accumulate", "subsample:0.1"):
        np.testing.assert_array_equal(growth_of(law, 20)[:FITS], growth_of(law, FITS))


@pytest.mark.parametrize(
    ("law", "words"),
    [
        ("repalce", "did you mean 'replace'?"),
        ("mixture", "give one of replace, accumulate, subsample"),
        ("replace:1", "has no share of real rows from 0 to below 1"),
        ("replace:half", "has no share"),
        ("accumulate:nan", "has no share"),
        ("subsample:", "has no share"),
    ],
)
def test_other_laws_are_refused(law, words):
    with pytest.raises(InputError, match="law: ") as caught:
        growth_of(law, 3)
    assert words in str(caught.value)
