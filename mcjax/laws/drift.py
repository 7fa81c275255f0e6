"""Second moments of estimates that are weighted means of their rows, on any network.

Let model i's estimate be the weighted mean of g(y) over the rows it was fed, where g of a row from
parent j has the expectation ``theta_j`` and a covariance whose own expectation is ``f_j V``, V that
of a real row: f_j is the *spread* of model j's output, 1 of real data. Given the parents, rows are
independent, so errors ``e_i = theta_i - theta*`` have mean zero for ever, and exactly, at every
sample size,

    E e_i e_k' = c_ik V,     c <- W c W' + N(f) + real terms,
    private draws:  N_ik = delta_ik sum_j W_ij^2 f_j / n_ij ;
    shared draws:   N_ik = sum_j W_ij W_kj f_j / n_j ,

W the shares of the rows, weights included: this is the first-order law of
:mod:`mcjax.laws.system` with H = V = 1, but for f. Reused real data and frozen models enter as they
do there. Where data accumulate, with the inertia rho and the step ``g_t = (rho + t)^-1`` of
:mod:`mcjax.laws.accumulation`, which are exact for means,

    c <- A c A' + g N(f) g,     A = 1 + g (W - 1).

Derived here; in population genetics c is F_ST, the share of the variance that lies between chains,
and the recursion is that of migration and drift (Malecot 1948; Nagylaki, "Introduction to
Theoretical Population Genetics", 1992).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcjax.laws.accumulation import accumulated_limit
from mcjax.laws.asymptotics import limit
from mcjax.laws.inapplicable import GROWING, Inapplicable
from mcjax.laws.system import LinearSystem, linear_system
from mcjax.models.information import UNIT
from mcjax.network.network import Network

LATE = 512
"""Generations after which the spread of data that accumulate counts as settled."""
MOST = 100
"""Models up to which limits are solved for."""


@dataclass(frozen=True)
class Drift:
    """The recursion of one network.

    Attributes
    ----------
    system: with H = V = 1. roots: ``W_ij / sqrt(n_ij)``, (M, M). real: the noise of real data,
        (M, M). shared: whether two readers of a model read one sample.
    """

    system: LinearSystem
    roots: np.ndarray
    real: np.ndarray
    shared: bool

    def noise(self, spread: np.ndarray) -> np.ndarray:
        """N(f) and the noise of fresh real data, for spreads f (M,); shape (M, M)."""
        return self.real + _synthetic(self.roots, spread, self.shared)

    def following(
        self, moments: np.ndarray, cross: np.ndarray, spread: np.ndarray, t: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """``E e_t e_t'`` and ``E e_t e_0'`` from those of generation t - 1, (M, M)."""
        a, r, start = self.system.transition, self.system.reuse, self.system.initial
        noise = self.noise(spread)
        if self.system.inertia is not None:
            gain = 1 / (np.diagonal(self.system.inertia) + t)
            a = np.eye(len(a)) + gain[:, None] * (a - np.eye(len(a)))
            noise = gain[:, None] * noise * gain
        mixed = a @ cross @ r.T
        after = a @ moments @ a.T + mixed + mixed.T + r @ start @ r.T + noise
        return (after + after.T) / 2, a @ cross + r @ start


def drift_of(net: Network) -> Drift:
    """The recursion of a network.

    Raises
    ------
    Inapplicable: for a memory that neither replaces nor accumulates.
    """
    if not (net.memory.current_only or net.memory.adds_up):
        raise Inapplicable(
            f"memory is {net.memory.name!r}; moments are those of all data, or the last"
        )
    if net.growth:
        raise Inapplicable(GROWING)
    system = linear_system(net, UNIT)
    roots = np.zeros((net.size, net.size))
    for feed in net.feeds:
        if feed.origin in net.index:
            i, j = net.index[feed.reader], net.index[feed.origin]
            roots[i, j] = system.transition[i, j] / np.sqrt(feed.samples)
    shared = net.draws == "shared"
    real = system.noise - _synthetic(roots, np.ones(net.size), shared)
    return Drift(system, roots, np.diag(np.maximum(np.diagonal(real), 0)), shared)


def moments(drift: Drift, generations: int, drifts: float) -> np.ndarray:
    """c at generations 0 to T for the spread ``f = 1 - drifts c_jj``, shape (T + 1, M, M)."""
    now = cross = drift.system.initial
    found = [now]
    for t in range(1, generations + 1):
        now, cross = drift.following(now, cross, 1 - drifts * np.diagonal(now), t)
        found.append(now)
    return np.array(found)


def limits(drift: Drift, stable: np.ndarray, drifts: float) -> np.ndarray:
    """``lim c_ii`` of stable models for the spread ``f = 1 - drifts c_jj``, (M,); nan of others,
    and where there are more than ``MOST`` models.

    The limit of the linear recursion at a given f is linear in f, ``c_ii = b_i + sum_k G_ik f_k``,
    so ``(1 + drifts G) c = b + G 1``. What accumulates is followed to a late generation, from which
    on its f hardly moves.
    """
    system, size = drift.system, len(stable)
    if size > MOST:
        return np.full(size, np.nan)
    if system.inertia is not None:
        late = moments(drift, LATE, drifts)[-1]
        rest = replace(
            system,
            initial=late,
            noise=drift.noise(1 - drifts * np.diagonal(late)),
            inertia=system.inertia + LATE * np.eye(size),
        )
        return np.diagonal(accumulated_limit(rest)).copy()
    base = np.diagonal(limit(replace(system, noise=drift.real), stable))
    nothing = np.zeros_like(system.initial)
    gains = np.stack(
        [
            np.diagonal(
                limit(
                    replace(
                        system,
                        noise=_synthetic(drift.roots, one, drift.shared),
                        initial=nothing,
                        reuse=nothing,
                    ),
                    stable,
                )
            )
            for one in np.eye(size)
        ],
        axis=1,
    )
    found = np.linalg.solve(np.eye(size) + drifts * gains, base + gains.sum(1))
    return np.where(stable, found, np.nan)


def _synthetic(roots: np.ndarray, spread: np.ndarray, shared: bool) -> np.ndarray:
    if shared:
        return (roots * spread) @ roots.T
    return np.diag(roots**2 @ spread)
