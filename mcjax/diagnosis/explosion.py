"""Find networks of linear regressions that explode although real data reach them, and the cures.

The law is that of :mod:`mcjax.laws.least_squares.explosion`: the second moments of a strongly
connected component are multiplied by its spectral radius every generation. The radius depends on
sample counts and on the number of parameters, but not on the noise, the truth or the covariance of
the covariates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcjax.laws.collapse.components import DataFlow, strong_components
from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.laws.law import GROWING
from mcjax.laws.least_squares.conditions import unusual_feeds
from mcjax.laws.least_squares.explosion import ROUNDING, explosion, spectral_radius
from mcjax.laws.least_squares.second_moments import SecondMomentMap, second_moment_map
from mcjax.network.feed import REAL
from mcjax.network.network import Network

CANDIDATES = 8
"""Members of a component that are tried as readers of a new real feed: those with the most weight
in the mode that grows."""
LARGEST_FEED = 2**31 - 1
HIGHEST_FACTOR = 2**20


@dataclass(frozen=True)
class Explosive:
    """A component whose second moments do not settle.

    Attributes
    ----------
    members : tuple of str
        Names.
    radius : float
        Growth factor of second moments per generation, at least 1; infinite if a fit has no second
        moment at all (no more than p + 1 rows).
    real : tuple of str and int, optional
        The smallest real feed to a single member that brings the radius below 1, as (model,
        samples), where samples include those it has now; None if no single feed does.
    factor : float, optional
        The least multiple of all the members' sample counts that does, rounded up to two decimals;
        None for a collapse origin, which no sample size saves.
    """

    members: tuple[str, ...]
    radius: float
    real: tuple[str, int] | None
    factor: float | None


@dataclass(frozen=True)
class FiniteSample:
    """What sample counts do to a network of linear regressions with p parameters.

    Attributes
    ----------
    parameters : int
        p.
    radius : dict of str to float
        Radius of each model's component; 0 where there is no cycle.
    explodes : dict of str to bool
        Whether each model's mean squared error grows by a factor every generation.
    cures : tuple of Explosive
        One for every component with a radius of at least 1, collapse origins included.
    """

    parameters: int
    radius: dict[str, float]
    explodes: dict[str, bool]
    cures: tuple[Explosive, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data, in which an infinite radius is None."""
        highest = max(self.radius.values())
        return {
            "parameters": self.parameters,
            "radius": _finite(highest),
            "explodes": any(self.explodes.values()),
            "models": {
                name: {"radius": _finite(radius), "explodes": self.explodes[name]}
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


def finite_sample(
    net: Network, p: int, flow: DataFlow, origins: tuple[CollapseOrigin, ...]
) -> FiniteSample | str:
    """Return radius and cures of a network of linear regressions, or why the law does not apply."""
    reason = GROWING.sentence if net.later.exponent else unusual_feeds(net)
    if reason:
        return reason
    one = second_moment_map(net, p, 1.0, 1.0)
    radius, explodes = explosion(one, flow, origins)
    real = np.zeros(net.size, int)
    for feed in net.feeds:
        if feed.origin == REAL:
            real[net.index[feed.reader]] = feed.samples
    closed = {origin.indices for origin in origins}
    cures = []
    for members in strong_components(flow.readers):
        if radius[members[0]] < 1 - ROUNDING:
            continue
        own = one.restricted(np.array(members))
        smallest = _smallest_feed(own)
        if smallest is not None:
            reader = members[smallest[0]]
            cure = net.models[reader], smallest[1] + int(real[reader])
        cures.append(
            Explosive(
                members=tuple(net.models[i] for i in members),
                radius=float(radius[members[0]]),
                real=None if smallest is None else cure,
                factor=None if tuple(members) in closed else _least_factor(own),
            )
        )
    return FiniteSample(
        p,
        dict(zip(net.models, radius.tolist(), strict=True)),
        dict(zip(net.models, explodes.tolist(), strict=True)),
        tuple(cures),
    )


def _smallest_feed(own: SecondMomentMap) -> tuple[int, int] | None:
    """Return a member, and how many new real samples it needs."""
    best: tuple[int, int] | None = None
    for k in _unstable_members(own):
        limit = best[1] - 1 if best else LARGEST_FEED
        if not _settles(_with_real(own, k, limit)):
            continue
        low, high = 0, limit  # it settles at high and not at low
        step = 1
        while low + step < high and not _settles(_with_real(own, k, low + step)):
            low, step = low + step, 2 * step
        high = min(high, low + step)
        while high - low > 1:
            middle = (low + high) // 2
            if _settles(_with_real(own, k, middle)):
                high = middle
            else:
                low = middle
        best = (k, high)
    return best


def _least_factor(own: SecondMomentMap) -> float | None:
    """Return the least multiple of all sample counts at which second moments settle."""
    low, high = 100, 200  # hundredths
    while not _settles(replace(own, rows=own.rows * high / 100)):
        low, high = high, 2 * high
        if high > 100 * HIGHEST_FACTOR:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if _settles(replace(own, rows=own.rows * middle / 100)):
            high = middle
        else:
            low = middle
    return high / 100


def _settles(own: SecondMomentMap) -> bool:
    return spectral_radius(own) < 1 - ROUNDING


def _with_real(own: SecondMomentMap, k: int, samples: int) -> SecondMomentMap:
    """Return the map where member k reads so many more real samples."""
    rows = own.rows.copy()
    rows[k] += samples
    shares = own.shares.copy()
    shares[k] *= own.rows[k] / rows[k]
    return replace(own, rows=rows, shares=shares)


def _unstable_members(own: SecondMomentMap) -> list[int]:
    """Return the members by how much their second moments grow, largest first."""
    if (own.rows <= own.p + 1).any():
        return np.argsort(own.rows, kind="stable")[:CANDIDATES].tolist()
    m = np.eye(len(own.rows))
    for _ in range(8 * len(m)):
        m = own.isotropic(m) + 1e-3 * m  # the shift ends the alternation of periodic components
        m /= np.trace(m)
    return np.argsort(-np.diagonal(m), kind="stable")[:CANDIDATES].tolist()


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
