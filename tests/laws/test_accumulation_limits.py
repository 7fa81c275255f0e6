"""Limits where data accumulate, by thin matrices, against whole covariances of late generations."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax.laws.first_order import accumulation_limits, limits
from mcjax.laws.first_order.accumulation_limits import accumulated_limit, accumulated_mean_limit
from mcjax.laws.first_order.lasting import lasting
from mcjax.laws.first_order.linear_system import covariances, means
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT, BatchInformation, Information
from mcjax.network import build_network

GRAM = np.array([[1.0, 0.4], [0.4, 2.0]])
INFORMATION = {
    "one parameter": UNIT,
    "two": Information(BatchInformation(GRAM, GRAM + 0.1), BatchInformation(2 * GRAM, GRAM)),
}


def random_network(rng, memory):
    """Return a network with closed loops, readers of them, real data and a frozen model."""
    size = int(rng.integers(4, 9))
    feeds = [("0", "0", 30), ("1", "2", 40), ("2", "1", 50), ("real", "3", 20), ("3", "3", 60)]
    for i in range(4, size):
        feeds += [(str(j), str(i), int(rng.integers(20, 90))) for j in rng.permutation(size)[:2]]
    feeds = [(j, i, n, float(rng.uniform(0.5, 2))) for j, i, n in feeds]
    initial = {str(i): int(rng.integers(20, 90)) for i in range(size + 1)}
    return build_network(size + 1, feeds, initial, memory=memory)


def projector(a):
    """Return the projector on the eigenvalue 1 by singular vectors of the whole matrix."""
    left, sizes, right = np.linalg.svd(np.eye(len(a)) - a)
    left, right = left[:, sizes < 1e-10], right[sizes < 1e-10].T
    return right @ np.linalg.solve(left.T @ right, left.T)


@pytest.mark.parametrize("information", INFORMATION)
def test_what_lasts_is_the_space_of_eigenvalue_1(information):
    rng = np.random.default_rng(1)
    for _ in range(20):
        a = linear_system(random_network(rng, "accumulate"), INFORMATION[information]).transition
        right, left = lasting(a)
        assert right @ left.T == pytest.approx(projector(a), abs=1e-9)
        assert left.T @ right == pytest.approx(np.eye(right.shape[1]), abs=1e-9)


def test_any_matrix_has_its_space():
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(6, 6))
    a = vectors @ np.diag([1, 1, 1, 0.5, 0.2, 0]) @ np.linalg.inv(vectors)
    right, left = lasting(a)
    assert right @ left.T == pytest.approx(projector(a), abs=1e-9)


def test_rounding_does_not_hide_what_lasts():
    a = np.eye(2) + np.array([[1e-16, 2e-16], [-2e-16, 1e-16]])
    assert lasting(a).right.shape == (2, 2)


@pytest.mark.parametrize("entries", [0, 10**6], ids=["sparse", "dense"])
@pytest.mark.parametrize("memory", ["accumulate", "subsample"])
@pytest.mark.parametrize("information", INFORMATION)
def test_limits_are_what_lasts_of_late_covariances(memory, information, entries, monkeypatch):
    monkeypatch.setattr(accumulation_limits, "MOST_DENSE", entries)
    monkeypatch.setattr(accumulation_limits, "LATE", late := 64)
    rng = np.random.default_rng(2)
    for _ in range(2):
        system = linear_system(random_network(rng, memory), INFORMATION[information])
        size = len(system.transition)
        turned = np.eye(size) + np.triu(rng.uniform(0, 0.2, (size, size)), 1)  # no multiples of I
        own = np.kron(np.eye(size // system.p), np.ones((system.p, system.p)))
        system = replace(system, inertia=system.inertia @ (turned * own))
        p, inertia = projector(system.transition), np.diagonal(system.inertia)
        chosen, noise = np.zeros((size, size)), system.noise
        pools = covariances(system, late)[-1]
        if system.selection is not None:
            start, chosen, ratio = system.selection
            gain = np.linalg.inv(system.inertia + late * np.eye(size))
            pools = pools - (ratio + late - 1)[:, None] * (gain @ (start + late * chosen) @ gain.T)
            noise = noise + system.transition @ chosen @ system.transition.T
        later = noise / (late + 0.5 + (inertia[:, None] + inertia) / 2)
        expected = p @ (pools + later) @ p.T + chosen
        assert accumulated_limit(system) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_means_tend_to_what_lasts_of_them(monkeypatch):
    monkeypatch.setattr(accumulation_limits, "LATE", 64)
    rng = np.random.default_rng(3)
    system = linear_system(random_network(rng, "accumulate"), UNIT)
    p, start = projector(system.transition), rng.normal(size=len(system.transition))
    push = rng.normal(size=len(start))
    push -= p @ push  # of which the models that keep an error know nothing
    system = replace(system, start=start, push=push)
    late = means(system, 64)[-1, :, 0]
    settled = np.linalg.solve(np.eye(len(start)) - system.transition + p, push)
    assert accumulated_mean_limit(system) == pytest.approx(p @ late + settled)
    assert limits.mean_limit(system, np.ones(len(start), bool))[:, 0] == pytest.approx(
        p @ late + settled
    )
