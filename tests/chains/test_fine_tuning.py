"""Fits that begin at a model's own last parameters, at a base, or at another model.

Chains are compared with the same steps in NumPy, on the rows of each chain drawn again.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mcjax

THETA, RATE, STEPS, FIRST = np.array([1.0, -0.5]), 0.3, 3, 2
NETWORK = mcjax.build_network(
    ["a", "b", "still"],
    [("a", "a", 20), ("a", "b", 10), ("real", "b", 15)],
    initial={"a": 30, "b": 25, "still": 20},
)
BASE = (0.25, 0.75)
STARTS = {
    "own": {"start": "own"},
    "another model, and the base of generation 0": {"start": {"a": "still", "b": "base"}},
    "a refit, and a base that is given": {"start": {"a": "refit", "b": "base"}, "base": BASE},
    "scratch": {"start": {"a": "scratch", "b": "own"}},
    "first steps": {"start": {"a": "own", "b": "base"}, "base": BASE, "first_steps": FIRST},
    "first steps from the truth": {"start": "parents", "first_steps": FIRST},
    "a state that is carried": {"start": "own", "state": "carried"},
    "a state from the first steps": {"start": "own", "state": "carried", "first_steps": FIRST},
}


def least_squares(x, y, w):
    return np.linalg.solve((x * w) @ x.T, (x * w) @ y)


def steps_from(theta, velocity, data, momentum, count):
    """Take heavy-ball steps on the mean of ``w (y - x'theta)^2 / 2``."""
    x, y, w = data
    for _ in range(count):
        velocity = momentum * velocity + (x * w) @ (x.T @ theta - y) / w.sum()
        theta = theta - RATE * velocity
    return theta, velocity


def begun(place, name, before, base):
    """Return where a fit begins: ``before`` are the last parameters."""
    if place == "base":
        return base
    return np.zeros(2) if place == "scratch" else before[name if place == "own" else place]


def repeated(compiled, condition, trajectory, settings, momentum):
    """Return the estimates that the rows of a chain lead to, (T + 1, M, p)."""
    names, result = condition.network.models, []
    before, first, velocity = dict.fromkeys(names, THETA), {}, dict.fromkeys(names, np.zeros(2))
    for t, rows in enumerate(mcjax.replay_data(compiled, condition.name, 5, trajectory)):
        now = {}
        for name, feeds in zip(names, rows, strict=True):
            said = settings[name]
            start, few = said.get("start"), said.get("first_steps")
            place = start if isinstance(start, str) else start.get(name, "own")
            if not feeds:
                now[name] = before[name]
                continue
            parts = list(feeds.values())
            data = [np.concatenate([part[k] for part in parts], -1) for k in range(3)]
            if place == "refit" or (t == 0 and not few and place != "parents"):
                now[name] = least_squares(*data)
                continue
            base = said.get("base") or first.get(name, np.zeros(2))
            if place == "parents":
                known = before if t else {}
                behind = [known.get(origin, THETA) for origin in feeds]
                at = np.average(behind, axis=0, weights=[part[2].sum() for part in parts])
            elif t == 0 and place != "base":
                at = np.zeros(2)
            else:
                at = begun(place, name, before, base)
            kept = velocity[name] if said.get("state") == "carried" else np.zeros(2)
            count = few if t == 0 and few else said.get("steps", STEPS)
            now[name], velocity[name] = steps_from(at, kept, data, momentum, count)
        if t == 0:
            first = now
        before = now
        result.append([now[name] for name in names])
    return np.array(result)


def chain_of(estimator):
    """Return a study of three generations, its condition and one of its chains."""
    condition = mcjax.condition(NETWORK, mcjax.linear(), THETA, estimator=estimator)
    study = mcjax.Study((condition,), generations=3, chains=2, precision="float64")
    compiled = mcjax.compile_study(study)
    return compiled, condition, mcjax.replay(compiled, condition.name, 5)


@pytest.mark.system
@pytest.mark.parametrize("case", STARTS)
def test_chains_take_their_steps_from_the_start(case):
    said = STARTS[case]
    momentum = 0.5 if "state" in said else 0.0
    optimiser = optax.sgd(RATE, momentum=momentum or None)
    chain = chain_of(mcjax.Optax(optimiser, STEPS, name="sgd", **said))
    expected = repeated(*chain, dict.fromkeys(NETWORK.models, said), momentum)
    np.testing.assert_allclose(chain[2].theta, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.system
def test_models_of_one_network_are_fitted_in_their_own_ways():
    """Also where one of them carries the state of its optimiser, and another is refitted."""
    said = {
        "a": {"start": "own", "state": "carried", "steps": 4},
        "b": {"start": "parents", "first_steps": FIRST},
        "still": {"start": {"still": "refit"}},
    }
    optimiser = optax.sgd(RATE, momentum=0.5)
    a, b = (mcjax.Optax(optimiser, **{"steps": STEPS} | said[name]) for name in "ab")
    chain = chain_of(mcjax.ByModel(None, {"a": a, "b": b}))
    np.testing.assert_allclose(chain[2].theta, repeated(*chain, said, 0.5), rtol=1e-9)
    assert chain[2].steps[1:, :2].tolist() == 3 * [[4, STEPS]]


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
