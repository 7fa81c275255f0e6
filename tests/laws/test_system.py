"""The linear law against its definition, written with loops over feeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.laws.first_order.linear_system import LinearSystem, covariances
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT, BatchInformation, Information
from mcjax.network import REAL, Network, build_network

MODES = list(itertools.product(["private", "shared"], ["fresh", "reused"]))


def positive(rng: np.random.Generator, p: int) -> np.ndarray:
    root = rng.normal(size=(p, p))
    return root @ root.T + 0.3 * np.eye(p)


def information(p: int, seed: int = 3) -> Information:
    """All four matrices different."""
    rng = np.random.default_rng(seed)
    batches = [BatchInformation(positive(rng, p), positive(rng, p)) for _ in range(2)]
    return Information(real=batches[0], synthetic=batches[1])


def example(draws: str, real: str) -> Network:
    """A self-loop, an anchored pair with weights, a frozen model and readers in common."""
    feeds = [
        ("a", "a", 30),
        ("a", "b", 30, 2.0),
        ("b", "c", 20),
        ("c", "b", 25, 0.5),
        (REAL, "b", 40, 0.7),
        ("d", "c", 35),
        ("d", "b", 35),
        (REAL, "e", 15),
    ]
    initial = {"a": 10, "b": 40, "c": 12, "d": 13, "e": 15}
    return build_network(tuple("abcde"), feeds, initial, draws=draws, real=real)


def by_loops(net: Network, info: Information) -> LinearSystem:
    p, size = len(info.real.hessian), net.size
    zero = np.zeros((size, p, size, p))
    a, noise, r, x = zero.copy(), zero.copy(), zero.copy(), zero.copy()
    kind = {True: info.real, False: info.synthetic}
    inverse = []
    for i in range(size):
        mine = [f for f in net.feeds if f.reader == net.models[i]]
        k = sum(f.weight * f.samples * kind[f.origin == REAL].hessian for f in mine)
        inverse.append(np.linalg.inv(k) if mine else None)
        if not mine:
            a[i, :, i] = np.eye(p)
        start = np.linalg.inv(info.real.hessian)
        x[i, :, i] = start @ info.real.score_covariance @ start / net.initial[i]
    for f in net.feeds:
        i = net.models.index(f.reader)
        gain = inverse[i] @ (f.weight * f.samples * kind[f.origin == REAL].hessian)
        if f.origin != REAL:
            a[i, :, net.models.index(f.origin)] = gain
        elif net.real == "reused":
            r[i, :, i] = gain
        for g in net.feeds:
            k = net.models.index(g.reader)
            if f != g and not (net.draws == "shared" and f.origin == g.origin != REAL):
                continue
            if f.origin == REAL and net.real == "reused":
                continue
            v = kind[f.origin == REAL].score_covariance
            noise[i, :, k] += f.weight * g.weight * f.samples * inverse[i] @ v @ inverse[k]
    flat = (size * p, size * p)
    frozen = np.array(net.frozen)
    return LinearSystem(*(m.reshape(flat) for m in (a, noise, r, x)), frozen, p)


@pytest.mark.parametrize(("draws", "real"), MODES)
@pytest.mark.parametrize("p", [1, 2, 3])
def test_system_is_its_definition(draws, real, p):
    net, info = example(draws, real), information(p)
    found, expected = linear_system(net, info), by_loops(net, info)
    for field in ("transition", "noise", "reuse", "initial"):
        np.testing.assert_allclose(
            getattr(found, field), getattr(expected, field), rtol=1e-10, atol=1e-14, err_msg=field
        )
    assert found.frozen.tolist() == [False, False, False, True, False]
    assert found.p == p
    assert found.reuse.any() == (real == "reused")
    cross = found.noise.reshape(5, p, 5, p)[1, :, 2]
    assert cross.any() == (draws == "shared")


@pytest.mark.parametrize(("draws", "real"), MODES)
@pytest.mark.parametrize("p", [1, 2])
def test_covariances_are_the_sum_over_past_noise(draws, real, p):
    """``e_t = (A^t + sum_{s<t} A^s R) e_0 + sum_{s<t} A^s noise_{t-s}``, not by recursion."""
    system = linear_system(example(draws, real), information(p))
    found = covariances(system, 6)
    assert found.shape == (7, 5 * p, 5 * p)
    for t in range(7):
        powers = [np.linalg.matrix_power(system.transition, s) for s in range(t + 1)]
        carried = powers[t] + sum(a @ system.reuse for a in powers[:t])
        expected = carried @ system.initial @ carried.T
        expected = expected + sum(a @ system.noise @ a.T for a in powers[:t])
        np.testing.assert_allclose(found[t], expected, rtol=1e-10, atol=1e-15)


def test_covariances_of_simulated_paths():
    """Shared draws and reused data, path by path."""
    system = linear_system(example("shared", "reused"), UNIT)
    rng = np.random.default_rng(0)
    paths, t = 200_000, 4
    start = rng.normal(size=(paths, 5)) @ np.linalg.cholesky(system.initial).T
    values, vectors = np.linalg.eigh(system.noise)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    errors = start
    for _ in range(t):
        errors = errors @ system.transition.T + start @ system.reuse.T
        errors = errors + rng.normal(size=errors.shape) @ root.T
    products = errors[:, :, None] * errors[:, None, :]
    deviations = (products.mean(0) - covariances(system, t)[t]) / (products.std(0) / paths**0.5)
    assert np.abs(deviations).max() < 4.9


@pytest.mark.parametrize(("draws", "real"), MODES)
def test_one_information_for_all_batches_factors_out(draws, real):
    """``Cov(e_t) = c_t x I^-1``, and a sandwich in place of I^-1 if the score is not efficient."""
    net, p = example(draws, real), 3
    batch = information(p).real
    whole = covariances(linear_system(net, Information(batch, batch)), 5)
    scalar = covariances(linear_system(net, UNIT), 5)
    inverse = np.linalg.inv(batch.hessian)
    expected = [np.kron(c, inverse @ batch.score_covariance @ inverse) for c in scalar]
    np.testing.assert_allclose(whole, expected, rtol=1e-9, atol=1e-14)


def test_scalar_coefficients_by_hand():
    """Pooling k synthetic and k real: c_1 = 1/4 c_0 + 1/4 (1/k + 1/k)."""
    fresh = build_network(1, [("0", "0", 10), (REAL, "0", 10)], 10)
    assert covariances(linear_system(fresh, UNIT), 1)[:, 0, 0] == pytest.approx([0.1, 0.075])
    reused = build_network(1, [("0", "0", 10), (REAL, "0", 10)], 10, real="reused")
    # e_1 = e_0 / 2 + xi / 2 + noise and xi = e_0; taken for independent they would give 0.075
    assert covariances(linear_system(reused, UNIT), 1)[:, 0, 0] == pytest.approx([0.1, 0.125])


def test_members_without_real_data_average_exactly():
    """Rounding in K^-1 H must not make a closed loop grow or decay."""
    hard = BatchInformation(np.diag([1.0, 1e-9]) + 1e-10, np.eye(2))
    system = linear_system(build_network(1, [("0", "0", 7)], 7), Information(hard, hard))
    np.testing.assert_array_equal(system.transition, np.eye(2))


def test_singular_hessian_is_an_input_error():
    flat = BatchInformation(np.array([[1.0, 1.0], [1.0, 1.0]]), np.eye(2))
    good = BatchInformation(np.eye(2), np.eye(2))
    net = build_network(["a", "b"], [("a", "b", 5), (REAL, "a", 5)], 5)
    with pytest.raises(InputError, match="'b' is singular"):
        linear_system(net, Information(real=good, synthetic=flat))
    with pytest.raises(InputError, match="'a' is singular"):
        linear_system(net, Information(real=flat, synthetic=good))


def test_extreme_weights_neither_overflow_nor_vanish():
    feeds = [("0", "0", 10, 1e308), (REAL, "0", 10, 1e308)]
    system = linear_system(build_network(1, feeds, 10), UNIT)
    assert system.transition[0, 0] == 0.5
    tiny = linear_system(build_network(1, [("0", "0", 10, 1e-308)], 10), UNIT)
    assert tiny.transition[0, 0] == 1.0
    assert tiny.noise[0, 0] == pytest.approx(0.1)
