"""Response of long-run errors to one further sample.

Let ``J = sum_i q_i S_ii`` be a mean of errors that are bounded, with ``b_i`` rows in a fit of model
i, all of weight 1, and private samples. One row more of model j turns the shares of model i by
``(e_j - W_i) / b_i`` and its noise by ``-1 / b_i^2``; a real row turns its shares by ``-W_i / b_i``
and its noise as much. With the adjoint ``Y = W' Y W + diag(q)``, the covariance S from noise, and C
from what is drawn once,

    dJ / dn_ij = [2 (Y W S)_ij - 2 (Y W S W')_ii - Y_ii / b_i + 2 (L' Q C)_ij - 2 (L' Q C)_ii] / b_i
    dJ / dm_i  = [         - 2 (Y W S W')_ii - Y_ii / b_i               - 2 (L' Q C)_ii] / b_i

where ``L = (I - W)^-1``, and j may be any model whose error is bounded, whether i reads it already
or not. Derived here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.laws.first_order.limits import limit, noise_sum
from mcjax.laws.first_order.linear_system import LinearSystem

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Sensitivity(NamedTuple):
    """Derivatives of a mean of errors, nan for models whose errors grow, and 0 for frozen readers.

    Attributes
    ----------
    real : ndarray, shape (M,)
        By the number of real rows that each model reads in a generation.
    feeds : ndarray, shape (M, M)
        By the rows that each model, a row, reads of each model, a column.
    """

    real: Float[np.ndarray, " M"]
    feeds: Float[np.ndarray, "M M"]


def sensitivity(
    system: LinearSystem,
    rows: Float[np.ndarray, " M"],
    stable: Bool[np.ndarray, " M"],
    weights: Float[np.ndarray, " M"],
) -> Sensitivity:
    """Return how a mean of errors responds to one sample more.

    Parameters
    ----------
    system : LinearSystem
        The law of the errors, for one parameter; constant, of private samples of weight 1, of which
        none is used again, and of data that are replaced.
    rows : ndarray, shape (M,)
        b, the rows of each fit.
    stable : ndarray of bool, shape (M,)
        The models whose errors are bounded.
    weights : ndarray, shape (M,)
        q; zero for other models.
    """
    size, known = len(stable), np.flatnonzero(stable)
    moving = np.flatnonzero(stable & ~system.frozen)
    whole = limit(system, stable)
    noise = limit(replace(system, initial=np.zeros_like(system.initial)), stable)
    at = np.ix_(moving, moving)
    w, b, q = system.transition[at], rows[moving], weights[moving]
    adjoint, unsettled = noise_sum(w.T, np.diag(q))
    feeds, real = np.full((size, size), np.nan), np.full(size, np.nan)
    feeds[np.ix_(known, known)], real[known] = 0, 0
    if unsettled.any():  # a mean that double precision does not resolve
        real[moving] = feeds[np.ix_(moving, known)] = np.nan
        return Sensitivity(real, feeds)
    passed = adjoint @ w @ noise[np.ix_(moving, known)]
    lasting = np.linalg.inv(np.eye(len(moving)) - w)
    constant = lasting.T @ (q[:, None] * (whole - noise)[np.ix_(moving, known)])
    own = np.einsum("ij,ij->i", adjoint @ w @ noise[at], w)
    own = 2 * own + np.diagonal(adjoint) / b
    own += 2 * np.diagonal(constant[:, np.searchsorted(known, moving)])
    real[moving] = -own / b
    feeds[np.ix_(moving, known)] = (2 * (passed + constant) - own[:, None]) / b[:, None]
    return Sensitivity(real, feeds)
