"""Tiles reduced by a program, as on accelerators, have the numbers that NumPy computes."""

import re

import jax
import numpy as np
import pytest

import mcjax
from mcjax.chains.program import Trajectory
from mcjax.draws.settings import double_precision, own_settings
from mcjax.engine import spread, summaries
from mcjax.engine.moments import TILE, Tile
from mcjax.engine.outcome import ErrorTotals
from mcjax.engine.survey import LateTotals
from mcjax.engine.tile_program import Plan, Shape, layout, packed, reducing, unpacked

ACCELERATORS = ("cuda", "rocm", "tpu")
REDUCTIONS = (ErrorTotals(), ErrorTotals(beside_pooled=True), LateTotals(2))
CALL = re.compile(r"custom_call @(\w+)")


def close(found, expected):
    """Equal but for rounding, beside the largest number of each array.

    What is beyond the range may be infinite or NaN, as compilers contract a product and a sum.
    """
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True
    ):
        one, other = (np.where(np.isfinite(a), a, np.nan) for a in (one, other))
        largest = np.nanmax(np.abs(other), initial=0.0)
        np.testing.assert_allclose(one, other, 1e-12, 1e-12 * largest, err_msg=str(path))


def tiles(chains=TILE):
    """Three tiles of chains, some of whose estimates are missing, near the end of the range."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(3, 17, 3, 2, chains))
    theta[0, rng.random((17, 3, chains)).repeat(2, 1).reshape(17, 3, 2, chains) < 0.1] = np.nan
    theta[1, 5, 1] *= 1e160
    values = np.where(rng.random((3, 17, 3, 1, chains)) < 0.2, np.nan, theta[..., :1, :])
    status = rng.integers(0, len(mcjax.Status), (3, 17, 3, chains), dtype=np.int32)
    counted = np.ones((3, chains), bool)
    return Tile(theta, status, 2 * status, values, counted=counted, truth=np.array([0.5, -0.5]))


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=str)
def test_a_program_reduces_as_numpy_does(reduction):
    """Those chains that do not count may be anything in a program; NumPy has none."""
    given = tiles(20)
    with np.errstate(all="ignore"):
        expected = reduction.of(given), reduction.sample(given)
    arrays = jax.tree.map(
        lambda a: np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, TILE - 20)], mode="edge"), given[:3]
    )
    values = np.full((*given.values.shape[:-1], TILE), np.nan)
    values[..., :20] = given.values
    truth = np.broadcast_to(given.truth, (3, 2))
    counted = np.broadcast_to(np.arange(TILE) < 20, (3, TILE))
    padded = Tile(*arrays, values, counted=counted, truth=truth)
    shape = Shape(17, 3, 2, 1)

    def run(tile):
        like = layout(reduction, shape)
        numbers = reduction.of(tile)
        return unpacked(packed(numbers, like), like), reduction.sample(tile)

    with own_settings(), double_precision():
        numbers, sample = jax.jit(run)(padded)
    like = jax.tree.map(lambda a, b: np.broadcast_to(a, b.shape), expected[0], numbers)
    close(numbers, like)
    np.testing.assert_array_equal(sample[:, :20], expected[1])


@pytest.fixture
def study():
    """Tiles lie whole in chunks or over their borders; the last of a condition has few chains."""
    net = mcjax.topologies.ring(2, samples=20, real=20, initial=40)
    conditions = tuple(
        mcjax.condition(net, mcjax.linear(), [0.5, k], label=f"{k}") for k in range(5)
    )
    return mcjax.Study(conditions, generations=3, chains=300, chunk=384)


@pytest.fixture
def on_devices(monkeypatch):
    """Return a function after which programs on the devices reduce tiles."""

    def begin():
        for module in (summaries, spread):
            monkeypatch.setattr(module, "works_on_host", lambda platform: False)

    return begin


def test_a_study_on_devices_that_reduce(study, on_devices):
    expected = mcjax.simulate(study)
    on_devices()
    known, ran = mcjax.simulate(study, chains=[3, 3, 3, 3, 200]), []
    found = mcjax.simulate(study, known, lambda chains, _: ran.append(chains))
    close(found, expected)
    assert sum(ran) == 5 * 300 - 128  # none twice


def test_functionals_on_devices_that_reduce(study, on_devices):
    """Their functions are of NumPy; values of the last tiles are missing where chains are."""
    [first, *_] = study.conditions
    condition = mcjax.condition(first.network, mcjax.categorical(), [0.05, 0.25, 0.7])
    study = mcjax.Study((condition,), generations=3, chains=300, chunk=384)
    expected = mcjax.simulate(study)
    on_devices()
    found = mcjax.simulate(study)
    close(found, expected)
    [tally] = expected
    assert (tally.whole.moments.functional.mean[-1] > 0.1).all()


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=str)
def test_programs_lower_for_accelerators(reduction):
    shape, like = Shape(17, 3, 2, 1), jax.ShapeDtypeStruct
    fits = (2, 128, 17, 3)
    chains = Trajectory(like((*fits, 2), np.float32), like(fits, np.int32), like(fits, np.int32))
    plan = Plan(
        like((1, 4), np.int32), like((1, 4), np.int32), like((1, 4, 2), float), like((1,), np.int32)
    )
    with own_settings(), double_precision():
        traced = reducing.trace(
            chains,
            like((*fits, 1), float),
            plan,
            reduction,
            shape=shape,
            devices=tuple(jax.devices()[:1]),
        )
        for platform in ACCELERATORS:
            text = traced.lower(lowering_platforms=(platform,)).as_text()
            assert not CALL.findall(text), platform
