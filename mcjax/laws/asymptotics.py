"""What the linear law of the errors does in the long run: limits, and rates of collapse.

Both follow from powers of the transition A, which are squared until what is left out is below
rounding. The stopping rule is a bound on the remainder, derived here: if the standard deviations d
of the sum so far satisfy ``|A^n| d <= eps d``, the full sum exceeds d by a factor of at most
``1 / (1 - eps)``. Accuracy is lost as the slowest decay approaches 1: at a gap g about
``1e-16 / g`` of the result. Where ``2**DOUBLINGS`` generations do not settle a model (g below about
1e-11) its result is nan, and so is that of whatever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mcjax.laws.accumulation import accumulated_limit
from mcjax.laws.growing import faded_limit
from mcjax.laws.sources import UnstableSource
from mcjax.laws.system import LinearSystem

DOUBLINGS = 40
TOLERANCE = 1e-8
"""On standard deviations before the last doubling, which squares it."""


def limit(system: LinearSystem, stable: np.ndarray) -> np.ndarray:
    """Covariance of the stable models' errors as t -> infinity.

    Frozen models and reused real data are constants xi, drawn once with covariance X. The others,
    ``e_t = A e_{t-1} + u + noise_t`` with ``u = A_frozen xi_frozen + R xi`` and the spectral radius
    of A below 1, forget where they began:

        C = sum_k A^k N A'^k + (I - A)^-1 Cov(u) (I - A)^-T

    and their covariance with a frozen model is ``(I - A)^-1 A_frozen X_frozen``. The sum solves
    ``C = A C A' + N`` and is found by doubling, ``C <- C + A^n C A'^n``.

    Where data accumulate, see :mod:`mcjax.laws.accumulation`; where sample counts grow,
    :mod:`mcjax.laws.growing`.

    Parameters
    ----------
    stable: the models that do not collapse, shape (M,). They read none that does.

    Returns
    -------
    Shape (Mp, Mp), zero in the rows and columns of other models.
    """
    if system.inertia is not None:
        return accumulated_limit(system)
    if system.growth > 1:
        return faded_limit(system)
    if system.growth:  # noise vanishes, and these models forget what there was
        system = replace(system, noise=np.zeros_like(system.noise))
    stable = np.asarray(stable, bool)
    moving = np.repeat(stable & ~system.frozen, system.p)
    still = np.repeat(stable & system.frozen, system.p)
    own = system.transition[np.ix_(moving, moving)]
    sums, unsettled = _noise_sum(own, system.noise[np.ix_(moving, moving)])
    settled = ~_with_readers(own, unsettled)

    # What remains of xi in each error: a linear map, the identity for frozen models.
    rows = np.flatnonzero(moving)[settled]
    drawn = np.flatnonzero(still | (moving & system.reuse.any(0)))
    at = np.ix_(rows, drawn)
    forcing = np.where(still[drawn], system.transition[at], system.reuse[at])
    constant = np.eye(len(system.transition))[:, drawn] * still[:, None]
    constant[rows] = np.linalg.solve(np.eye(len(rows)) - own[np.ix_(settled, settled)], forcing)
    covariance = constant @ system.initial[np.ix_(drawn, drawn)] @ constant.T
    covariance[np.ix_(moving, moving)] += sums
    lost = np.flatnonzero(moving)[~settled]
    inside = np.flatnonzero(moving | still)
    covariance[np.ix_(lost, inside)] = np.nan
    covariance[np.ix_(inside, lost)] = np.nan
    return covariance


def growth(system: LinearSystem, sources: Sequence[UnstableSource]) -> np.ndarray:
    """``lim Cov(e_{i,t}) / t`` of each model.

    In general this is ``sum P N P*`` over the spectral projectors P of the eigenvalues of modulus
    1. Derived here from the structure: only an unstable source C has such eigenvalues with noise
    on them (frozen models have none). There ``A = W_CC`` on every coordinate, with stationary row
    vector pi and d cyclic classes, and ``A^(kd)`` tends to a matrix that maps the errors of class c
    to ``d pi_c e_c`` in each member of c. Outside, let ``h_i^c`` be what model i reads in the end,
    ``lim sum_{j in c} (A^kd)_ij``: of those members 1 in its own class, else 0; a reader solves

        h_i^(c+1) = sum_{j outside} A_ij h_j^c + sum_{j in class c} A_ij .

    Averaged over the d residues of t, ``S_i = d sum_c h_i^c q h_i^c'`` with
    ``q = sum_{j,k} pi_j N_jk pi_k``. This needs two independences, which hold for private and
    shared draws alike because the noise of a reader stems from the samples of whom it reads: two
    sources read disjoint sets of models, so their contributions add; and two classes of one source
    do, so N vanishes between classes. Hence a ring of M equal models gains nothing from averaging:
    each has the slope v of a single loop, not v / M.

    Returns
    -------
    Shape (M, p, p), zero for models that no source reaches.
    """
    p, size = system.p, len(system.frozen)
    slopes = np.zeros((size, p, p))
    if not sources or system.growth:  # with more samples every time, growth slows down to nothing
        return slopes
    periods = [source.period for source in sources]
    starts = np.concatenate([[0], np.cumsum(periods)[:-1]])
    classes = np.zeros((size, sum(periods)))
    for source, start in zip(sources, starts, strict=True):
        classes[list(source.indices), start + np.array(source.phases)] = 1
    reads = _absorption(system, classes, starts)
    blocks = system.noise.reshape(size, p, size, p)
    shares = np.trace(system.transition.reshape(size, p, size, p), axis1=1, axis2=3) / p
    for source, start in zip(sources, starts, strict=True):
        members = np.array(source.indices)
        pi = stationary_distribution(shares[np.ix_(members, members)])
        q = np.einsum("j,jakb,k->ab", pi, blocks[members][:, :, members], pi, optimize=True)
        h = reads[:, :, start : start + source.period]
        slopes += source.period * np.einsum("iacb,bd,iecd->iae", h, q, h, optimize=True)
    return slopes


def stationary_distribution(shares: np.ndarray) -> np.ndarray:
    """pi with ``pi W = pi`` of an irreducible stochastic W, shape (n,).

    Elimination without subtractions (Grassmann, Taksar & Heyman 1985), which is accurate to
    rounding however weakly the parts of W are coupled.
    """
    w = np.array(shares, float)
    for k in range(len(w) - 1, 0, -1):
        w[:k, k] /= w[k, :k].sum()
        w[:k, :k] += np.outer(w[:k, k], w[k, :k])
    pi = np.ones(len(w))
    for k in range(1, len(w)):
        pi[k] = pi[:k] @ w[:k, k]
    return pi / pi.sum()


def _absorption(system: LinearSystem, classes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """What each model reads in the end of each cyclic class of each source.

    ``H = A shift(H) + shift(B)`` moves every class to its successor; iterating 2n times is
    ``H <- H + A^n shift^n(H)``.

    Parameters
    ----------
    classes: which models belong to which class, shape (M, classes of all sources).
    starts: the first class of each source.

    Returns
    -------
    Shape (M, p, classes, p).
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
    found = entry[outside][:, shift]
    unsettled = np.zeros(len(outside), bool)
    for power in _powers(own):
        sizes = np.add.reduceat(np.abs(found).sum(-1), starts, axis=1)
        unsettled = (np.abs(power) @ sizes > TOLERANCE * sizes).any(1)
        shifted = found[:, shift].reshape(len(outside), count * p)
        found = found + (power @ shifted).reshape(found.shape)
        shift = shift[shift]
        if not unsettled.any():
            break
    found[_with_readers(own, unsettled)] = np.nan
    reach[outside] = found
    return reach.reshape(size, p, count, p)


def _noise_sum(a: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``sum_k A^k N A'^k``, and the rows in which it has not settled."""
    total = noise
    unsettled = np.zeros(len(a), bool)
    for power in _powers(a):
        deviation = np.sqrt(np.diagonal(total))
        unsettled = np.abs(power) @ deviation > TOLERANCE * deviation
        if not unsettled.any():
            break
        total = total + power @ total @ power.T
    return total, unsettled


def _powers(a: np.ndarray) -> Iterator[np.ndarray]:
    """A, A^2, A^4, ..., each squared only when it is asked for."""
    for _ in range(DOUBLINGS):
        yield a
        a = a @ a


def _with_readers(a: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """These rows and all that read them, directly or not."""
    reads = a != 0
    reached = rows.copy()
    while rows.any():
        rows = reads[:, rows].any(1) & ~reached
        reached |= rows
    return reached
