"""Find networks of linear regressions that explode although real data reach them, and their cures.

By the law of :mod:`mcjax.laws.least_squares.explosion`, the second moments of a strongly connected
component are multiplied by its spectral radius every generation. The radius depends on the sample
counts and the number of parameters, but not on the noise, the true parameters or the covariance of
the covariates.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.laws.law import GROWING
from mcjax.laws.least_squares.conditions import unusual_feeds
from mcjax.laws.least_squares.drawn_explosion import drawn_explosion, maps_of
from mcjax.laws.least_squares.explosion import ROUNDING, explosion, spectral_radius
from mcjax.laws.least_squares.second_moments import SecondMomentMap, second_moment_map
from mcjax.network.drawn import Drawn
from mcjax.network.feed import REAL
from mcjax.network.network import Network

CANDIDATES = 8
"""Number of members of a component that are tried as readers of a new real feed.

These are the members with the largest weights in the growing mode.
"""
LARGEST_FEED = 2**31 - 1
HIGHEST_FACTOR = 2**20


@dataclass(frozen=True)
class Explosive:
    """A component whose second moments do not settle, with its cures.

    Attributes
    ----------
    members : tuple of str
        Names of its models.
    radius : float
        Factor by which second moments grow per generation, at least 1; infinite if a fit has no
        finite second moment (at most p + 1 rows).
    real : tuple of str and int, optional
        The smallest real feed to a single member that brings the radius below 1, as (model,
        samples). The samples include those that the model already reads. None if no single feed
        suffices.
    factor : float, optional
        The smallest factor for all sample counts of the members that brings the radius below 1,
        rounded up to two decimals; None if there is none, as for a collapse origin.
    """

    members: tuple[str, ...]
    radius: float
    real: tuple[str, int] | None
    factor: float | None


@dataclass(frozen=True)
class FiniteSample:
    """The exact diagnosis of a network of linear regressions at its sample counts.

    Attributes
    ----------
    parameters : int
        Number of parameters p.
    radius : dict of str to float
        Spectral radius of each model's component; 0 if the component has no cycle.
    explodes : dict of str to bool
        Whether each model's mean squared error grows by a factor every generation.
    cures : tuple of Explosive
        One for every component with a radius of at least 1, collapse origins included. None is
        looked for where networks are drawn.
    exponents : dict of str to (float, float)
        Where networks are drawn, for each model whose component has a radius above 1: by what the
        logarithm of its mean squared error grows per generation on one sequence of networks, and
        the standard error of that number.
    """

    parameters: int
    radius: dict[str, float]
    explodes: dict[str, bool]
    cures: tuple[Explosive, ...]
    exponents: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as plain data, in which an infinite radius is None."""
        highest = max(self.radius.values())
        return {
            "parameters": self.parameters,
            "radius": _finite(highest),
            "explodes": any(self.explodes.values()),
            "models": {
                name: {"radius": _finite(radius), "explodes": self.explodes[name]}
                | self._exponent(name)
                for name, radius in self.radius.items()
            },
            "cures": [
                {
                    "members": list(cure.members),
                    "radius": _finite(cure.radius),
                    "real": cure.real and {"to": cure.real[0], "samples": cure.real[1]},
                    "factor": cure.factor,
                }
                for cure in self.cures
            ],
        }

    def _exponent(self, name: str) -> dict[str, Any]:
        if name not in self.exponents:
            return {}
        exponent, error = map(_finite, self.exponents[name])
        return {"exponent": exponent, "exponent_error": error}


def finite_sample_drawn(net: Network, p: int, lift: Lift, flow: DataFlow) -> FiniteSample | str:
    """Return the radii of a network of linear regressions whose networks are drawn.

    The result is the reason, as a string, if the law does not apply.
    """
    law, reason = net.later, unusual_feeds(net)
    if reason:
        return reason
    assert isinstance(law, Drawn), "others have radii of their own"
    found = drawn_explosion(maps_of(net, law, p, 1.0, 1.0), law=law, lift=lift, flow=flow)
    if found is None:
        return "networks are drawn, and too many models depend on one another"
    rows = (lift.phases, net.size)
    worst = found.radius.reshape(rows).argmax(0) * net.size + np.arange(net.size)
    radius = dict(zip(net.models, found.radius[worst].tolist(), strict=True))
    explodes = np.atleast_1d(found.explodes.reshape(rows).any(axis=0))
    rates = map(found.exponent, worst.tolist())
    return FiniteSample(
        parameters=p,
        radius=radius,
        explodes=dict(zip(net.models, explodes.tolist(), strict=True)),
        cures=(),
        exponents={n: rate for n, rate in zip(net.models, rates, strict=True) if rate is not None},
    )


def finite_sample(
    net: Network, p: int, flow: DataFlow, origins: tuple[CollapseOrigin, ...]
) -> FiniteSample | str:
    """Return the radii and cures of a network of linear regressions with p parameters.

    The result is the reason, as a string, if the law does not apply.
    """
    reason = GROWING.sentence if net.later.exponent else unusual_feeds(net)
    if reason:
        return reason
    network_map = second_moment_map(net, p, 1.0, 1.0)
    radius, explodes = explosion(network_map, flow, origins)
    real = np.zeros(net.size, int)
    for feed in net.feeds:
        if feed.origin == REAL:
            real[net.index[feed.reader]] = feed.samples
    closed = {origin.indices for origin in origins}
    cures = []
    for members in flow.readers.components:
        if radius[members[0]] < 1 - ROUNDING:
            continue
        component = network_map.restricted(np.array(members))
        smallest = _smallest_feed(component)
        if smallest is not None:
            reader = members[smallest[0]]
            cure = net.models[reader], smallest[1] + int(real[reader])
        cures.append(
            Explosive(
                members=tuple(net.models[i] for i in members),
                radius=float(radius[members[0]]),
                real=None if smallest is None else cure,
                factor=None if tuple(members) in closed else _least_factor(component),
            )
        )
    return FiniteSample(
        p,
        dict(zip(net.models, radius.tolist(), strict=True)),
        dict(zip(net.models, explodes.tolist(), strict=True)),
        tuple(cures),
    )


def _smallest_feed(component: SecondMomentMap) -> tuple[int, int] | None:
    """Return the member that needs the fewest new real samples, and their number."""
    best: tuple[int, int] | None = None
    for k in _unstable_members(component):
        limit = best[1] - 1 if best else LARGEST_FEED
        enlarged = partial(_with_real, component, k)
        if _settles(enlarged(limit)):
            best = k, _first_to_settle(enlarged, 1, limit)
    return best


def _least_factor(component: SecondMomentMap) -> float | None:
    """Return the smallest factor for all sample counts at which second moments settle."""

    def enlarged(hundredths: int) -> SecondMomentMap:
        return replace(component, rows=component.rows * hundredths / 100)

    if not _settles(enlarged(HIGHEST_FACTOR * 100)):
        return None
    return _first_to_settle(enlarged, 200, HIGHEST_FACTOR * 100) / 100


def _first_to_settle(enlarged: Callable[[int], SecondMomentMap], first: int, last: int) -> int:
    """Return the smallest number whose map settles, by doubling from ``first`` and bisection.

    The map of ``last`` settles, and that of ``first // 2`` does not.
    """

    def settles(number: int) -> bool:
        return _settles(enlarged(number))

    high = first
    while high < last and not settles(high):
        high = min(2 * high, last)
    return bisect_left(range(high), True, lo=high // 2 + 1, key=settles)


def _settles(component: SecondMomentMap) -> bool:
    return spectral_radius(component) < 1 - ROUNDING


def _with_real(component: SecondMomentMap, k: int, samples: int) -> SecondMomentMap:
    """Return the map of the component in which member k reads additional real samples."""
    rows = component.rows.copy()
    rows[k] += samples
    shares = component.shares.copy()
    shares[k] *= component.rows[k] / rows[k]
    return replace(component, rows=rows, shares=shares)


def _unstable_members(component: SecondMomentMap) -> list[int]:
    """Return members in descending order of the growth of their second moments."""
    if (component.rows <= component.p + 1).any():
        return np.argsort(component.rows, kind="stable")[:CANDIDATES].tolist()
    m = np.eye(len(component.rows))
    for _ in range(8 * len(m)):
        # power iteration; the shift stops periodic components from alternating
        m = component.isotropic(m) + 1e-3 * m
        m /= np.trace(m)
    return np.argsort(-np.diagonal(m), kind="stable")[:CANDIDATES].tolist()


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
