"""First-order errors in the long run: limits, and rates of collapse.

Both follow from powers of the transition A, which are squared until what is left out is below
rounding. The stopping rule bounds the remainder (derived here): if the standard deviations d of the
sum so far satisfy ``|A^n| d <= eps d``, the full sum exceeds d by a factor of at most
``1 / (1 - eps)``. Accuracy is lost as the slowest decay approaches 1: with a gap g, about
``1e-16 / g`` of the result. Where ``2**DOUBLINGS`` generations do not settle a model (g below about
1e-11), its result is nan, and so are the results of its readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.laws.doubling import squared_powers
from mcjax.laws.first_order.accumulation_limits import accumulated_limit, accumulated_mean_limit
from mcjax.laws.first_order.growing_samples import faded_limit
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.network.markov import stationary_distribution

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

DOUBLINGS = 40
TOLERANCE = 1e-8
"""eps for standard deviations before the last doubling, which squares it."""


def limit(system: LinearSystem, stable: Bool[np.ndarray, " M"]) -> Float[np.ndarray, "M*p M*p"]:
    """Return the covariance of the stable models' errors as t -> infinity.

    Parameters
    ----------
    system : LinearSystem
        The law of the errors.
    stable : ndarray of bool, shape (M,)
        The models that do not collapse. They read no model that does.

    Returns
    -------
    ndarray, shape (M p, M p)
        Zero in the rows and columns of other models.

    Notes
    -----
    Frozen models and reused real data are constants xi, drawn once with covariance X. The others,
    ``e_t = A e_{t-1} + u + noise_t`` with ``u = A_frozen xi_frozen + R xi`` and the spectral radius
    of A below 1, forget where they began:

        C = sum_k A^k N A'^k + (I - A)^-1 Cov(u) (I - A)^-T

    Their covariance with a frozen model is ``(I - A)^-1 A_frozen X_frozen``. The sum solves
    ``C = A C A' + N`` and is found by doubling.

    For data that accumulate see :mod:`mcjax.laws.first_order.accumulation_limits`, for counts that
    grow :mod:`mcjax.laws.first_order.growing_samples`.
    """
    if system.inertia is not None:
        return accumulated_limit(system)
    if system.growth > 1:
        return faded_limit(system)
    if system.growth:  # noise vanishes, and these models forget their past
        system = replace(system, noise=np.zeros_like(system.noise))
    stable = np.asarray(stable, bool)
    moving = np.repeat(stable & ~system.frozen, system.p)
    still = np.repeat(stable & system.frozen, system.p)
    own = system.transition[np.ix_(moving, moving)]
    noise = system.noise[np.ix_(moving, moving)]
    sums, unsettled = noise_sum(own, noise)
    if not np.diagonal(noise).all():  # without noise, a closed loop keeps its first error
        unsettled = unsettled | noise_sum(own, np.eye(len(own)))[1]
    settled = ~_with_readers(own, unsettled)

    # what remains of xi in each error: a linear map, the identity for frozen models
    rows = np.flatnonzero(moving)[settled]
    constants = np.zeros(system.reuse.shape[1], bool)
    constants[: len(still)] = still
    drawn = np.flatnonzero(constants | system.reuse[moving].any(0))
    at = np.ix_(rows, drawn)
    carried = np.zeros_like(system.reuse)
    carried[:, : len(still)] = system.transition
    forcing = np.where(constants[drawn], carried[at], 0.0) + system.reuse[at]
    constant = np.eye(*system.reuse.shape)[:, drawn] * still[:, None]
    constant[rows] = np.linalg.solve(np.eye(len(rows)) - own[np.ix_(settled, settled)], forcing)
    covariance = constant @ system.initial[np.ix_(drawn, drawn)] @ constant.T
    covariance[np.ix_(moving, moving)] += sums
    lost = np.flatnonzero(moving)[~settled]
    inside = np.flatnonzero(moving | still)
    covariance[np.ix_(lost, inside)] = np.nan
    covariance[np.ix_(inside, lost)] = np.nan
    return covariance[np.ix_(system.seen, system.seen)] if system.hidden else covariance


def mean_limit(system: LinearSystem, stable: Bool[np.ndarray, " M"]) -> Float[np.ndarray, "M p"]:
    """Return the mean errors of the stable models as t -> infinity, ``m = A m + push``.

    They are zero for other models, and nan for models that do not settle in double precision.
    """
    result = np.zeros(len(system.transition))
    if system.push is None or system.start is None:
        return result[system.seen].reshape(-1, system.p - system.hidden)
    if system.inertia is not None:
        return accumulated_mean_limit(system).reshape(-1, system.p)
    stable = np.asarray(stable, bool)
    moving = np.repeat(stable & ~system.frozen, system.p)
    still = np.repeat(stable & system.frozen, system.p)
    result[still] = system.start[still]
    own = system.transition[np.ix_(moving, moving)]
    forcing = system.push[moving] + system.transition[np.ix_(moving, still)] @ result[still]
    lost = _with_readers(own, noise_sum(own, np.eye(len(own)))[1])
    inside = own[np.ix_(~lost, ~lost)]
    settled = np.full(len(own), np.nan)
    settled[~lost] = np.linalg.solve(np.eye(len(inside)) - inside, forcing[~lost])
    result[moving] = settled
    return result[system.seen].reshape(-1, system.p - system.hidden)


def growth(system: LinearSystem, origins: Sequence[CollapseOrigin]) -> Float[np.ndarray, "M p p"]:
    """Return ``lim Cov(e_{i,t}) / t`` of each model.

    Returns
    -------
    ndarray, shape (M, p, p)
        Zero for models that no origin reaches.

    Notes
    -----
    In general this is ``sum P N P*`` over the spectral projectors P of the eigenvalues of modulus
    1. Derived here from the structure: only a collapse origin C has such eigenvalues with noise on
    them (frozen models have none). There ``A = W_CC`` on every coordinate, with stationary row
    vector pi and d cyclic classes, and ``A^(kd)`` tends to a matrix that maps the errors of class c
    to ``d pi_c e_c`` in each member of c. Let ``h_i^c = lim sum_{j in c} (A^kd)_ij`` be the weight
    of class c in model i in the end. For a member of C it is 1 for its own class and 0 for others;
    a reader outside solves

        h_i^(c+1) = sum_{j outside} A_ij h_j^c + sum_{j in class c} A_ij .

    Averaged over the d residues of t, ``S_i = d sum_c h_i^c q h_i^c'`` with
    ``q = sum_{j,k} pi_j N_jk pi_k``. Two independences are used. They hold for private and for
    shared draws, because the noise of a reader comes from the samples of the models it reads. Two
    origins read disjoint sets of models, so their contributions add. Two classes of one origin do
    too, so N vanishes between classes. Hence a ring of M equal models gains nothing from averaging:
    each has the slope v of a single loop, not v / M.
    """
    p, size = system.p, len(system.frozen)
    slopes = np.zeros((size, p, p))
    if not origins or system.growth:  # with ever more samples, growth slows down to nothing
        return slopes
    periods = [origin.period for origin in origins]
    starts = np.concatenate([[0], np.cumsum(periods)[:-1]])
    classes = np.zeros((size, sum(periods)))
    for origin, start in zip(origins, starts, strict=True):
        classes[list(origin.indices), start + np.array(origin.phases)] = 1
    reads = _absorption(system, classes, starts)
    blocks = system.noise.reshape(size, p, size, p)
    shares = np.trace(system.transition.reshape(size, p, size, p), axis1=1, axis2=3) / p
    for origin, start in zip(origins, starts, strict=True):
        members = np.array(origin.indices)
        pi = stationary_distribution(shares[np.ix_(members, members)])
        q = np.einsum("j,jakb,k->ab", pi, blocks[members][:, :, members], pi, optimize=True)
        h = reads[:, :, start : start + origin.period]
        slopes += origin.period * np.einsum("iacb,bd,iecd->iae", h, q, h, optimize=True)
    return slopes


def _absorption(system: LinearSystem, classes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the long-run weight of each cyclic class of each origin in each model.

    ``H = A shift(H) + shift(B)`` moves every class to its successor; iterating 2n times is
    ``H <- H + A^n shift^n(H)``.

    Parameters
    ----------
    system : LinearSystem
        The system of the network.
    classes : ndarray, shape (M, classes of all origins)
        Whether each model belongs to each class.
    starts : ndarray
        The first class of each origin.

    Returns
    -------
    ndarray, shape (M, p, classes, p)
    """
    p = system.p
    size, count = classes.shape
    reach = np.einsum("ic,ab->iacb", classes, np.eye(p)).reshape(size * p, count, p)
    members = np.repeat(classes.any(1), p)
    entry = (system.transition @ reach.reshape(size * p, count * p)).reshape(reach.shape)
    outside = np.flatnonzero(_with_readers(system.transition, members) & ~members)
    own = system.transition[np.ix_(outside, outside)]

    last = np.append(starts[1:], count) - 1
    shift = np.arange(count) - 1
    shift[starts] = last
    total = entry[outside][:, shift]
    unsettled = np.zeros(len(outside), bool)
    for power in squared_powers(own, DOUBLINGS):
        sizes = np.add.reduceat(np.abs(total).sum(-1), starts, axis=1)
        unsettled = (np.abs(power) @ sizes > TOLERANCE * sizes).any(1)
        shifted = total[:, shift].reshape(len(outside), count * p)
        total = total + (power @ shifted).reshape(total.shape)
        shift = shift[shift]
        if not unsettled.any():
            break
    total[_with_readers(own, unsettled)] = np.nan
    reach[outside] = total
    return reach.reshape(size, p, count, p)


def noise_sum(a: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``sum_k A^k N A'^k``, and the rows in which it has not settled."""
    total = noise
    unsettled = np.zeros(len(a), bool)
    for power in squared_powers(a, DOUBLINGS):
        deviation = np.sqrt(np.diagonal(total))
        unsettled = np.abs(power) @ deviation > TOLERANCE * deviation
        if not unsettled.any():
            break
        total = total + power @ total @ power.T
    return total, unsettled


def _with_readers(a: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return these rows and all that read them, directly or not."""
    reads = a != 0
    reached = rows.copy()
    while rows.any():
        rows = reads[:, rows].any(1) & ~reached
        reached |= rows
    return reached
