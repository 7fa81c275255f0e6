"""The linear law that the errors of a network of M-estimators follow to first order.

At generation t model i minimises ``sum_b w_b sum_{z in b} loss(theta; z)`` over the batches b fed
to it, of n_b observations each. A batch of the real source follows the true law at theta*, a batch
of model j the law that j generates at ``theta_{j,t-1} = theta* + e_{j,t-1}``. Write H_b for the
expected Hessian of the loss and V_b for the covariance of its gradient, both for one observation
of b at theta*. Derived here: expand the stationarity condition around theta*. The expected score
of a batch of model j vanishes at j's own parameters, so to first order

    0 = sum_b w_b [n_b H_b (e_{i,t} - e_{parent(b),t-1}) + G_b],     Cov(G_b) = n_b V_b,

with the error of a real parent 0, and therefore, with ``K_i = sum_b w_b n_b H_b``,

    e_{i,t} = K_i^-1 sum_b w_b n_b H_b e_{parent(b),t-1} - K_i^-1 sum_b w_b G_b.

Assumed: a smooth enough loss with a positive definite expected Hessian, finite V, and n -> infinity
with the shares of the batches fixed; what is left out is of relative order 1/n. Stacked over the M
models this is ``e_t = A e_{t-1} + R xi + noise_t``, xi the generation-0 errors:

* two readers of one *shared* sample of j have the noise covariance
  ``K_i^-1 w_ij w_kj n_j V K_k^-1``; *private* samples are independent;
* *fresh* real data are noise; *reused* real data are the generation-0 sample, whose score is
  ``-n H_real e_{i,0}``, hence ``R_ii = K_i^-1 w m H_real`` and xi = e_0;
* a *frozen* model, which reads nothing, has ``A_ii = I`` and no noise.

A model without real feeds has ``A_ij = W_ij I`` for its shares W of the samples, whatever H is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcjax.errors import InputError
from mcjax.laws.accumulation import Selection, accumulated
from mcjax.models.information import Information
from mcjax.network.network import REAL, Network

LARGEST_CONDITION = 1e14
"""Condition number from which a matrix counts as singular."""


@dataclass(frozen=True)
class LinearSystem:
    """``e_t = transition e_{t-1} + reuse xi + push + noise_t`` for the stacked errors of M models.

    Attributes
    ----------
    transition: A, shape (Mp, Mp).
    noise: covariance N of one generation's noise, shape (Mp, Mp).
    reuse: R, shape (Mp, Q); zero when real data are fresh.
    initial: ``X = Cov(xi)`` of all that is drawn once, shape (Q, Q). The first Mp of xi are the
        generation-0 errors e_0, and they are all of it but where several sources' samples are used
        again (:mod:`mcjax.laws.batches`).
    frozen: which models never change, shape (M,).
    p: number of parameters of each model.
    inertia: where data accumulate, ``K_i^-1 K_{i,0}`` of each model, block diagonal, (Mp, Mp): how
        many generations of feeds its generation-0 sample is worth; else None. The law is then that
        of :mod:`mcjax.laws.accumulation`, of which this is one generation's data.
    selection: where models fit a subsample of what accumulates, what its noise follows from.
    growth: where sample counts grow like ``t^growth``: the noise of generation t has the covariance
        ``N t^-growth``.
    push, start: what other truths of real sources add to the mean in every later generation, and
        the mean at generation 0, (Mp,); None for 0.
    before: where weights go by generation, the systems that lead to generations 1, 2, ... before
        this one.
    """

    transition: np.ndarray
    noise: np.ndarray
    reuse: np.ndarray
    initial: np.ndarray
    frozen: np.ndarray
    p: int
    inertia: np.ndarray | None = None
    selection: Selection | None = None
    growth: float = 0.0
    push: np.ndarray | None = None
    start: np.ndarray | None = None
    before: tuple[LinearSystem, ...] = ()

    def at(self, generation: int) -> LinearSystem:
        """The system that leads to a generation, from 1 on."""
        return self.before[generation - 1] if generation <= len(self.before) else self


def linear_system(net: Network, information: Information) -> LinearSystem:
    """The law of a network of one real source whose families' H and V are given.

    Raises
    ------
    InputError: if an expected Hessian, or a model's weighted sum K_i of them, is singular.
    """
    assert net.plain, "see mcjax.laws.batches.system_of"
    shares, variances, real, real_variances = _shares(net)
    frozen = np.array(net.frozen)
    synthetic_h = np.asarray(information.synthetic.hessian, float)
    real_h = np.asarray(information.real.hessian, float)
    p = len(real_h)
    curvature = _blocks(shares.sum(1), synthetic_h) + _blocks(real, real_h)
    curvature[frozen] = np.eye(p)
    check_regular(real_h[None], ["generation 0"])
    check_regular(curvature, [f"model {name!r}" for name in net.models])
    inverse = np.linalg.inv(curvature)

    gain = inverse @ synthetic_h
    alone = real == 0
    gain[alone] = _blocks(1 / np.where(frozen, 1, shares.sum(1))[alone], np.eye(p))
    transition = np.einsum("ij,iab->iajb", shares, gain)
    models = np.arange(net.size)
    transition[models[frozen], :, models[frozen], :] = np.eye(p)

    synthetic_v = inverse @ np.asarray(information.synthetic.score_covariance, float)
    if net.draws == "shared":
        noise = np.einsum("ik,iab,kcb->iakc", _products(shares, variances), synthetic_v, inverse)
    else:
        noise = np.zeros((net.size, p, net.size, p))
        noise[models, :, models, :] = _blocks(
            (shares**2 * variances).sum(1), synthetic_v @ _transposed(inverse)
        )
    reuse = np.zeros_like(transition)
    real_v = inverse @ np.asarray(information.real.score_covariance, float)
    if net.real == "reused":
        reuse[models, :, models, :] = _blocks(real, inverse @ real_h)
    else:
        noise[models, :, models, :] += _blocks(
            real**2 * real_variances, real_v @ _transposed(inverse)
        )
    start = np.linalg.inv(real_h)
    sandwich = start @ np.asarray(information.real.score_covariance, float) @ start.T
    initial = np.zeros_like(transition)
    initial[models, :, models, :] = _blocks(1 / np.array(net.initial, float), sandwich)
    flat = (net.size * p, net.size * p)
    inertia, selection = None, None
    if not net.memory.current_only:
        first = np.array(net.initial, float)
        fed = np.array([sum(f.weight * f.samples for f in own) for own in net.feeds_by_reader])
        fed[frozen] = 1
        inertia = block_diagonal(_blocks(first / fed, inverse @ real_h))
    if net.memory.selects:
        rows = np.array([max(1, sum(f.samples for f in own)) for own in net.feeds_by_reader])
        real_scores, scores = (v @ _transposed(inverse) for v in (real_v, synthetic_v))
        own = _blocks((shares**2 * variances).sum(1), scores)
        own += _blocks(real**2 * real_variances, real_scores)
        begun = _blocks(np.where(frozen, 0.0, first / fed**2), real_scores)
        selection = Selection(
            block_diagonal(begun), block_diagonal(own), np.repeat(first / rows, p)
        )
    return LinearSystem(
        transition=transition.reshape(flat),
        noise=noise.reshape(flat),
        reuse=reuse.reshape(flat),
        initial=initial.reshape(flat),
        frozen=frozen,
        p=p,
        inertia=inertia,
        selection=selection,
        growth=net.growth,
    )


def covariances(system: LinearSystem, generations: int) -> np.ndarray:
    """Covariances of the stacked errors at generations 0 to T.

    With ``D_t = Cov(e_t, xi)``, from ``D_0`` and ``C_0``, the first Mp rows of X:

        C_t = A C_{t-1} A' + A D_{t-1} R' + R D_{t-1}' A' + R X R' + N
        D_t = A D_{t-1} + R X

    Returns
    -------
    Shape (T + 1, Mp, Mp).
    """
    if system.inertia is not None:
        return accumulated(system, generations)
    x, size = system.initial, len(system.transition)
    result = np.empty((generations + 1, size, size))
    result[0] = x[:size, :size]
    cross = x[:size]
    for t in range(generations):
        a, r = system.at(t + 1).transition, system.at(t + 1).reuse
        if t <= len(system.before):
            constant = r @ x @ r.T
        mixed = a @ cross @ r.T
        noise = system.at(t + 1).noise * (t + 1.0) ** -system.growth
        following = a @ result[t] @ a.T + mixed + mixed.T + constant + noise
        result[t + 1] = (following + following.T) / 2
        cross = a @ cross + r @ x
    return result


def means(system: LinearSystem, generations: int) -> np.ndarray:
    """Means of the models' errors at generations 0 to T, ``m_t = A m_{t-1} + push``, (T + 1, M, p).

    Errors of estimates centred on theta*: 0 where all real sources have that truth.
    """
    size = len(system.transition)
    result = np.zeros((generations + 1, size))
    if system.start is not None and system.push is not None:
        result[0] = system.start
        for t in range(generations):
            now = system.at(t + 1)
            result[t + 1] = now.transition @ result[t] + now.push
    return result.reshape(generations + 1, -1, system.p)


def _shares(net: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shares W (M, M) and 1/n (M, M, 0 where there is no feed), and those of the real feeds (M,).

    Weights enter relative to the reader's largest, so no product of a weight and a count overflows.
    """
    shares = np.zeros((net.size, net.size + 1))
    variances = np.zeros_like(shares)
    for i, feeds in enumerate(net.feeds_by_reader):
        if not feeds:
            continue
        largest = max(feed.weight for feed in feeds)
        for feed in feeds:
            j = net.size if feed.origin == REAL else net.index[feed.origin]
            shares[i, j] = feed.weight / largest * feed.samples
            variances[i, j] = 1 / feed.samples
    total = shares.sum(1, keepdims=True)
    shares /= np.where(total > 0, total, 1)
    return shares[:, :-1], variances[:, :-1], shares[:, -1], variances[:, -1]


def _products(shares: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """``sum_j W_ij W_kj / n_j``, shape (M, M)."""
    root = shares * np.sqrt(variances)
    return root @ root.T


def _blocks(factors: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """A matrix (p, p), or one for each model (M, p, p), times each model's factor (M,)."""
    return factors[:, None, None] * matrices


def _transposed(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, -1, -2)


def block_diagonal(matrices: np.ndarray) -> np.ndarray:
    """One matrix of shape (Mp, Mp) from M of shape (p, p)."""
    size, p, _ = matrices.shape
    result = np.zeros((size, p, size, p))
    result[np.arange(size), :, np.arange(size), :] = matrices
    return result.reshape(size * p, size * p)


def check_regular(matrices: np.ndarray, owners: list[str]) -> None:
    """That weighted sums of expected Hessians, (K, p, p), are regular.

    Raises
    ------
    InputError: naming the owner of one that is singular.
    """
    for condition, owner in zip(np.linalg.cond(matrices), owners, strict=True):
        if not condition < LARGEST_CONDITION:
            raise InputError(
                "information",
                f"the expected Hessian of {owner} is singular, so its minimiser is not unique; use"
                " a loss and covariates that determine every parameter",
            )
