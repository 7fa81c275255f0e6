"""Published results on generative models: normal, categorical, Bernoulli and Poisson."""

from __future__ import annotations

import math

from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.network import Network, build_network, topologies
from mcjax.network.memory import MemoryName
from mcjax.published.entry import EXACT, Entry, Row, functional, mean_square
from mcjax.study.study import Study, condition

SHUMAILOV = "Shumailov et al. 2024"
ALPHA = math.sqrt(2 / 9) * math.gamma(5) / math.gamma(4.5)
"""``E sigma_{t+1} / sigma_t`` at n = 10: .972659."""
RATE = -0.057603
"""``E log(sigma_{t+1} / sigma_t)`` at n = 10."""


def _loop(n: int, memory: MemoryName = "replace") -> Network:
    return topologies.self_loop(samples=n, initial=n, memory=memory)


def _normal(depth: int) -> Study:
    net, truth = _loop(10), [0.0, 1.0]
    return Study((condition(net, gaussian(), truth),), 9, 262_144 * depth)


def _biased_normal(depth: int) -> Study:
    conditions = (
        condition(_loop(20), gaussian(unbiased=False), [0.0, 1.0], label="replace"),
        condition(_loop(10, "accumulate"), gaussian(unbiased=False), [0.0, 1.0], label="pool"),
    )
    return Study(conditions, 19, 131_072 * depth)


def _classes(depth: int) -> Study:
    pair = build_network("ab", [("a", "a", 50), ("a", "b", 25), ("real", "b", 25)], 50)
    conditions = (
        condition(_loop(50), categorical(), [0.1, 0.9], label="loop"),
        condition(pair, categorical(), [0.6, 0.3, 0.1], label="pair"),
    )
    return Study(conditions, 20, 196_608 * depth)


def _yes_or_no(depth: int) -> Study:
    return Study((condition(_loop(40), bernoulli(), [0.2]),), 20, 65_536 * depth)


def _events(depth: int) -> Study:
    return Study((condition(_loop(10), poisson_mean(), [1.0]),), 49, 262_144 * depth)


ENTRIES = (
    Entry(
        id="B1",
        group="generative",
        claim="normal, unbiased variance: its mean is constant, yet it vanishes in almost every"
        " chain",
        formula="E s_t = s_0;  E sigma_t = alpha(n)^t sigma_0;"
        "  E log sigma_t = t (psi((n-1)/2) - log((n-1)/2)) / 2",
        reference=f"{SHUMAILOV}; Kazdan et al. 2024",
        kind=EXACT,
        study=_normal,
        rows=(
            Row("E s, n = 10, T = 5", *functional("variance", "generative", 4), 1.0),
            Row("E sigma, n = 10, T = 10", *functional("deviation", "lineage", 9), ALPHA**10),
            Row(
                "E log sigma, n = 10, T = 10",
                *functional("log_deviation", "lineage", 9),
                10 * RATE,
            ),
        ),
    ),
    Entry(
        id="B2",
        group="generative",
        claim="normal, variance with 1/n: its mean vanishes too, unless data accumulate",
        formula="E s_T = (1 - 1/n)^T s_0;"
        "  accumulate: prod_i (1 - 1/(n i^2)) -> sin(pi/sqrt(n)) / (pi/sqrt(n))",
        reference="Kazdan et al. 2024",
        kind=EXACT,
        study=_biased_normal,
        rows=(
            Row("n = 20, T = 10", *functional("variance", "generative", 9), (1 - 1 / 20) ** 10),
            Row(
                "accumulate, n = 10, T = 20",
                *functional("variance", "generative", 19, 1),
                math.prod(1 - 1 / (10 * i**2) for i in range(1, 21)),
            ),
        ),
    ),
    Entry(
        id="B3",
        group="generative",
        claim="categorical: diversity is lost, rare classes first",
        formula="E[P(1-P)] = p(1-p)(1-1/n)^t;  extinction by the Wright-Fisher chain",
        reference=f"{SHUMAILOV}; Seddik et al. 2024",
        kind=EXACT,
        study=_classes,
        rows=(
            Row(
                "diversity, p = (.1, .9), n = 50, T = 20",
                *functional("heterozygosity", "generative", 19),
                2 * 0.09 * (1 - 1 / 50) ** 20,
            ),
            Row("extinct, p = .1, n = 50, T = 20", *functional("rarest_extinct", "extinction", 19)),
            Row("reader, half real: E ||p - p*||^2", *mean_square("generative", 19, 1)),
        ),
    ),
    Entry(
        id="B4",
        group="generative",
        claim="Bernoulli: the same in one number",
        formula="E[P(1-P)] = p(1-p)(1-1/n)^t",
        reference="Suresh et al. 2024",
        kind=EXACT,
        study=_yes_or_no,
        rows=(
            Row(
                "diversity, p = .2, n = 40, T = 20",
                *functional("heterozygosity", "generative", 19),
                2 * 0.16 * (1 - 1 / 40) ** 20,
            ),
            Row("extinct, p = .2, n = 40, T = 20", *functional("rarest_extinct", "extinction", 19)),
        ),
    ),
    Entry(
        id="B5",
        group="generative",
        claim="Poisson: the probability that events have not died out",
        formula="P(lambda_k != 0) = 1 - exp(-n lambda_0 g_k), g_1 = 1, g_{k+1} = 1 - exp(-g_k)",
        reference="Suresh et al. 2024",
        kind=EXACT,
        study=_events,
        rows=(Row("n lambda_0 = 10, k = 50", *functional("alive", "extinction", 49), 0.31871),),
    ),
)
