"""Second moments of estimates that are weighted means of their rows, on any network.

Let model i's estimate be the weighted mean of g(y) over the rows it was fed. For a row from parent
j, let g have the expectation ``theta_j`` and a covariance whose own expectation is ``f_j V``, where
V is the covariance for a real row: f_j is the *spread* of model j's output, 1 for real data. Given
the parents, rows are independent. So errors ``e_i = theta_i - theta*`` have mean zero for ever and,
exactly at every sample size,

    E e_i e_k' = c_ik V,     c <- W c W' + N(f) + real terms,
    private draws:  N_ik = delta_ik sum_j W_ij^2 f_j / n_ij ;
    shared draws:   N_ik = sum_j W_ij W_kj f_j / n_j ,

where W holds the shares of the rows, weights included. But for f this is the first-order law of
:mod:`mcjax.laws.first_order.score_equations` with H = V = 1, and reused real data and frozen models
enter as they do there. Where data accumulate, with the inertia rho and the step
``g_t = (rho + t)^-1`` of :mod:`mcjax.laws.first_order.accumulation`, which are exact for means,

    c <- A c A' + g N(f) g,     A = 1 + g (W - 1).

Derived here. In population genetics c is F_ST, the share of the variance that lies between chains,
and the recursion is that of migration and drift (Malecot 1948; Nagylaki, "Introduction to
Theoretical Population Genetics", 1992).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from mcjax.laws.first_order.accumulation_limits import accumulated_limit
from mcjax.laws.first_order.limits import limit
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.law import Reason, not_constant
from mcjax.models.information import UNIT
from mcjax.network.network import Network

LATE = 512
"""Generations after which the spread of data that accumulate counts as settled."""
LARGEST = 100
"""Models up to which limits are solved for."""


@dataclass(frozen=True)
class WeightedMeans:
    """The recursion of a network.

    Attributes
    ----------
    system : LinearSystem
        Its first-order system with H = V = 1.
    roots : ndarray, shape (M, M)
        ``W_ij / sqrt(n_ij)``.
    real : ndarray, shape (M, M)
        Noise of real data.
    shared : bool
        Whether two readers of a model read one sample.
    """

    system: LinearSystem
    roots: Float[np.ndarray, "M M"]
    real: Float[np.ndarray, "M M"]
    shared: bool

    def noise(self, spread: Float[np.ndarray, " M"]) -> Float[np.ndarray, "M M"]:
        """Return N(f) plus the noise of fresh real data, for spreads f (M,); shape (M, M)."""
        return self.real + self.synthetic(spread)

    def synthetic(self, spread: Float[np.ndarray, " M"]) -> Float[np.ndarray, "M M"]:
        """Return N(f) for spreads f (M,); shape (M, M)."""
        return _synthetic(self.roots, spread, self.shared)

    def following(
        self,
        moments: Float[np.ndarray, "M M"],
        cross: Float[np.ndarray, "M M"],
        spread: Float[np.ndarray, " M"],
        t: int,
    ) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "M M"]]:
        """Return ``E e_t e_t'`` and ``E e_t e_0'`` from those of generation t - 1, (M, M)."""
        a, r, start = self.system.transition, self.system.reuse, self.system.initial
        noise = self.noise(spread)
        if self.system.inertia is not None:
            gain = 1 / (np.diagonal(self.system.inertia) + t)
            a = np.eye(len(a)) + gain[:, None] * (a - np.eye(len(a)))
            noise = gain[:, None] * noise * gain
        mixed = a @ cross @ r.T
        after = a @ moments @ a.T + mixed + mixed.T + r @ start @ r.T + noise
        return (after + after.T) / 2, a @ cross + r @ start


def not_weighted_means(net: Network) -> Reason | None:
    """Return why estimates are not means of all data, or of the last, or None."""
    if not (net.memory.current_only or net.memory.adds_up):
        return Reason(
            f"memory is {net.memory.name!r}; the law needs fits to all data, or to the last data"
        )
    return not_constant(net)


def weighted_means(net: Network) -> WeightedMeans:
    """Return the recursion of a network that replaces or accumulates its data."""
    system = linear_system(net, UNIT)
    roots = np.zeros((net.size, net.size))
    for feed in net.feeds:
        if feed.origin in net.index:
            i, j = net.index[feed.reader], net.index[feed.origin]
            roots[i, j] = system.transition[i, j] / np.sqrt(feed.samples)
    shared = net.shares_draws
    real = system.noise - _synthetic(roots, np.ones(net.size), shared)
    return WeightedMeans(system, roots, np.diag(np.maximum(np.diagonal(real), 0)), shared)


def moments(means: WeightedMeans, generations: int, loss: float) -> Float[np.ndarray, "T+1 M M"]:
    """Return c at generations 0 to T for the spread ``f = 1 - loss c_jj``, (T + 1, M, M)."""
    c = cross = means.system.initial
    path = [c]
    for t in range(1, generations + 1):
        c, cross = means.following(c, cross, 1 - loss * np.diagonal(c), t)
        path.append(c)
    return np.array(path)


def limits(
    means: WeightedMeans, stable: Bool[np.ndarray, " M"], loss: float
) -> Float[np.ndarray, " M"]:
    """Return ``lim c_ii`` of stable models for the spread ``f = 1 - loss c_jj``.

    It is nan for other models, and for networks of more than ``LARGEST`` models.

    Notes
    -----
    At a given f the limit of the linear recursion is linear in f, ``c_ii = b_i + sum_k G_ik f_k``,
    so ``(1 + loss G) c = b + G 1``. Data that accumulate are followed to a late generation, after
    which their f hardly moves.
    """
    system, size = means.system, len(stable)
    if size > LARGEST:
        return np.full(size, np.nan)
    if system.inertia is not None:
        late = moments(means, LATE, loss)[-1]
        rest = replace(
            system,
            initial=late,
            noise=means.noise(1 - loss * np.diagonal(late)),
            inertia=system.inertia + LATE * np.eye(size),
        )
        return np.diagonal(accumulated_limit(rest)).copy()
    base = np.diagonal(limit(replace(system, noise=means.real), stable))
    nothing = np.zeros_like(system.initial)
    gains = np.stack(
        [
            np.diagonal(
                limit(
                    replace(
                        system,
                        noise=_synthetic(means.roots, unit, means.shared),
                        initial=nothing,
                        reuse=nothing,
                    ),
                    stable,
                )
            )
            for unit in np.eye(size)
        ],
        axis=1,
    )
    solution = np.linalg.solve(np.eye(size) + loss * gains, base + gains.sum(1))
    return np.where(stable, solution, np.nan)


def _synthetic(roots: np.ndarray, spread: np.ndarray, shared: bool) -> np.ndarray:
    """Return N(f)."""
    if shared:
        return (roots * spread) @ roots.T
    return np.diag(roots**2 @ spread)
