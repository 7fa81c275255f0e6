"""Published results on weights of real data, growing samples and biased labels."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar

from mcjax.laws.first_order.limits import limit
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.models.location import linear
from mcjax.network import Network, Source, build_network, topologies
from mcjax.published.entry import (
    ASYMPTOTIC,
    ChainEstimate,
    Entry,
    Observe,
    Predict,
    Results,
    Row,
    limit_ratio,
    mean_square,
    risk_ratio,
    settled_floor,
    settled_variance,
)
from mcjax.study.study import Condition, Study, condition

HE = "He, Xu & Cheng 2025"
P, LATE, N = 5, 15, 10_000
"""Parameters of the regressions, a generation at which risks have settled, and rows of a feed."""
BIASED, OWN, OFFSET = 0.2, 0.5, (1.0, -2.0)
"""Share of biased labels, share of a model's own output beside them, and how far off their truth
is there."""
SPAN, DEGREE = np.linspace(-0.2, 0.2, 9), 3
"""Simulated weights, relative to the best one, and degree of the polynomial through their risks.

The simulated best weight is where the polynomial is lowest. By the law itself that is 0.1% too low.
"""


def weighted_loop(weight: float, ratio: int, n: int) -> Network:
    """Return a model that reads real data and its own output of the last generation.

    Parameters
    ----------
    weight : float
        Total weight of the real rows; its own rows have the rest.
    ratio : int
        Number of fresh real rows for each row of its own output.
    n : int
        Rows of its own output.
    """
    feeds = [("real", "model", ratio * n, weight / ratio), ("model", "model", n, 1 - weight)]
    return build_network(["model"], feeds, ratio * n)


def settled_risk(weight: float, ratio: int) -> float:
    """Return the law's limit of the risk of the weighted loop, over the risk of the first fit."""
    system = linear_system(weighted_loop(weight, ratio, 1000), UNIT)
    return float(limit(system, np.array([True]))[0, 0] / system.initial[0, 0])


def best_weight(ratio: int) -> float:
    """Return the weight of real data that minimises the law's limit, found by a search."""
    minimum = minimize_scalar(
        settled_risk, bounds=(0.01, 0.99), args=(ratio,), method="bounded", options={"xatol": 1e-9}
    )
    return float(minimum.x)


def _loop(weight: float, ratio: int, depth: int) -> Condition:
    net = weighted_loop(weight, ratio, N * depth)
    return condition(net, linear(), np.ones(P), label=f"k={ratio}, w={weight:.3f}")


def _weights(depth: int) -> Study:
    best = best_weight(1)
    about = [_loop(best + off, 1, depth) for off in SPAN]
    others = [_loop(0.5, 1, depth), _loop(0.8, 1, depth), _loop(best_weight(2), 2, depth)]
    pool = build_network(
        ["model"], [("real", "model", 2 * N * depth), ("model", "model", N * depth)], 2 * N * depth
    )
    pooled = condition(pool, linear(), np.ones(P), label="pooled")
    return Study((*about, *others, pooled), LATE, 65_536 * depth)


def _simulated_best(results: Results) -> ChainEstimate:
    """Return the weight that minimises a polynomial fitted to the simulated risks.

    Its standard error is computed by linearisation.
    """
    weights = best_weight(1) + SPAN
    risks = [risk_ratio("first_order", LATE, k)[0](results) for k in range(len(SPAN))]
    values = np.array([risk.value for risk in risks])

    def lowest(risk: np.ndarray) -> float:
        curve = np.polynomial.Polynomial.fit(weights, risk, DEGREE)
        ends = (weights[0], weights[-1])
        return float(minimize_scalar(curve, bounds=ends, method="bounded").x)

    at, step = lowest(values), 1e-4
    slopes = [(lowest(values + step * unit) - at) / step for unit in np.eye(len(values))]
    error = math.hypot(*(s * r.error for s, r in zip(slopes, risks, strict=True)))
    return ChainEstimate(at, error, risks[0].chains, risks[0].lost)


def _settled(place: int) -> tuple[Observe, Predict]:
    return risk_ratio("first_order", LATE, place)[0], limit_ratio("first_order", place)


def _growing(depth: int) -> Study:
    conditions = [
        condition(
            topologies.self_loop(samples=N * depth, initial=N * depth, growth=growth),
            linear(),
            np.ones(P),
            label=f"growth={growth}",
        )
        for growth in (1.0, 2.0)
    ]
    return Study(tuple(conditions), 29, 65_536 * depth)


def _biased(depth: int) -> Study:
    rows, delta = 20_000 * depth, np.full(P, P**-0.5)
    off = Source("biased", theta=tuple(np.ones(P) + delta))
    feeds = [
        ("real", "model", round(rows * (1 - BIASED))),
        ("biased", "model", round(rows * BIASED)),
    ]
    net = build_network(["model"], feeds, rows, sources=[off])
    return Study((condition(net, linear(), np.ones(P)),), 1, 1024 * depth)


def _floor(results: Results) -> float:
    """Return the limit of the risk as n grows: the square of the law's mean error."""
    mean = results[0].predictions.laws["first_order"].mean
    assert mean is not None  # a source is biased
    return float((mean[1, 0] ** 2).sum())


def _biased_loop(depth: int) -> Study:
    rows, truth = 1000 * depth, np.ones(2)
    off = Source("biased", theta=tuple((truth + OFFSET).tolist()))
    feeds = [
        ("real", "model", round(rows * (1 - BIASED - OWN))),
        ("biased", "model", round(rows * BIASED)),
        ("model", "model", round(rows * OWN)),
    ]
    net = build_network(["model"], feeds, rows, sources=[off])
    return Study((condition(net, linear(), truth),), ECHOED, 65_536 * depth)


def _amplified() -> tuple[float, float]:
    """Return the floor and n times the trace of the covariance of the loop with biased labels.

    Labels at a distance d from the centre of a fit add ``|d|^2 I + d d'`` to the noise of scores.
    """
    p, length = len(OFFSET), float(np.square(OFFSET).sum())
    centre = BIASED / (1 - OWN)  # in units of the offset
    apart = (1 - BIASED - OWN) * centre**2 + BIASED * (1 - centre) ** 2
    return centre**2 * length, (p + (p + 1) * apart * length) / (1 - OWN**2)


ECHOED = 10
"""Last generation of the loop with biased labels."""
FLOOR, VARIANCE = _amplified()
MIDDLE = len(SPAN) // 2
GOLDEN = (math.sqrt(5) - 1) / 2
ENTRIES = (
    Entry(
        id="A6",
        group="weights",
        claim="fresh real data of weight w and the last synthetic data: the best w is 1 / golden"
        " ratio",
        formula="M_t = (1-w)^2 M_{t-1} + w^2 + k (1-w)^2;"
        "  w* = (sqrt(k^2 + 4 k) - k) / 2 = M_inf(w*)",
        reference=HE,
        kind=ASYMPTOTIC,
        study=_weights,
        rows=(
            Row("best w, k = 1", _simulated_best, lambda results: best_weight(1), GOLDEN),
            Row("risk at the best w, k = 1", *_settled(MIDDLE), GOLDEN),
            Row("risk at w = 0.5, k = 1", *_settled(len(SPAN)), 2 / 3),
            Row("risk at w = 0.8, k = 1", *_settled(len(SPAN) + 1), 0.708333),
            Row("risk at the best w, k = 2", *_settled(len(SPAN) + 2), math.sqrt(3) - 1),
            Row("risk of pooling, k = 2", *_settled(len(SPAN) + 3), 3 / 4),
        ),
    ),
    Entry(
        id="A9",
        group="weights",
        claim="growing samples: the error is bounded if and only if sum 1/n_t is finite",
        formula="MSE_T = V sum_{t <= T} 1 / n_t",
        reference="Xu, He & Cheng 2025",
        kind=ASYMPTOTIC,
        study=_growing,
        rows=(
            Row(
                "n_t = n t, T = 30",
                *risk_ratio("first_order", 29, 0),
                1 + sum(1 / t for t in range(1, 30)),
            ),
            Row(
                "n_t = n t^2, T = 30",
                *risk_ratio("first_order", 29, 1),
                1 + sum(1 / t**2 for t in range(1, 30)),
            ),
        ),
    ),
    Entry(
        id="A11",
        group="weights",
        claim="a constant share of biased labels: more samples do not lower the risk below a floor",
        formula="risk -> p_2^2 ||delta||^2",
        reference="Dohmatob et al. 2025",
        kind=ASYMPTOTIC,
        study=_biased,
        rows=(
            Row("p_2 = 0.2, ||delta|| = 1", mean_square("first_order", 1)[0], _floor, BIASED**2),
        ),
    ),
    Entry(
        id="A11'",
        group="weights",
        claim="beside a share s of its own output, biased labels count for p_2 / (1 - s)",
        formula="||E e||^2 -> (p_2 / (1-s))^2 ||delta||^2",
        reference="floor without own output: Dohmatob et al. 2025; with it, derived in"
        " mcjax.laws.first_order.path_system",
        kind=ASYMPTOTIC,
        study=_biased_loop,
        rows=(
            Row("p_2 = 0.2, s = 0.5, delta = (1, -2)", *settled_floor(ECHOED), FLOOR),
            Row("n tr C, the same", *settled_variance(), VARIANCE),
        ),
    ),
)
