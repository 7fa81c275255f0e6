"""Errors of a few models of a very large network, by the lineages of their data.

With private samples, noise and first errors of different models are independent. So with row v_s of
``W^s`` for model i, which says where the data of model i were s generations before,

    c_ii(t) = sum_{s < t} sum_k v_s(k)^2 N_kk + sum_k v_t(k)^2 X_kk ,

which takes as much work in a generation as there are feeds. What is left of v_t outside of collapse
origins and frozen models falls to zero. Then the slope is ``sum_C d q_C h_C^2`` over the cyclic
classes C of origins, with the mass h_C of v_t in them (:mod:`mcjax.laws.first_order.limits`), and
where there is none, c_ii(t) is the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.laws.first_order.time_to_harm import FACTORS, SLACK, TIMES

if TYPE_CHECKING:
    from jaxtyping import Float, Int

WORK, LONGEST, LEFT = 2e9, 1_000, 1e-10
"""Multiplications that all generations may take, the largest number of these, and the mass that may
be left for a slope or a limit."""


class Lineages(NamedTuple):
    """Errors of K models, nan where the generations that were taken do not tell.

    Attributes
    ----------
    growth, limit : ndarray, shape (K,)
        Slope of the error, or its limit.
    relative : ndarray, shape (3, K)
        Errors at :data:`TIMES` over the first ones.
    times : ndarray, shape (2, K)
        The first generations with an error of :data:`FACTORS` times the first one.
    """

    growth: Float[np.ndarray, " K"]
    limit: Float[np.ndarray, " K"]
    relative: Float[np.ndarray, "3 K"]
    times: Float[np.ndarray, "2 K"]


class Walk(NamedTuple):
    """The backward walk of a network with private samples.

    Attributes
    ----------
    shares : sparse array, shape (M, M)
        W, with 1 on the diagonal for frozen models.
    noise, first : ndarray, shape (M,)
        Variances N of one generation's noise, 0 for frozen models, and X of the first errors.
    """

    shares: csr_array
    noise: Float[np.ndarray, " M"]
    first: Float[np.ndarray, " M"]


def lineages(
    walk: Walk,
    asked: Int[np.ndarray, " K"],
    origins: Sequence[CollapseOrigin],
    slopes: Sequence[float],
) -> Lineages:
    """Return the errors of some models.

    Parameters
    ----------
    walk : Walk
        The backward walk.
    asked : ndarray of int, shape (K,)
        Positions of the models.
    origins : sequence of CollapseOrigin
        The collapse origins.
    slopes : sequence of float
        ``d q_C`` of each, the slope of its members.
    """
    size, count = len(walk.noise), len(asked)
    back = walk.shares.T.tocsr()
    rows = np.zeros((size, count))
    rows[asked, np.arange(count)] = 1
    start, total = walk.first[asked], np.zeros(count)
    times, relative = np.full((len(FACTORS), count), np.nan), np.full((len(TIMES), count), np.nan)
    targets = np.array(FACTORS)[:, None] * start * (1 - SLACK)
    label, weight = _classes(size, origins, slopes)
    inside, moving = label >= 0, (label < 0) & (walk.noise > 0)
    longest = int(np.clip(WORK / (count * (back.nnz + size)), max(TIMES), LONGEST))
    for t in range(1, longest + 1):
        total += walk.noise @ rows**2
        rows = back @ rows
        errors = total + walk.first @ rows**2
        times[np.isnan(times) & (errors >= targets)] = t
        if t in TIMES:
            relative[TIMES.index(t)] = errors / start
        left = rows[moving].sum(0)
        if t >= max(TIMES) and (left <= LEFT).all() and not np.isnan(times).any():
            break
    mass = np.zeros((len(weight), count))
    np.add.at(mass, label[inside], rows[inside])
    growth = weight @ mass**2
    settled = left <= LEFT
    return Lineages(
        np.where(settled & (growth > 0), growth, np.nan),
        np.where(settled & (growth == 0), errors, np.nan),
        relative,
        times,
    )


def _classes(
    size: int, origins: Sequence[CollapseOrigin], slopes: Sequence[float]
) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " C"]]:
    """Return the cyclic class of each model in an origin, -1 of others, and the slope of each."""
    label, weight = np.full(size, -1), list[float]()
    for origin, slope in zip(origins, slopes, strict=True):
        label[list(origin.indices)] = len(weight) + np.array(origin.phases)
        weight += [slope] * origin.period
    return label, np.array(weight)
