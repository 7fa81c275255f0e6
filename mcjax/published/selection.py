"""Published results on selected data: verifiers, and curated loops that keep the best of K."""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr

from mcjax.models.gaussian import gaussian
from mcjax.models.location import linear
from mcjax.network import REAL, Feed, build_network
from mcjax.published.entry import (
    ASYMPTOTIC,
    Entry,
    Row,
    limit_ratio,
    parameter,
    risk_ratio,
    settled_parameter,
)
from mcjax.selections.best_of import BestOf
from mcjax.selections.verifier import Verifier
from mcjax.study.study import Condition, Study, condition

YI, FERBACH = "Yi, Liu, Cheng & Xu 2026", "Ferbach, Bertrand, Bose & Gidel 2024"
P, DISTANCE, WITHIN = 5, 1.0, 1.0
"""Parameters of the regressions, distance from truth to verifier, and r; the noise is 1."""
FITTED, SETTLED, CURATED, MIXED = 250, 4, 8, 20
"""Rows of the regressions, and last generations: of these, and of curated loops."""
REAL_SHARE = 0.5


def _density(z: float) -> float:
    return math.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def truncated(a: float) -> float:
    """Return the variance of a standard normal variable between -a and a."""
    return 1 - 2 * a * _density(a) / float(ndtr(a) - ndtr(-a))


def contraction(distance: float, within: float) -> float:
    """Return the factor by which a generation takes an estimate closer to the verifier."""
    spread = 1 + distance**2
    kept = truncated(within / math.sqrt(spread))
    return kept * spread / (kept * spread + 1 - kept)


def largest(count: int) -> tuple[float, float]:
    """Return mean and variance of the largest of K standard normal variables."""
    first, second = (
        quad(lambda z, k=k: z**k * count * _density(z) * ndtr(z) ** (count - 1), -12, 12)[0]
        for k in (1, 2)
    )
    return first, second - first**2


def _verified(centre: float, rows: int, label: str) -> Condition:
    """Return a loop that reads its own verified output; the verifier is at 0."""
    truth = np.zeros(P)
    truth[0] = centre
    keep = Verifier((0.0,) * P, WITHIN)
    net = build_network(["model"], [Feed("model", "model", rows, keep=keep)], rows)
    return condition(net, linear(), truth, label=label)


def _verifier(depth: int) -> Study:
    conditions = (
        _verified(DISTANCE, FITTED * depth, "away"),
        _verified(0.0, FITTED * depth, "settled"),
    )
    return Study(conditions, SETTLED, 65_536 * depth)


def _curated(count: int, real: float, rows: int) -> Condition:
    own = round((1 - real) * rows)
    feeds = [Feed("model", "model", own, keep=BestOf(count))]
    if own < rows:
        feeds.append(Feed(REAL, "model", rows - own))
    net = build_network(["model"], feeds, rows)
    return condition(net, gaussian(), [0.0, 1.0], label=f"best of {count}, {real:g} real")


def _alone(depth: int) -> Study:
    conditions = tuple(_curated(count, 0.0, 1000 * depth) for count in (2, 4))
    return Study(conditions, CURATED, 2048 * depth)


def _mixed(depth: int) -> Study:
    return Study((_curated(2, REAL_SHARE, 1000 * depth),), MIXED, 2048 * depth)


def _drift(count: int, generations: int) -> float:
    mean, variance = largest(count)
    return mean * sum(variance ** (t / 2) for t in range(generations))


def _mixture(count: int, real: float) -> tuple[float, float]:
    """Return mean and variance that a curated loop keeps with a share of real data."""
    mean, variance = largest(count)
    odds = (1 - real) / real
    settled = real / (1 - (1 - real) * variance - odds * mean**2)
    return odds * mean * math.sqrt(settled), settled


REWARD, SPREAD = _mixture(2, REAL_SHARE)
FIRST = contraction(DISTANCE, WITHIN) * DISTANCE
KAPPA = truncated(WITHIN)
ENTRIES = (
    Entry(
        id="C1",
        group="selection",
        claim="data that a verifier accepts: estimates contract to the verifier, not the truth",
        formula="v -> c + rho (v - c), rho = k w^2 / (k w^2 + (1-k) sigma^2), k = kappa(r/w),"
        " w^2 = sigma^2 + |v-c|^2;  at c: n C -> sigma^2 kappa / (1 - kappa^2)",
        reference=f"convergence to the verifier: {YI}; rho and variance derived in"
        " mcjax.selections.verified",
        kind=ASYMPTOTIC,
        study=_verifier,
        rows=(
            Row("distance after 1 generation", *parameter(0, 1), FIRST),
            Row("after 2", *parameter(0, 2), FIRST * contraction(FIRST, WITHIN)),
            Row(
                "risk at the verifier",
                risk_ratio("first_order", SETTLED, 1)[0],
                limit_ratio("first_order", 1),
                KAPPA / (1 - KAPPA**2),
            ),
        ),
    ),
    Entry(
        id="C2",
        group="selection",
        claim="a curated loop, the best of K answers: the reward grows until no spread is left",
        formula="s_t = v_K^t s_0;  mu_t = mu_0 + e_K sqrt(s_0) sum_{i < t} v_K^(i/2)",
        reference=f"maximal reward, vanishing spread: {FERBACH}; e_K and v_K are mean and variance"
        " of the largest of K normal variables",
        kind=ASYMPTOTIC,
        study=_alone,
        rows=tuple(
            row
            for place, count in enumerate((2, 4))
            for row in (
                Row(
                    f"reward, K = {count}, T = {CURATED}",
                    *parameter(0, CURATED, place),
                    _drift(count, CURATED),
                ),
                Row(
                    f"variance, K = {count}, T = {CURATED}",
                    *parameter(1, CURATED, place),
                    largest(count)[1] ** CURATED,
                ),
            )
        ),
    ),
    Entry(
        id="C3",
        group="selection",
        claim="a curated loop with real data keeps a mixture",
        formula="mu = (1-r)/r e_K s, s^2 = r s_0^2 / (1 - (1-r) v_K - (1-r)/r e_K^2)",
        reference=f"stability with real data: {FERBACH}; formula derived in"
        " mcjax.laws.first_order.normal_population",
        kind=ASYMPTOTIC,
        study=_mixed,
        rows=(
            Row("reward, K = 2, half real", *settled_parameter(0, MIXED), REWARD),
            Row("variance, K = 2, half real", *settled_parameter(1, MIXED), SPREAD),
        ),
    ),
)
