"""Published results on memory: replace, accumulate and subsample."""

from __future__ import annotations

import math

import numpy as np

from mcjax.models.location import linear
from mcjax.network import Network, topologies
from mcjax.network.memory import MemoryName
from mcjax.published.entry import (
    ASYMPTOTIC,
    BOUND,
    EXACT,
    Entry,
    Row,
    limit_ratio,
    mean_square,
    risk_ratio,
)
from mcjax.study.study import Condition, Study, condition

GERSTGRASSER = "Gerstgrasser et al. 2024"
P, LATE = 5, 99
"""Parameters of the regressions, and the last generation of those that accumulate data."""


def _loop(n: int, memory: MemoryName) -> Condition:
    net = topologies.self_loop(samples=n, initial=n, memory=memory)
    return condition(net, linear(), np.ones(P), label=memory)


def _replace(depth: int) -> Study:
    return Study((_loop(50, "replace"),), 9, 65_536 * depth)


def _accumulate(depth: int) -> Study:
    return Study((_loop(10_000 * depth, "accumulate"),), LATE, 65_536 * depth)


def _accumulate_few(depth: int) -> Study:
    return Study((_loop(50, "accumulate"),), 9, 65_536 * depth)


def _subsample(depth: int) -> Study:
    return Study((_loop(250 * depth, "subsample"),), 9, 65_536 * depth)


def graphs(n: int) -> dict[str, Network]:
    """Return networks with doubly stochastic shares, whose models accumulate n samples per feed."""
    pool: MemoryName = "accumulate"
    return {
        "ring of 8": topologies.ring(8, samples=n, initial=n, memory=pool),
        "ring of 4": topologies.ring(4, samples=n, initial=n, memory=pool),
        "complete of 4": topologies.complete(4, samples=n // 4, initial=n, memory=pool),
    }


def _on_graphs(depth: int) -> Study:
    n = 10_000 * depth
    two = topologies.complete(2, samples=n // 2, initial=n, memory="accumulate")
    conditions = [
        condition(net, linear(), np.ones(P), label=name)
        for name, net in (graphs(n) | {"complete of 2": two}).items()
    ]
    return Study(tuple(conditions), 29, 49_152 * depth)


def _risk_on_graph(net: Network, fits: int) -> float:
    """Return ``E ||e||^2`` over that of the first fit, by a recursion for each mode of the graph.

    With W the shares of the feeds, a mode of eigenvalue w has the variance d_t, where
    ``(t + 1)^2 d_t = |t + w|^2 d_{t-1} + 1``; models of a circulant graph have the mean over modes.
    """
    shares = np.zeros((net.size, net.size))
    for feed in net.feeds:
        shares[net.index[feed.reader], net.index[feed.origin]] = feed.samples
    modes = np.linalg.eigvals(shares / shares.sum(1, keepdims=True))
    variance = np.ones(net.size)
    for t in range(1, fits):
        variance = (np.abs(t + modes) ** 2 * variance + 1) / (t + 1) ** 2
    return float(variance.mean())


def _harmonic(fits: int) -> float:
    return sum(1 / i**2 for i in range(1, fits + 1))


def _exact_pool(n: int, fits: int) -> float:
    return sum(P / (g * (g * n - P - 1)) for g in range(1, fits + 1))


SUBSAMPLED = {2: 1.75, 5: 2.390833, 10: 2.649303}

ENTRIES = (
    Entry(
        id="A1",
        group="memory",
        claim="replace: the error grows linearly",
        formula="MSE_T = T sigma^2 p / (n - p - 1)",
        reference=f"Dohmatob et al. 2024; {GERSTGRASSER}",
        kind=EXACT,
        study=_replace,
        rows=(Row("n = 50, p = 5, T = 10", *mean_square("finite_sample", 9), 1.13636),),
    ),
    Entry(
        id="A3",
        group="memory",
        claim="accumulate: the error stays bounded",
        formula="M_T = sum_{i <= T} 1 / i^2 -> pi^2 / 6",
        reference=f"{GERSTGRASSER}; Dey & Donoho 2024",
        kind=ASYMPTOTIC,
        study=_accumulate,
        rows=tuple(
            Row(f"T = {fits}", *risk_ratio("first_order", fits - 1), _harmonic(fits))
            for fits in (2, 5, 10, 100)
        ),
    ),
    Entry(
        id="A3'",
        group="memory",
        claim="accumulate, fresh Gaussian designs, at every sample size",
        formula="MSE_T = sigma^2 p sum_g 1 / (g (g n - p - 1))",
        reference="derived in mcjax.laws.least_squares.finite_sample",
        kind=EXACT,
        study=_accumulate_few,
        rows=(Row("n = 50, p = 5, T = 10", *mean_square("finite_sample", 9), _exact_pool(50, 10)),),
    ),
    Entry(
        id="A3''",
        group="memory",
        claim="accumulate on a graph: topology sets the speed, not the limit pi^2 / (6 M)",
        formula="N_t e_t = N_{t-1} e_{t-1} + sum_j n_ij (e_{j,t-1} + noise)",
        reference="derived in mcjax.laws.first_order.accumulation",
        kind=ASYMPTOTIC,
        study=_on_graphs,
        rows=(
            *(
                Row(
                    f"{name}, T = 30",
                    *risk_ratio("first_order", 29, k),
                    _risk_on_graph(net, 30),
                )
                for k, (name, net) in enumerate(graphs(4).items())
            ),
            Row(
                "complete of 2, T = 30, where it has settled",
                risk_ratio("first_order", 29, len(graphs(4)))[0],
                limit_ratio("first_order", len(graphs(4))),
                math.pi**2 / 12,
            ),
        ),
    ),
    Entry(
        id="A5",
        group="memory",
        claim="accumulate, then fit n of all rows so far",
        formula="A_{g+1} = A_g + (2 - 1/g) / (g+1)^2, M_g = A_g + 1 - 1/g -> pi^2 / 2 - 2",
        reference="workflow of Kazdan et al. 2024; derived in mcjax.laws.first_order.accumulation",
        kind=ASYMPTOTIC,
        study=_subsample,
        rows=tuple(
            Row(f"T = {fits}", *risk_ratio("first_order", fits - 1), value)
            for fits, value in SUBSAMPLED.items()
        ),
    ),
    Entry(
        id="A10",
        group="memory",
        claim="accumulate: the supremum over generations",
        formula="sup_T n MSE_T / V <= pi^2 / 6",
        reference="Barzilai & Shamir 2025",
        kind=BOUND,
        study=_accumulate,
        rows=(
            Row(
                "T = 100, where it is largest",
                risk_ratio("first_order", LATE)[0],
                limit_ratio("first_order"),
                math.pi**2 / 6,
            ),
        ),
    ),
)
