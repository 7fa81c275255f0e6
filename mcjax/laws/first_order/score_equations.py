"""The linear system of a network, from the score equations of its fits.

**Score equations.** At generation t model i minimises ``sum_b w_b sum_{z in b} loss(theta; z)``
over the batches b fed to it, of n_b observations each. A batch of a real source follows the law at
the truth of that source, a batch of model j the law that j generates at
``theta_{j,t-1} = theta* + e_{j,t-1}``. Write H_b for the expected Hessian of the loss and V_b for
the covariance of its gradient, both for one observation of b. Expand the stationarity condition
around theta*. The expected score of a batch vanishes at the parameters of its parent, so to first
order

    K_i e_{i,t} = sum_b (C_b (e_{parent(b),t-1} + delta_b) - w_b U_b),     K_i = sum_b C_b,

with the *curvature* ``C_b = w_b n_b H_b`` and the *score* U_b of the sample at its own truth,
``Cov(U_b) = n_b V_b``. The error of a real parent is 0, and delta_b is the truth of a real source
less theta* (0 for a batch of a model).

Assumed: a smooth enough loss with a positive definite expected Hessian, finite V, truths at a
distance of O(1 / sqrt(n)), and n -> infinity with the shares of the batches fixed. What is left out
is of relative order 1/n. For least squares on given designs, ``C_b = w_b X_b'X_b`` and
``U_b = -X_b' eps_b``, and the equations are exact (:mod:`mcjax.laws.least_squares.fixed_design`).

**System.** Stacked over the M models,

    e_t = A e_{t-1} + R xi + q + noise_t ,

with ``A_ij = K_i^-1 C_b`` for the batch b of model j, the push
``q_i = K_i^-1 sum_b C_b delta_b`` of truths that differ, and everything that is drawn once in xi:

* Batches of one *stream* are one sample and share one U. Two readers of a sample that a model
  publishes have the noise covariance ``w_b w_c K_i^-1 Cov(U) K_k^-1``; private samples are
  independent.
* Fresh real data are noise. A real sample that is *used again* has its U in xi, for ever. If a
  model fitted that sample alone at generation 0, then ``U = -K_0 e_0 / w_0`` (e_0 less its mean) is
  in xi already.
* A *frozen* model, which reads nothing, has ``A_ii = I`` and no noise.
* Where data accumulate, A and N describe a fit of one generation's data, and the inertia
  ``K_i^-1 K_i0`` relates them to the generation-0 sample
  (:mod:`mcjax.laws.first_order.accumulation`).
* Where fits take *steps* from a start, ``K_i^-1`` is replaced by what they make of their data, and
  the start adds an edge of its own (:mod:`mcjax.laws.first_order.trained`).

A model that reads no real data has ``A_ij = W_ij I`` for the shares W of its samples, whatever H
is. Nothing explodes to first order: all batches of models have one H, so with c_i their weight in
model i, and positive semi-definite curvature from real sources, ``K_i - c_i H`` is positive
semi-definite, and in the metric of H the norms of the blocks of a row of A sum to at most 1.

Derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.chains.layout import Feeds, network_arrays, real_samples, shape_of, tables_of
from mcjax.errors import InputError
from mcjax.laws.first_order.accumulation import Selection
from mcjax.laws.first_order.fits import Batches, Fits, sum_by, transposed
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.trained import Training, by_model, with_starts, with_states
from mcjax.models.information import Information
from mcjax.network.network import Network
from mcjax.solvers.conditioning import condition_number

if TYPE_CHECKING:
    from jaxtyping import Float

LARGEST_CONDITION = 1e14
"""Condition number from which a matrix counts as singular."""


BatchesOf = Callable[[Feeds], Batches]
"""The matrices of one generation's feeds."""


def linear_system(
    net: Network,
    information: Information,
    offsets: Float[np.ndarray, "S p"] | None = None,
    training: Training | None = None,
) -> LinearSystem:
    """Return the first-order system of a network.

    Parameters
    ----------
    net : Network
        The network.
    information : Information
        H and V of real data, of data that models generate, and of further real sources.
    offsets : ndarray, shape (S, p), optional
        Truths of the real sources less theta*; defaults to one truth for all.
    training : Training, optional
        What fits make of starts and data; defaults to fits to the minimum.

    Raises
    ------
    InputError
        If the weighted sum K_i of a model's expected Hessians is singular.
    """
    return assemble(net, *_expected(net, information, offsets), training=training)


def pooled_first_order(
    net: Network, information: Information, offsets: Float[np.ndarray, "S p"] | None = None
) -> float | None:
    """Return :func:`pooled_mse` to first order."""
    return pooled_mse(net, *_expected(net, information, offsets))


def assemble(
    net: Network,
    batches: BatchesOf,
    offsets: Float[np.ndarray, "S p"],
    training: Training | None = None,
) -> LinearSystem:
    """Return the linear system of a network whose batches have given curvatures and scores.

    Parameters
    ----------
    net : Network
        The network.
    batches : callable
        Matrices of the feeds of a generation, in the layout of :class:`mcjax.chains.layout.Feeds`;
        the K_i of models that read must be regular.
    offsets : ndarray, shape (S, p)
        delta of the real sources.
    training : Training, optional
        What fits make of starts and data; defaults to fits to the minimum.
    """
    arrays = network_arrays(net, shape_of([net], len(net.later.generations)))
    first, *tables = tables_of(arrays)
    steps = None if training is None else training.first
    states = 0 if training is None else training.states
    new = first._replace(renewed=np.ones_like(first.renewed))
    nothing = np.repeat(np.arange(1 + states) > 0, net.size)  # a state is zero before it is used
    new = with_states(new, states, net.size)
    new = new._replace(samples=np.where(nothing[:, None], 0, new.samples))
    begun = Fits(new, _repeated(batches(first), states), steps)
    later = [
        Fits(with_states(feeds, states, net.size), _repeated(batches(feeds), states), training)
        for feeds in tables
    ]
    drawn_once = _DrawnOnce(begun, later)
    systems = [
        by_model(_system(net, begun, fits, drawn_once, offsets=offsets), states) for fits in later
    ]
    *before, last = (systems[table - 1] for table in arrays.order[1:])
    return replace(last, before=tuple(before), turns=net.later.turns)


def _repeated(batches: Batches, states: int) -> Batches:
    """Return the matrices of what models and their states read."""
    if not states:
        return batches
    curvature, score = (
        np.concatenate([part] * (1 + states)) for part in (batches.curvature, batches.score)
    )
    return Batches(curvature, score)  # shares are of refits


def pooled_mse(net: Network, batches: BatchesOf, offsets: Float[np.ndarray, "S p"]) -> float | None:
    """Return the MSE of the pooled estimator.

    The estimator fits every real sample of a generation, each once and unweighted. The result is
    None if these samples do not determine all parameters, or change with time.
    """
    if net.later.rows_vary:
        return None
    size, p = net.size, offsets.shape[1]
    arrays = network_arrays(net, shape_of([net]))
    tables = tables_of(arrays)
    even = [batches(feeds._replace(weight=np.ones_like(feeds.weight))) for feeds in tables]
    total, spread, pull = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p)
    for g, i, b in real_samples(tables, size):
        total += even[g].curvature[i, b]
        spread += even[g].score[i, b]
        pull += even[g].curvature[i, b] @ offsets[tables[g].origin[i, b] - size]
    if not condition_number(total) < LARGEST_CONDITION:
        return None
    inverse = np.linalg.inv(total)
    mean = inverse @ pull
    return float(np.trace(inverse @ spread @ inverse) + mean @ mean)


def block_diagonal(matrices: Float[np.ndarray, "M p p"]) -> Float[np.ndarray, "M*p M*p"]:
    """Return one matrix of shape (M p, M p) from M of shape (p, p)."""
    size, p, _ = matrices.shape
    result = np.zeros((size, p, size, p))
    result[np.arange(size), :, np.arange(size), :] = matrices
    return result.reshape(size * p, size * p)


def _expected(
    net: Network, information: Information, offsets: np.ndarray | None
) -> tuple[BatchesOf, np.ndarray]:
    """Return the expected curvatures and scores of batches, and the offsets."""
    further = information.sources or (information.real,) * len(net.sources)
    output = information.models or (information.synthetic,) * net.size
    kinds = [*output, information.real, *further]
    hessians = np.array([kind.hessian for kind in kinds], float)
    scores = np.array([kind.score_covariance for kind in kinds], float)

    def batches(feeds: Feeds) -> Batches:
        counts = feeds.samples.astype(float)
        mass = feeds.weight * counts
        curvature = mass[..., None, None] * hessians[feeds.origin]
        used = feeds.samples > 0
        # the batches of other models have one curvature, up to their mass
        mixed = (used & (feeds.origin >= net.size)).any(1) | bool(information.models)
        reads = np.flatnonzero(used.any(1))
        _check_regular(curvature.sum(1)[reads], [net.models[i] for i in reads])
        total = np.where(mixed | ~used.any(1), np.nan, mass.sum(1))
        scored = counts[..., None, None] * scores[feeds.origin]
        return Batches(curvature, scored, mass / total[:, None])

    truths = np.zeros((1 + len(net.sources), hessians.shape[-1])) if offsets is None else offsets
    return batches, truths


def _system(
    net: Network, begun: Fits, fits: Fits, drawn_once: _DrawnOnce, offsets: np.ndarray
) -> LinearSystem:
    """Return the system while feeds stay, from the fits of generation 0 and of later ones."""
    size, p = len(fits.rows), offsets.shape[1]
    frozen = fits.rows == 0
    models = np.arange(size)
    synthetic = fits.origin < size
    transition = np.zeros((size, p, size, p))
    transition[fits.reader[synthetic], :, fits.origin[synthetic], :] = fits.moved[synthetic]
    transition[models[frozen], :, models[frozen], :] = np.eye(p)

    push = _pushed(fits, fits.moved, offsets)
    start = _pushed(begun, begun.moved, offsets)
    flat = (size * p, size * p)
    inertia, selection = None, None
    if not net.memory.current_only:
        inertia = block_diagonal(fits.inverse @ begun.total)
    if net.memory.selects:
        scores = sum_by(begun.reader, begun.weight[:, None, None] ** 2 * begun.score, fits.total)
        chosen = fits.inverse @ scores @ transposed(fits.inverse)
        chosen[frozen] = 0
        selection = Selection(
            block_diagonal(chosen),
            block_diagonal(fits.scores_by_model()),
            np.repeat(np.array(net.initial, float) / np.maximum(fits.rows, 1), p),
        )
    system = LinearSystem(
        transition=transition.reshape(flat),
        noise=fits.noise(fits.renewed).reshape(flat),
        reuse=drawn_once.reuse(fits),
        initial=drawn_once.covariance,
        frozen=frozen,
        p=p,
        inertia=inertia,
        selection=selection,
        growth=net.later.exponent,
        push=push if offsets.any() else None,
        start=start if offsets.any() else None,
    )
    return system if fits.trained is None else with_starts(system, fits.trained, begun.trained)


class _DrawnOnce:
    """Hold the variables drawn once: generation-0 errors, then scores of reused samples.

    Attributes
    ----------
    covariance : ndarray, shape (Q p, Q p)
        X.
    """

    def __init__(self, begun: Fits, later: Sequence[Fits]):
        size, p, _ = begun.total.shape
        reads = np.bincount(begun.reader, minlength=size)
        alone = np.flatnonzero(reads[begun.reader] == 1)[::-1]
        self._begun = begun
        self._alone = {int(begun.stream[f]): f for f in alone}
        self._places: dict[int, int] = {}  # of scores that no generation-0 error gives
        spread: dict[int, np.ndarray] = {}
        for fits in later:
            for f in np.flatnonzero(~fits.renewed):
                stream = int(fits.stream[f])
                if stream not in self._alone and stream not in self._places:
                    self._places[stream] = size + len(self._places)
                spread[stream] = fits.score[f]
        drawn = size + len(self._places)
        covariance = np.zeros((drawn, p, drawn, p))
        covariance[:size, :, :size] = begun.noise(np.ones(len(begun.reader), bool))
        for stream, place in self._places.items():
            covariance[place, :, place] = spread[stream]
        for g, stream in enumerate(begun.stream.tolist()):
            if stream in self._places:
                cross = begun.gain[g] @ begun.score[g]
                covariance[begun.reader[g], :, self._places[stream]] = cross
                covariance[self._places[stream], :, begun.reader[g]] = cross.T
        self.covariance = covariance.reshape(drawn * p, drawn * p)

    def reuse(self, fits: Fits) -> np.ndarray:
        """Return R of one generation's fits, shape (M p, Q p)."""
        begun = self._begun
        size, p, _ = begun.total.shape
        drawn = size + len(self._places)
        result = np.zeros((size, p, drawn, p))
        for f in np.flatnonzero(~fits.renewed):
            i, stream = fits.reader[f], int(fits.stream[f])
            if stream in self._alone:
                g = self._alone[stream]
                k = begun.reader[g]
                result[i, :, k] += fits.gain[f] @ begun.total[k] / begun.weight[g]
            else:
                result[i, :, self._places[stream]] = fits.gain[f]
        return result.reshape(size * p, drawn * p)


def _pushed(fits: Fits, moved: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return ``sum_b K_i^-1 C_b delta_b`` over the real batches of each model, (M p,).

    ``moved`` is ``K_i^-1 C_b`` of every feed, (F, p, p).
    """
    size = len(fits.rows)
    source = fits.origin - size
    real = source >= 0
    result = np.zeros((size, offsets.shape[1]))
    added = np.einsum("fab,fb->fa", moved[real], offsets[source[real]])
    np.add.at(result, fits.reader[real], added)
    return result.ravel()


def _check_regular(matrices: np.ndarray, models: list[str]) -> None:
    """Raise an input error that names the model of a singular matrix, (K, p, p)."""
    for condition, name in zip(condition_number(matrices), models, strict=True):
        if not condition < LARGEST_CONDITION:
            raise InputError(
                "information",
                f"the expected Hessian of model {name!r} is singular, so its minimiser is not"
                " unique; use a loss and covariates that determine every parameter",
            )
