"""Early errors where no shortcut leads to late ones: feeds that change, and data that accumulate.

Errors are followed generation by generation, to a generation that depends on the number of models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcjax.diagnosis.verdict import ModelVerdict
from mcjax.laws.first_order.switching_rates import squares_by_generation
from mcjax.laws.first_order.time_to_harm import FACTORS, SLACK, TIMES, Harm, generations
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network

WORK, MOST_GENERATIONS = 2e8, 500
"""Multiplications that generations may take, and the largest number of them."""


def early_harm(net: Network) -> Harm:
    """Return early errors as multiples of the first ones, nan in networks that are too large.

    Times to harm are nan as well where no generation that was followed comes to it. Where networks
    are drawn, errors are means of squares.
    """
    networks = net.later.turns if isinstance(net.later, Drawn) else 1
    affordable = int(WORK / (networks * net.size**3))
    if affordable < max(TIMES):
        return Harm(
            np.full((len(TIMES), net.size), np.nan), np.full((len(FACTORS), net.size), np.nan)
        )
    errors = squares_by_generation(net, min(affordable, MOST_GENERATIONS))
    multiples = errors[1:] / errors[0]
    comes = multiples >= np.array(FACTORS)[:, None, None] * (1 - SLACK)
    times = np.where(comes.any(1), comes.argmax(1) + 1.0, np.nan)
    return Harm(multiples[np.array(TIMES) - 1], times)


def followed(net: Network, models: Mapping[str, ModelVerdict]) -> dict[str, ModelVerdict]:
    """Return verdicts on models whose feeds change, with their early errors."""
    harm, first = early_harm(net), squares_by_generation(net, 0)[0]
    found = {}
    for i, (name, verdict) in enumerate(models.items()):
        last = math.inf if verdict.collapses else math.nan
        if verdict.limit is not None:
            last = verdict.limit / float(first[i])
        found[name] = replace(
            verdict,
            relative=(*harm.relative[:, i].tolist(), last),
            doubles=generations(harm.times[0, i]),
            tenfold=generations(harm.times[1, i]),
        )
    return found
