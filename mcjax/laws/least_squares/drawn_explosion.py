"""Explosion of exact second moments where networks are drawn: in the mean, and on one sequence.

**Law.** The second moment of (i, z), a vertex of the lift (:mod:`mcjax.laws.collapse.lift`), grows
by a factor every generation if a component of the lift reaches it whose own averaged map has a
spectral radius above 1: ``m^z <- T_z(sum_y Q^_zy m^y)`` on the pairs (i, z), (k, z) of the
component. Components suffice as in :mod:`mcjax.laws.least_squares.explosion`.

**Mean and sequence.** On one sequence of networks second moments follow the product of the T_z,
whose growth is its Lyapunov exponent, at most the logarithm of the radius. If the radius is above 1
and the exponent below 0, nearly all chains stay bounded, and rare ones carry a mean that explodes
(tails as in Kesten 1973), so that a mean over simulated chains says nothing. To first order both
agree. Derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.least_squares.explosion import ROUNDING
from mcjax.laws.least_squares.second_moments import SecondMomentMap, second_moment_map
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_PAIRS = 600
"""Largest number of pairs of a component, of all networks together."""
MOST_NUMBERS = 10_000_000
"""Largest number of entries of the maps of all networks for which there are exponents."""
SEQUENCES, STEPS, FIRST = 32, 1_000, 100
"""Sequences by which an exponent is estimated, their generations, and those that are left out."""


class DrawnExplosion(NamedTuple):
    """Long-run behaviour of exact second moments, of the vertices of a lift.

    Attributes
    ----------
    radius : ndarray, shape (V,)
        Spectral radius of the averaged map on the vertex's component; 0 if that has no cycle.
    explodes : ndarray of bool, shape (V,)
        Whether a component of radius above 1 reaches the vertex.
    growing : dict of int to Component
        The component of each vertex of a finite radius above 1.
    """

    radius: Float[np.ndarray, " V"]
    explodes: Bool[np.ndarray, " V"]
    growing: dict[int, Component]

    def exponent(self, vertex: int) -> tuple[float, float] | None:
        """Return the exponent of a vertex and its standard error, None if it does not grow."""
        return self.growing[vertex].exponent if vertex in self.growing else None


def maps_of(net: Network, law: Drawn, p: int, *variances: float) -> list[SecondMomentMap]:
    """Return the map of second moments of each network that may be drawn."""
    return [second_moment_map(net.with_feeds(g.feeds), p, *variances) for g in law.generations]


def drawn_explosion(
    steps: Sequence[SecondMomentMap], law: Drawn, lift: Lift, flow: DataFlow
) -> DrawnExplosion | None:
    """Return radii, and which vertices explode; None where a component is too large.

    Parameters
    ----------
    steps : sequence of SecondMomentMap
        Those of the networks.
    law : Drawn
        From what networks are drawn.
    lift : Lift
        The lift of the network.
    flow : DataFlow
        Its data flow.
    """
    count, size = len(flow.feeders), lift.net.size
    found = DrawnExplosion(np.zeros(count), np.zeros(count, bool), {})
    closed = {i for origin in lift.origins for i in origin.indices}
    for component in flow.readers.components:  # feeders before readers
        members = np.array(component)
        if len(members) > 1 or component[0] in flow.feeders[component[0]]:
            marks = np.zeros((lift.phases, size), bool)
            marks.ravel()[members] = True
            part = Component(steps, law, marks)
            if part.pairs > MOST_PAIRS:
                return None
            found.radius[members] = radius = part.radius
            few = len(steps) * part.pairs**2 <= MOST_NUMBERS
            if 1 + ROUNDING < radius < np.inf and few:
                found.growing.update(dict.fromkeys(component, part))
        above = any(found.explodes[j] for i in component for j in flow.feeders[i])
        bound = 1 + ROUNDING if component[0] in closed else 1.0
        found.explodes[members] = above or bool(found.radius[component[0]] >= bound)
    return found


class Component:
    """The averaged map on the pairs of a component, marked by phase and model."""

    def __init__(self, steps: Sequence[SecondMomentMap], law: Drawn, marks: np.ndarray):
        models = np.flatnonzero(marks.any(0))
        self.steps = [step.restricted(models) for step in steps]
        self.law = law
        self.marks = marks[:, models]
        self.inside = self.marks[:, :, None] & self.marks[:, None, :]
        upper = np.triu(np.ones((len(models), len(models)), bool))
        self.places = np.nonzero(self.inside & upper)
        self.pairs = len(self.places[0])

    @property
    def radius(self) -> float:
        """The spectral radius, infinite if a fit has no finite second moment."""
        of_networks = np.broadcast_to(self.marks, (len(self.steps), self.marks.shape[1]))
        for step, fitted in zip(self.steps, of_networks, strict=True):
            if (step.rows[fitted] <= step.p + 1).any():
                return np.inf
        columns = []
        for unit in np.eye(self.pairs):
            m = np.zeros(self.inside.shape)
            m[self.places] = unit
            m.transpose(0, 2, 1)[self.places] = unit
            columns.append(self._averaged(m)[self.places])
        return float(np.abs(np.linalg.eigvals(np.stack(columns, axis=1))).max())

    @cached_property
    def exponent(self) -> tuple[float, float]:
        """The Lyapunov exponent on one sequence, and its standard error."""
        if self.marks.shape[1] == 1 and self.marks.all():  # factors, which commute
            factors = [float(step.isotropic(np.eye(1))[0, 0]) for step in self.steps]
            if min(factors) > 0:
                return float(self.law.stationary @ np.log(factors)), 0.0
        maps = self._matrices()
        drawn = self.law.sequences(np.random.default_rng(0).random((SEQUENCES, STEPS)))
        rows, columns = np.triu_indices(self.marks.shape[1])
        diagonal = rows == columns
        x = np.repeat(diagonal[None].astype(float), SEQUENCES, 0)
        rates = np.zeros(SEQUENCES)
        for t, places in enumerate(drawn.T):
            x = np.einsum("sij,sj->si", maps[places], x)
            total = x[:, diagonal].sum(1)
            if not total.all():  # a network that stops it comes in the end
                return -np.inf, 0.0
            x /= total[:, None]
            if t >= FIRST:
                rates += np.log(total) / (STEPS - FIRST)
        return float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(SEQUENCES))

    def _matrices(self) -> Float[np.ndarray, "K P P"]:
        """Return the map of each network on all pairs of models, 0 outside the component."""
        size, result = self.marks.shape[1], []
        places = np.triu_indices(size)
        inside = np.broadcast_to(self.inside, (len(self.steps), size, size))
        for step, mask in zip(self.steps, inside, strict=True):
            columns = []
            for i, k in zip(*places, strict=True):
                m = np.zeros((size, size))
                m[i, k] = m[k, i] = 1.0
                columns.append((step.isotropic(m) * mask)[places])
            result.append(np.stack(columns, axis=1))
        return np.array(result)

    def _averaged(self, m: np.ndarray) -> np.ndarray:
        """Apply the averaged map to second moments by phase."""
        if self.law.independent:
            chances = self.law.stationary
            return sum(c * s.isotropic(m[0]) for c, s in zip(chances, self.steps, strict=True))[
                None
            ]
        before = np.einsum("zy,yik->zik", self.law.reversed, m)
        return np.array([s.isotropic(b) for s, b in zip(self.steps, before, strict=True)])
