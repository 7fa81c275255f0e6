"""Newton steps of many data sets at once, entry by entry and in blocks, beside one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.chains.program import Path
from mcjax.engine.platforms import compiler_options
from mcjax.estimators.newton_rows import fit_rows
from mcjax.estimators.newton_sums import newton_step
from mcjax.estimators.rows import BLOCK, Rows, panel_widths
from mcjax.models.glm import logistic
from mcjax.models.penalised import penalised
from mcjax.solvers.once import barrier, conditional, fused, hidden, once, stages
from mcjax.solvers.status import Status

FITS, PAIRS, RIDGE = 3, 40, 0.25


def test_panels():
    assert panel_widths(8) == [8]
    assert panel_widths(9) == [5, 4]
    for p in range(9, 21):
        widths = panel_widths(p)
        assert sum(widths) == p
        assert max(widths) == BLOCK
        assert len(set(widths)) <= 2  # few kinds of blocks


def test_blocks_of_one_shape_are_traced_once():
    p = 4 * BLOCK
    y, share = jnp.zeros((2, FITS, PAIRS)), lambda: jnp.ones((FITS, PAIRS))
    model = jax.tree.map(lambda number: jnp.full((FITS, 1), number), logistic())

    def stepped(panels, theta):
        rows = Rows(panels, y, share, jnp.full(FITS, 2.0 * PAIRS))
        with stages(barrier):
            return newton_step(model, rows, theta, theta, jnp.zeros(FITS, jnp.int32))

    panels = (jnp.ones((2, BLOCK, FITS, PAIRS)),) * 4
    traced = jax.make_jaxpr(stepped)(panels, jnp.zeros((p, FITS))).eqns
    for name, calls in (("_of_panel", 4), ("_of_panels", 6)):
        bodies = [eqn.params["jaxpr"] for eqn in traced if eqn.params.get("name") == name]
        assert len(bodies) == calls
        assert len(set(map(id, bodies))) == 1


@pytest.mark.parametrize("p", [3, 12])
def test_steps_are_those_of_one_data_set(p):
    rng = np.random.default_rng(p)
    x, theta = rng.standard_normal((2, p, FITS, PAIRS)), 0.3 * rng.standard_normal((p, FITS))
    last = rng.standard_normal((p, FITS))
    y = rng.integers(0, 2, (2, FITS, PAIRS)).astype(float)
    share = rng.random((FITS, PAIRS))
    panels = tuple(np.split(x, np.cumsum(panel_widths(p))[:-1], 1))
    model = jax.tree.map(
        lambda number: jnp.full((FITS, 1), number), penalised(logistic(), ridge=RIDGE)
    )

    def stepped(panels):
        rows = Rows(panels, jnp.asarray(y), lambda: jnp.asarray(share), jnp.full(FITS, 2.0 * PAIRS))
        with stages(barrier):
            return newton_step(model, rows, jnp.asarray(theta), last, jnp.zeros(FITS, jnp.int32))

    found = jax.jit(stepped, compiler_options=compiler_options(Path.FAST, "cpu"))(panels)
    for f in range(FITS):
        rows, labels = np.concatenate(x[:, :, f], -1), np.concatenate(y[:, f])
        weight = np.tile(share[f], 2)
        mean = 1 / (1 + np.exp(-theta[:, f] @ rows))
        gradient = rows @ (weight * (mean - labels)) + RIDGE * theta[:, f]
        hessian = rows * (weight * mean * (1 - mean)) @ rows.T + RIDGE * np.eye(p)
        step = -np.linalg.solve(hessian, gradient)
        inflation = np.diagonal(hessian) * np.diagonal(np.linalg.inv(hessian))
        np.testing.assert_allclose(found.step[:, f], step, atol=1e-11)
        np.testing.assert_allclose(found.slope[f], gradient @ step, rtol=1e-10)
        np.testing.assert_allclose(found.along[f], gradient @ last[:, f], rtol=1e-10)
        np.testing.assert_allclose(found.unexplained[f], 1 / inflation.max(), rtol=1e-9)
        sizes = (np.abs(a).max() for a in (step, last[:, f], theta[:, f]))
        np.testing.assert_allclose(
            (found.longest[f], found.last[f], found.at[f]), tuple(sizes), atol=1e-11
        )
    assert found.finite.all()


def test_the_compiler_keeps_stages_apart():
    """It computes a stage once that two sums need, and compiles loops once that are the same."""

    def compiled(boundary):
        def program(count, x):
            y = once(count, lambda: jnp.exp(x) * 2)
            return y.sum(1), (y * x).sum(1), hidden(x)

        options, x = compiler_options(Path.FAST, "cpu"), jnp.ones((8, 64), jnp.float32)
        with stages(boundary):
            lowered = jax.jit(program, compiler_options=options).lower(jnp.int32(0), x)
        return lowered.compile().as_text()

    assert compiled(barrier).count("opt-barrier(") == 2
    assert "conditional(" in compiled(conditional)
    text = compiled(fused)
    assert "opt-barrier(" not in text
    assert "conditional(" not in text


def test_covariates_are_not_stored_in_double_precision():
    """Passes in double precision read covariates in single precision, which is less to read."""
    p, fits, pairs = 3, 64, 128

    def fitted(x, y):
        model = jax.tree.map(lambda number: jnp.full((fits, 1), number), logistic())
        share, size = jnp.full((fits, pairs), 0.5 / pairs), jnp.full(fits, 2.0 * pairs)
        status = jnp.full(fits, int(Status.RUNNING), jnp.int32)
        with stages(barrier):
            rows = Rows((x,), y, lambda: share, size)
            return fit_rows(model, rows, jnp.zeros((p, fits)), status)

    x, y = jnp.zeros((2, p, fits, pairs), jnp.float32), jnp.zeros((2, fits, pairs), jnp.float32)
    lowered = jax.jit(fitted, compiler_options=compiler_options(Path.FAST, "cpu")).lower(x, y)
    stored = lowered.compile().memory_analysis().temp_size_in_bytes
    assert stored < 2 * x.nbytes
