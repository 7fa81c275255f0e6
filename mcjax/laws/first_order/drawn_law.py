"""The first-order law where every chain draws its networks: mean squares over networks and data.

Errors are then a mixture over sequences of networks, which is not normal. The recursion is that of
:mod:`mcjax.laws.first_order.drawn_system`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import collapsing
from mcjax.laws.first_order.departures import departure
from mcjax.laws.first_order.drawn_system import (
    MOST_ENTRIES,
    drawn_rates,
    drawn_system,
    reads_real,
)
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.rule_of_thumb import allowance, effective_rows
from mcjax.laws.law import Reason
from mcjax.laws.prediction import Prediction
from mcjax.models.information import UNIT, Information
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network
from mcjax.study.study import Condition

REFERENCE = "second moments given the network, derived in mcjax.laws.first_order.drawn_system"


def not_averaged(condition: Condition) -> Reason | None:
    """Return why the mean squares over networks are not known, or None."""
    if not condition.minimises:
        return Reason(
            "fits do not go to the minimum, and every chain draws its networks; try"
            " paths = 'common'"
        )
    left = departure(condition)
    if left is not None:
        return Reason(f"{left.problem}, and every chain draws its networks; try paths = 'common'")
    if condition.sources.offsets.any():
        return Reason(
            "sources have truths of their own, and every chain draws its networks; try"
            " paths = 'common'"
        )
    return None


def averaged(condition: Condition, generations: int) -> Prediction:
    """Predict the mean squares of errors at generations 0 to T, and their growth and limits."""
    net = condition.network
    information, versions = information_of(condition)
    growth, limit = _long_run(net, information)
    law = replace(
        _moments(net, information, generations),
        allowance=allowance(condition, generations, effective_rows(condition)),
        growth=growth,
        limit=limit,
        reference=REFERENCE,
    )
    others = tuple(_moments(net, version, generations) for version in versions)
    return replace(law, versions=others)


def _moments(net: Network, information: Information, generations: int) -> Prediction:
    law = net.later
    assert isinstance(law, Drawn), "others have a law of their own"
    averages = drawn_system(net, information).averages(law.occupancy(generations))
    return Prediction.of(averages, net.size)


def _long_run(net: Network, information: Information) -> tuple[np.ndarray, np.ndarray]:
    """Return growth and limits of mean squares, nan where real data have another information."""
    lift, nothing = Lift(net), np.full(net.size, np.nan)
    kinds = (information.real, information.synthetic, *information.sources, *information.models)
    hessian = information.synthetic.hessian
    same = all(
        np.abs(matrix - hessian).max() <= 1e-12 * np.abs(hessian).max()
        for kind in kinds
        for matrix in (kind.hessian, kind.score_covariance)
    )
    if not same or _takes_turns(net) or lift.phases * net.size**2 > MOST_ENTRIES:
        return nothing, nothing
    rows = collapsing(lift.flow(), lift.origins).reshape(lift.phases, net.size)
    system = drawn_system(net, UNIT)
    rates = drawn_rates(system, reads_real(net), rows)
    unit = float(np.trace(np.linalg.inv(hessian)))
    slopes, limits = (unit * system.chances @ table for table in (rates.growth, rates.limit))
    grows = np.isnan(limits)
    return np.where(grows, slopes, np.nan), limits


def _takes_turns(net: Network) -> bool:
    """Return whether groups of networks take turns, so that nothing has one limit."""
    return isinstance(net.later, Drawn) and len(net.later.groups) > 1
