"""Moments of least squares, averaged over simulated designs.

They cover several real sources, covariates of low rank and reused samples.

Given all designs of a path of generations, errors are linear in the noise
(:mod:`mcjax.laws.first_order.score_equations`), so their mean m_t and covariance C_t follow from

    m_t = A_t m_{t-1} + q_t,    D_t = A_t D_{t-1} + R_t,    N_t <- A_t N_{t-1} A_t' + noise_t,
    C_t = N_t + D_t Cov(zeta) D_t' ,

where zeta holds the scores of samples that are used again, whose designs stay. Gram matrices are
drawn as Wishart matrices. Then ``E e_t = E m_t`` and ``E e_t e_t' = E (C_t + m_t m_t')``, means
over paths with their standard errors. A path averages out all noise in the labels, so few paths
suffice. The law says nothing about the long run. Where rows are few the average depends on rare
designs, as errors do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mcjax.chains.layout import Feeds, network_arrays, shape_of, tables_of
from mcjax.laws.jackknife import HEAVIEST, tail_index, without_each
from mcjax.laws.least_squares.conditions import label_variances, source_variances
from mcjax.laws.least_squares.wishart import wishart
from mcjax.laws.prediction import Prediction
from mcjax.study.roots import covariance_root
from mcjax.study.study import Condition

REFERENCE = (
    "conditional moments over simulated designs, derived in"
    " mcjax.laws.least_squares.simulated_designs"
)
PATHS, BATCHES = 4096, 64
SEED = 0xDE5
"""The estimate belongs to the law and not to the simulation, so its draws never change."""


class _Step(NamedTuple):
    """The maps of one generation on D paths.

    Attributes
    ----------
    transition : ndarray, shape (D, M p, M p)
        A.
    score : ndarray, shape (D, M p, Q)
        R.
    push : ndarray, shape (D, M p)
        q.
    noise : ndarray, shape (D, M p, M p)
        Covariance of the noise.
    """

    transition: np.ndarray
    score: np.ndarray
    push: np.ndarray
    noise: np.ndarray


class _Paths:
    """Draw designs path by path and build the linear maps that they make."""

    def __init__(self, condition: Condition, generations: int):
        variance, _ = label_variances(condition)
        self.net, self.laws = condition.network, condition.sources
        self.p = len(condition.theta)
        shape = shape_of([self.net], generations)
        self.arrays = network_arrays(self.net, shape)
        self.tables = tables_of(self.arrays)
        self.variances = np.concatenate(
            [np.full(self.net.size, variance), source_variances(condition)]
        )
        self.roots = [covariance_root(covariance) for covariance in self.laws.covariance]
        self.rng = np.random.default_rng(SEED)
        again = (feeds.stream[(feeds.samples > 0) & ~feeds.renewed] for feeds in self.tables[1:])
        self.again = sorted({int(stream) for streams in again for stream in streams})
        self.kept: dict[int, np.ndarray] = {}
        self.spread = np.zeros((PATHS, len(self.again) * self.p, len(self.again) * self.p))

    def step(self, feeds: Feeds, first: bool) -> _Step:
        """Draw the designs of one generation and return its maps."""
        size, p = self.net.size, self.p
        places = [(int(i), int(b)) for i, b in np.argwhere(feeds.samples > 0)]
        grams: dict[int, np.ndarray] = {}
        for at in places:
            stream = int(feeds.stream[at])
            if stream not in grams:
                grams[stream] = self._gram(stream, int(feeds.samples[at]), int(feeds.origin[at]))
        total = np.zeros((size, PATHS, p, p))
        for i, b in places:
            total[i] += feeds.weight[i, b] * grams[int(feeds.stream[i, b])]
        frozen = [i for i in range(size) if not feeds.samples[i].any()]
        total[frozen] = np.eye(p)
        inverse = np.linalg.inv(total)
        transition, noise = (np.zeros((PATHS, size, p, size, p)) for _ in range(2))
        score = np.zeros((PATHS, size, p, len(self.again), p))
        push = np.zeros((PATHS, size, p))
        for i, b in places:
            stream, origin = int(feeds.stream[i, b]), int(feeds.origin[i, b])
            gain = feeds.weight[i, b] * inverse[i] @ grams[stream]
            if origin < size:
                transition[:, i, :, origin] += gain
            else:
                push[:, i] += gain @ self.laws.offsets[origin - size]
            if stream in self.again:
                score[:, i, :, self.again.index(stream)] = feeds.weight[i, b] * inverse[i]
                continue
            for k, c in places:
                if int(feeds.stream[k, c]) == stream:
                    common = feeds.weight[k, c] * gain @ inverse[k]
                    noise[:, i, :, k] += self.variances[origin] * common
        for i in frozen if not first else []:
            transition[:, i, :, i] = np.eye(p)
        flat = size * p
        return _Step(
            transition.reshape(PATHS, flat, flat),
            score.reshape(PATHS, flat, -1),
            push.reshape(PATHS, flat),
            noise.reshape(PATHS, flat, flat),
        )

    def _gram(self, stream: int, rows: int, origin: int) -> np.ndarray:
        if stream in self.kept:
            return self.kept[stream]
        p = self.p
        root = self.roots[max(origin - self.net.size, 0)]
        gram = wishart(self.rng, PATHS, p=p, rows=rows, root=root)
        if stream in self.again:
            self.kept[stream] = gram
            block = slice(self.again.index(stream) * p, (self.again.index(stream) + 1) * p)
            self.spread[:, block, block] = self.variances[origin] * gram
        return gram


def simulated_designs(condition: Condition, generations: int) -> Prediction:
    """Predict the errors of least squares at generations 0 to T by averages over paths."""
    paths = _Paths(condition, generations)
    size, p = paths.net.size, paths.p
    flat = size * p
    mean, noise = np.zeros((PATHS, flat)), np.zeros((PATHS, flat, flat))
    carried = np.zeros((PATHS, flat, len(paths.again) * p))
    # the averages over all paths come first, followed by those without each batch of paths
    second = np.empty((1 + BATCHES, generations + 1, flat, flat))
    means = np.empty((1 + BATCHES, generations + 1, flat))
    credible = np.empty((generations + 1, size), bool)
    for t in range(generations + 1):
        step = paths.step(paths.tables[paths.arrays.order[t]], first=t == 0)
        mean = np.einsum("dab,db->da", step.transition, mean) + step.push
        carried = step.transition @ carried + step.score
        noise = step.transition @ noise @ np.swapaxes(step.transition, 1, 2) + step.noise
        reused = carried @ paths.spread @ np.swapaxes(carried, 1, 2)
        moments = noise + reused + mean[:, :, None] * mean[:, None, :]
        second[:, t], means[:, t] = _averages(moments), _averages(mean)
        squares = np.diagonal(moments, axis1=1, axis2=2).reshape(PATHS, size, p).sum(-1)
        credible[t] = tail_index(squares) < HEAVIEST
    biased = condition.sources.offsets.any()
    centre = means * bool(biased)
    covariance = second - centre[..., :, None] * centre[..., None, :]
    shape = (1 + BATCHES, generations + 1, size, p)

    def errors(k: int, **more: Any) -> Prediction:
        mse = np.diagonal(second[k], axis1=1, axis2=2).reshape(shape[1:]).sum(-1)
        return Prediction.of(
            covariance[k], size, means.reshape(shape)[k] if biased else None, mse=mse, **more
        )

    versions = [errors(k) for k in range(1, 1 + BATCHES)]
    return errors(0, versions=versions, credible=credible, reference=REFERENCE)


def _averages(values: np.ndarray) -> np.ndarray:
    """Return the mean over all paths, and those without each batch of paths."""
    batches = values.reshape(BATCHES, -1, *values.shape[1:]).mean(1)
    return np.concatenate([values.mean(0)[None], without_each(batches)])
