"""Finite-sample collapse: networks of linear regressions that explode although real data reach
them, and what stops it.

The law is that of :mod:`mcjax.laws.explosion`: the second moments of a strongly connected component
are multiplied by its spectral radius every generation. It depends on sample counts and on the
number of parameters, not on the noise, the truth or the covariance of the covariates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcjax.laws.design_moments import SecondMomentMap, second_moment_map, unusual_feeds
from mcjax.laws.explosion import ROUNDING, explosion, spectral_radius
from mcjax.laws.inapplicable import GROWING
from mcjax.laws.sources import DataFlow, UnstableSource, strong_components
from mcjax.network.network import REAL, Network

CANDIDATES = 8
"""So many members of a component are tried as readers of a new real feed: those with the most
weight in the mode that grows."""
LARGEST_FEED = 2**31 - 1
HIGHEST_FACTOR = 2**20


@dataclass(frozen=True)
class Explosive:
    """A component whose second moments do not settle.

    Attributes
    ----------
    members: names. radius: growth factor of second moments per generation, at least 1; infinite if
        a fit has no second moment at all (no more than p + 1 rows).
    real: the smallest real feed to a single member that brings the radius under 1, as (model,
        samples, those it has now included); None if no single feed does.
    factor: the least multiple of all the members' sample counts that does, to two digits after the
        point, rounded up; None for an unstable source, which no sample size saves.
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
    parameters: p.
    radius: by model, of its component; 0 where there is no cycle.
    explodes: by model, whether its mean squared error grows by a factor every generation.
    cures: one for every component with a radius of at least 1, unstable sources included.
    """

    parameters: int
    radius: dict[str, float]
    explodes: dict[str, bool]
    cures: tuple[Explosive, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; an infinite radius is None."""
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
    net: Network, p: int, flow: DataFlow, sources: tuple[UnstableSource, ...]
) -> FiniteSample | str:
    """Radius and cures of a network of linear regressions; a sentence if the law is silent."""
    reason = GROWING if net.growth else unusual_feeds(net)
    if reason:
        return reason
    one = second_moment_map(net, p, 1.0, 1.0)
    radius, explodes = explosion(one, flow, sources)
    real = np.zeros(net.size, int)
    for feed in net.feeds:
        if feed.origin == REAL:
            real[net.index[feed.reader]] = feed.samples
    closed = {source.indices for source in sources}
    cures = []
    for component in strong_components(flow.readers):
        members = sorted(component)
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
    """Member and number of new real samples."""
    best: tuple[int, int] | None = None
    for k in _unstable_members(own):
        limit = best[1] - 1 if best else LARGEST_FEED
        if not _settles(_with_real(own, k, limit)):
            continue
        low, high = 0, limit  # settles at high, not at low
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
    """Member k reads so many real samples more."""
    rows = own.rows.copy()
    rows[k] += samples
    shares = own.shares.copy()
    shares[k] *= own.rows[k] / rows[k]
    return replace(own, rows=rows, shares=shares)


def _unstable_members(own: SecondMomentMap) -> list[int]:
    """The members in which second moments grow most, first."""
    if (own.rows <= own.p + 1).any():
        return np.argsort(own.rows, kind="stable")[:CANDIDATES].tolist()
    m = np.eye(len(own.rows))
    for _ in range(8 * len(m)):
        m = own.isotropic(m) + 1e-3 * m  # the shift ends the alternation of periodic components
        m /= np.trace(m)
    return np.argsort(-np.diagonal(m), kind="stable")[:CANDIDATES].tolist()


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
