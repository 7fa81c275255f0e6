"""First-order errors where data accumulate: fits of all data so far, or of a subsample of them.

Let K_i be what one generation of feeds adds to model i's curvature, and K_i0 what its generation-0
sample added (:mod:`mcjax.laws.first_order.score_equations`). The score equations of generations t
and t - 1 differ by one generation's data, so to first order

    (K_i0 + t K_i) e_{i,t} = (K_i0 + (t - 1) K_i) e_{i,t-1} + K_i (A e_{t-1} + noise_t)_i ,

where A and the noise are those of a model that fits one generation alone. Derived here: with the
*inertia* ``rho_i = K_i^-1 K_i0`` and the step ``g_t = (rho + t)^-1``,

    e_t = e_{t-1} + g_t ((A - I) e_{t-1} + noise_t)

(plus ``g_t push`` where real sources have other truths), a stochastic approximation with steps that
vanish like 1 / t. Hence nothing collapses: the noise adds up to ``sum 1 / t^2``. One model on its
own output, with as many samples at generation 0, has the variance ``V sum_{k <= t + 1} 1 / k^2``
(Gerstgrasser et al. 2024; Dey & Donoho 2024). The variances of M models that all reach one another,
with doubly stochastic shares, aperiodic or not, tend to ``V pi^2 / (6 M)``.

**Subsamples.** Let each model fit n of the N_t rows of its pool, drawn without replacement, and
let P_t be the estimate from the whole pool. Given the pools, the sum of n scores has the covariance
``n (1 - n / N) (Q / N)``, where Q is the score covariance of all rows of the pool and K their
curvature. So the estimate is ``P_t + u_t``, where u_t has mean 0 given the pools and

    Cov(u_t) = U_t = (N_t / n - 1) K^-1 Q K^-1 ,

independently between models. The rows that are fed next are centred on ``P_t + u_t``, hence

    P_t = P_{t-1} + g_t ((A - I) P_{t-1} + A u_{t-1} + noise_t) ,

which is the law above with the noise ``N + A U_{t-1} A'``. The covariance of the estimates is that
of P_t plus U_t. For one model on its own output the variance tends to ``pi^2 / 2 - 2`` times that
of one fit (workflow of Kazdan et al. 2024; derived here).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from mcjax.laws.first_order.linear_system import LinearSystem


class Selection(NamedTuple):
    """Matrices behind the noise of a subsample; K is the curvature of one generation's feeds.

    Attributes
    ----------
    start, later : ndarray, shape (M p, M p)
        ``K^-1 Q K^-1`` for the scores Q of the generation-0 sample and of one generation's feeds,
        block diagonal; zero for frozen models.
    ratio : ndarray, shape (M p,)
        Rows of the generation-0 sample over rows of one generation's feeds.
    """

    start: Float[np.ndarray, "M*p M*p"]
    later: Float[np.ndarray, "M*p M*p"]
    ratio: Float[np.ndarray, " M*p"]


def accumulated(system: LinearSystem, generations: int) -> Float[np.ndarray, "T+1 M*p M*p"]:
    """Return the covariances of the stacked errors at generations 0 to T, (T + 1, M p, M p)."""
    result = np.empty((generations + 1, *system.initial.shape))
    pool = result[0] = system.initial
    for t in range(1, generations + 1):
        pool = _following(system, pool, t)
        result[t] = pool + _selected(system, t)
    return result


def accumulated_means(system: LinearSystem, generations: int) -> Float[np.ndarray, "T+1 M*p"]:
    """Return the means of the stacked errors at generations 0 to T, (T + 1, M p)."""
    assert system.start is not None, "callers have asked"
    assert system.push is not None, "callers have asked"
    result = np.empty((generations + 1, len(system.start)))
    result[0] = system.start
    for t in range(1, generations + 1):
        before = result[t - 1]
        moved = system.transition @ before - before + system.push
        result[t] = before + np.linalg.solve(_inertia(system) + t * np.eye(len(before)), moved)
    return result


def _inertia(system: LinearSystem) -> np.ndarray:
    assert system.inertia is not None  # callers have asked
    return system.inertia


def _following(system: LinearSystem, covariance: np.ndarray, t: int) -> np.ndarray:
    """Return the covariance of the estimates from whole pools one generation later."""
    size = len(covariance)
    gain = np.linalg.inv(_inertia(system) + t * np.eye(size))
    step = np.eye(size) + gain @ (system.transition - np.eye(size))
    selected = system.transition @ _selected(system, t - 1) @ system.transition.T
    following = step @ covariance @ step.T + gain @ (system.noise + selected) @ gain.T
    return (following + following.T) / 2


def _selected(system: LinearSystem, t: int) -> np.ndarray:
    """Return U_t, which the choice of a subsample adds; generation 0 is fitted whole."""
    if system.selection is None or t == 0:
        return np.zeros_like(system.noise)
    start, later, ratio = system.selection
    gain = np.linalg.inv(_inertia(system) + t * np.eye(len(ratio)))
    return (ratio + t - 1)[:, None] * (gain @ (start + t * later) @ gain.T)
