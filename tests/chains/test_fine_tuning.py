"""Fits that begin at a model's own last parameters, at a base, or at another model.

Chains are compared with the same steps in NumPy, on the rows of each chain drawn again.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mcjax

THETA, RATE, STEPS = np.array([1.0, -0.5]), 0.3, 3
NETWORK = mcjax.build_network(
    ["a", "b", "still"],
    [("a", "a", 20), ("a", "b", 10), ("real", "b", 15)],
    initial={"a": 30, "b": 25, "still": 20},
)
BASE = (0.25, 0.75)
STARTS = {
    "own": ("own", None),
    "another model, and the base of generation 0": ({"a": "still", "b": "base"}, None),
    "a refit, and a base that is given": ({"a": "refit", "b": "base"}, BASE),
}


def least_squares(x, y, w):
    return np.linalg.solve((x * w) @ x.T, (x * w) @ y)


def steps_from(theta, x, y, w):
    """Take the steps of gradient descent on the mean of ``w (y - x'theta)^2 / 2``."""
    for _ in range(STEPS):
        theta = theta - RATE * (x * w) @ (x.T @ theta - y) / w.sum()
    return theta


def begun(start, name, before, first):
    place = start if isinstance(start, str) else start.get(name, "own")
    if place == "base":
        return first[name]
    return before[name if place == "own" else place]


def repeated(compiled, condition, trajectory, start, base):
    """Return the estimates that the rows of a chain lead to, (T + 1, M, p)."""
    names, result = condition.network.models, []
    before: dict = {}
    first: dict = {}
    for t, rows in enumerate(mcjax.replay_data(compiled, condition.name, 5, trajectory)):
        now = {}
        for name, feeds in zip(names, rows, strict=True):
            if not feeds:
                now[name] = before[name]
                continue
            parts = list(feeds.values())
            x, y, w = (np.concatenate([part[k] for part in parts], -1) for k in range(3))
            refit = t == 0 or (not isinstance(start, str) and start.get(name) == "refit")
            if refit:
                now[name] = least_squares(x, y, w)
            else:
                now[name] = steps_from(begun(start, name, before, first), x, y, w)
        if t == 0:
            first = dict.fromkeys(names, BASE) if base else now
        before = now
        result.append([now[name] for name in names])
    return np.array(result)


@pytest.mark.system
@pytest.mark.parametrize("case", STARTS)
def test_chains_take_their_steps_from_the_start(case):
    start, base = STARTS[case]
    estimator = mcjax.Optax(optax.sgd(RATE), STEPS, name="sgd", start=start, base=base)
    condition = mcjax.condition(NETWORK, mcjax.linear(), THETA, estimator=estimator)
    study = mcjax.Study((condition,), generations=3, chains=2, precision="float64")
    compiled = mcjax.compile_study(study)
    trajectory = mcjax.replay(compiled, condition.name, 5)
    expected = repeated(compiled, condition, trajectory, start, base)
    np.testing.assert_allclose(trajectory.theta, expected, rtol=1e-9)


@pytest.mark.system
def test_a_fit_that_is_not_at_a_minimum_has_not_failed():
    estimator = mcjax.Optax(optax.sgd(1e-3), 1, name="sgd", start="own")
    condition = mcjax.condition(NETWORK, mcjax.logistic(), THETA, estimator=estimator)
    study = mcjax.Study((condition,), generations=2, chains=2)
    trajectory = mcjax.replay(mcjax.compile_study(study), condition.name, 0)
    later = trajectory.status[1:, :2]
    assert (later == mcjax.Status.CONVERGED).all()


@pytest.mark.system
def test_models_that_begin_at_one_without_an_estimate_have_none():
    """Steps that diverge leave nothing to begin at, for the model and for others."""
    network = mcjax.build_network(
        ["a", "b"], [("a", "a", 20), ("real", "b", 20)], initial={"a": 30, "b": 30}
    )
    estimator = mcjax.Optax(optax.sgd(1e200), 3, name="sgd", start={"b": "a"})
    condition = mcjax.condition(network, mcjax.linear(), THETA, estimator=estimator)
    study = mcjax.Study((condition,), generations=2, chains=2)
    status = mcjax.replay(mcjax.compile_study(study), condition.name, 0).status
    assert status[1].tolist() == [mcjax.Status.OVERFLOW, mcjax.Status.OVERFLOW]
    assert status[2].tolist() == [mcjax.Status.PARENT_FAILED, mcjax.Status.PARENT_FAILED]


def test_batches_with_replacement_repeat_rows():
    """Weights of rows after one step of a batch as large as the data are those of a bootstrap."""
    n, padding = 50, 10
    weight = jnp.where(jnp.arange(n + padding) % 6 == 5, 0.0, 1.0)
    data = mcjax.Dataset(jnp.eye(n + padding), jnp.ones(n + padding), weight)
    plain, repeats = (
        mcjax.Optax(optax.sgd(1.0), 1, batch_size=n, replacement=replacement)
        for replacement in (False, True)
    )
    start, key = jnp.zeros(n + padding), jax.random.key(0)
    once = np.round(n * np.asarray(plain.fit(mcjax.linear(), data, start, key).theta), 4)
    drawn = np.round(n * np.asarray(repeats.fit(mcjax.linear(), data, start, key).theta), 4)
    assert sorted(once) == [0.0] * padding + [1.0] * n
    assert drawn.sum() == n
    assert (drawn[np.asarray(weight) == 0] == 0).all()
    assert len(set(drawn.tolist())) > 2  # some rows are missing, and some come several times


def test_passes_in_the_same_order_repeat_their_batches():
    """Two rows in batches of one: a second pass in the same order takes them as the first did."""
    data = mcjax.Dataset(jnp.eye(2), jnp.ones(2), jnp.ones(2))
    rates = optax.sgd(lambda count: 1e-3 * 10.0**count)  # tells the steps apart
    start, seen = jnp.zeros(2), {"same_order": set(), "reshuffled": set()}
    for batches, found in seen.items():
        estimator = mcjax.Optax(rates, 4, batch_size=1, batches=batches)
        fit = jax.jit(lambda key, e=estimator: e.fit(mcjax.linear(), data, start, key).theta)
        for k in range(12):
            found.add(tuple(np.round(np.asarray(fit(jax.random.key(k))), 6).tolist()))
    assert len(seen["same_order"]) == 2
    assert len(seen["reshuffled"]) == 4
