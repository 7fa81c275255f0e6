"""Compute the rates of networks that switch, also by the law less one of its clauses.

Where feeds take turns the rates are those of the lift, phase by phase; where networks are drawn,
those of the mean square over networks. Three clauses matter only there:

``phases``
    In which phase a feed is active. Without it the networks are taken for ones that are drawn,
    whose law is that of the union of their feeds.
``kept``
    An estimate that is kept for a phase is no anchor. Without it, it counts as one.
``squares``
    Second moments follow ``E[A X A']``. Without it they follow ``E[A] X E[A]'``, as if the square
    of a mean were the mean square.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.linalg import MatrixRankWarning

from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import Clause, collapsing, origins_in
from mcjax.laws.first_order.collapse_rates import CollapseRates, collapse_rates, rates_without
from mcjax.laws.first_order.drawn_system import DrawnSystem, drawn_rates, drawn_system, reads_real
from mcjax.laws.first_order.lifted_system import lifted
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float

STATIC: tuple[Clause, ...] = ("closed", "self-loop", "period")
IN_TURN: tuple[Clause, ...] = (*STATIC, "phases", "kept")
IF_DRAWN: tuple[Clause, ...] = ("closed", "self-loop", "kept", "squares")


def rates_by_vertex(net: Network, phases: int, without: Clause | None = None) -> CollapseRates:
    """Return the rates of a network in each of its phases, by the law less one of its clauses.

    Parameters
    ----------
    net : Network
        The network; all its data are of one law.
    phases : int
        L, a multiple of the number of its phases; 1 if networks are drawn.
    without : Clause, optional
        The clause, by default none. Numbers that the rest of the law does not give are nan.

    Returns
    -------
    CollapseRates
        Shape (L M,), model i of phase z at position ``z M + i``.
    """
    if net.later.random:
        return mean_rates(net, without)
    if without == "phases":
        turns = net.later.recurring
        drawn = Drawn(*turns, probabilities=np.full(len(turns), 1 / len(turns)).tolist())
        return _repeated(mean_rates(replace(net, later=drawn)), phases)
    if net.later.turns == 1:
        return _repeated(rates_without(net, without), phases)
    return _repeated(_rates_in_turn(net, without), phases // net.later.turns)


def squares_by_generation(net: Network, generations: int) -> Float[np.ndarray, "T+1 M"]:
    """Return ``c_ii`` at generations 0 to T, of which :func:`rates_by_vertex` is the long run."""
    if isinstance(net.later, Drawn):
        found = drawn_system(net, UNIT).averages(net.later.occupancy(generations))
    else:
        found = covariances(linear_system(net, UNIT), generations)
    return np.diagonal(found, axis1=1, axis2=2)


def mean_rates(net: Network, without: Clause | None = None) -> CollapseRates:
    """Return the rates of mean squares over networks drawn independently, by the law less a clause.

    Shape (M,).
    """
    lift = Lift(net)
    flow = _flow(lift, without)
    collapses = np.array(collapsing(flow, origins_in(lift, [flow], without)))
    system, leaks = drawn_system(net, UNIT), reads_real(net)
    if without == "squares":
        system, leaks = _of_means(system), np.any(leaks, axis=0, keepdims=True)
    with _singular_systems():
        rates = drawn_rates(system, leaks, collapses[None])
    growth, limit = system.chances @ rates.growth, system.chances @ rates.limit
    return CollapseRates(
        collapses, np.where(collapses, growth, np.nan), np.where(collapses, np.nan, limit)
    )


def _rates_in_turn(net: Network, without: Clause | None) -> CollapseRates:
    lift = Lift(net)
    flow = _flow(lift, without)
    origins = origins_in(lift, [flow], without)
    system = lifted(linear_system(net, UNIT), lift.frozen[: net.size])
    try:
        with _singular_systems():
            return collapse_rates(flow, origins, system)
    except np.linalg.LinAlgError:
        nothing = np.full(len(lift.model), np.nan)
        return CollapseRates(np.array(collapsing(flow, origins)), nothing, nothing)


@contextmanager
def _singular_systems() -> Iterator[None]:
    """Let the equations of a wrong law have no solution, which is then nan."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", MatrixRankWarning)
        yield


def _flow(lift: Lift, without: Clause | None) -> DataFlow:
    """Return the data flow; without the clause, vertices that keep an estimate are anchored."""
    flow = lift.flow()
    if without != "kept":
        return flow
    return replace(flow, anchored=flow.anchored | lift.kept)


def _of_means(system: DrawnSystem) -> DrawnSystem:
    """Return one system with the means of the transitions and of the noises of several."""

    def mean(steps: Float[np.ndarray, "K n n"]) -> Float[np.ndarray, "1 n n"]:
        return np.einsum("z,zab->ab", system.chances, steps)[None]

    one = np.ones((1, 1))
    return replace(
        system,
        transitions=mean(system.transitions),
        noises=mean(system.noises),
        before=one,
        chances=one[0],
    )


def _repeated(rates: CollapseRates, times: int) -> CollapseRates:
    return CollapseRates(*(np.tile(values, times) for values in rates))
