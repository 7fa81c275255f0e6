"""One generation: how all fits together depend on the errors before them, at the truth.

The state is the stacked errors of all models (M p numbers), followed by the noise of each kept
sample (q numbers each, see :class:`~mcjax.laws.second_order.row_tensors.NoiseAxes`). A frozen
model and the noise of a kept sample stay as they are.

Tensors of a fit have an axis for each of the errors that it depends on, not for the whole state:
the fit of a model with few parents costs the same in a large network. Only K3 (third cumulants of
the state) is dense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from mcjax.laws.second_order.fit_noise import Response, covariance, response_of, third_cumulants
from mcjax.laws.second_order.fits import Fit, Read, bias, fit_of, spread
from mcjax.laws.second_order.polynomials import Polynomial, linear
from mcjax.laws.second_order.row_tensors import NoiseAxes, Tensors
from mcjax.laws.second_order.samples import Sample


class Layout(NamedTuple):
    """Layout of the second-order state.

    Attributes
    ----------
    models, p : int
        M and p.
    axes : NoiseAxes
        The arrangement of the noise of a kept sample.
    kept : int
        Number of kept samples.
    """

    models: int
    p: int
    axes: NoiseAxes
    kept: int

    @property
    def moving(self) -> int:
        """Number of entries that are errors of models."""
        return self.models * self.p

    @property
    def size(self) -> int:
        """Number D of entries."""
        return self.moving + self.kept * self.axes.size

    def model(self, i: int) -> Int[np.ndarray, " p"]:
        """Return the places of a model's errors."""
        return np.arange(i * self.p, (i + 1) * self.p)

    def noise(self, k: int) -> Int[np.ndarray, " q"]:
        """Return the places of the noise of a kept sample."""
        return self.moving + np.arange(k * self.axes.size, (k + 1) * self.axes.size)


class Moved(NamedTuple):
    """Derivatives of one fit, in the entries ``variables`` of the state.

    Attributes
    ----------
    own, variables : ndarray
        Places of the model's errors, (p,), and of those that it depends on, (d,).
    second, third : ndarray
        P2 and P3, shapes (p, d, d) and (p, d, d, d).
    """

    own: Int[np.ndarray, " p"]
    variables: Int[np.ndarray, " d"]
    second: Float[np.ndarray, "p d d"]
    third: Float[np.ndarray, "p d d d"]


class Spread(NamedTuple):
    """Derivatives of Omega of a pair of fits, in the entries ``variables`` of the state.

    Attributes
    ----------
    first, second, variables : ndarray
        Places of the errors of both models, (p,), and of those that they depend on, (d,).
    slope, curvature : ndarray
        O1 and O2, shapes (p, p, d) and (p, p, d, d).
    """

    first: Int[np.ndarray, " p"]
    second: Int[np.ndarray, " p"]
    variables: Int[np.ndarray, " d"]
    slope: Float[np.ndarray, "p p d"]
    curvature: Float[np.ndarray, "p p d d"]


@dataclass(frozen=True)
class Step:
    """The fits of one generation.

    Attributes
    ----------
    layout : Layout
        How the state is arranged; D is its length.
    first : ndarray, shape (D, D)
        P1.
    moved : tuple of Moved
        P2 and P3 of each fit.
    spreads : tuple of Spread
        O1 and O2 of each pair of fits with a common sample, and of each fit with itself.
    bias, bias_slope : ndarray, shapes (D,) and (D, D)
        b0 and b1.
    spread, noise : ndarray, shape (D, D)
        O0 and S.
    responses : mapping of int to Response
        How each fit responds to the noise of its samples, by model.
    """

    layout: Layout
    first: Float[np.ndarray, "D D"]
    moved: tuple[Moved, ...]
    spreads: tuple[Spread, ...]
    bias: Float[np.ndarray, " D"]
    bias_slope: Float[np.ndarray, "D D"]
    spread: Float[np.ndarray, "D D"]
    noise: Float[np.ndarray, "D D"]
    responses: Mapping[int, Response]

    @property
    def bends(self) -> bool:
        """True if the target of a fit is curved, so that third cumulants matter."""
        return any(fit.second.any() for fit in self.moved)

    @cached_property
    def noise_third(self) -> Float[np.ndarray, "D D D"]:
        """k3, third cumulants of what one generation adds."""
        layout = self.layout
        result = np.zeros([layout.size] * 3)
        inner = third_cumulants(self.responses, layout.models, layout.p)
        result[: layout.moving, : layout.moving, : layout.moving] = inner
        return result

    @cached_property
    def second(self) -> csr_array:
        """P2 of all fits, as a sparse matrix of shape (D, D * D)."""
        size = self.layout.size
        rows, columns, values = [], [], []
        for fit in self.moved:
            p, d = len(fit.own), len(fit.variables)
            places = (fit.variables[:, None] * size + fit.variables).ravel()
            rows.append(np.repeat(fit.own, d * d))
            columns.append(np.tile(places, p))
            values.append(fit.second.ravel())
        joined = [np.concatenate([np.zeros(0, int), *part]) for part in (rows, columns, values)]
        matrix = csr_array((joined[2], (joined[0], joined[1])), shape=(size, size * size))
        matrix.eliminate_zeros()
        return matrix


def reads_of(
    samples: Sequence[Sample], tensors: Mapping[int, Tensors], layout: Layout
) -> tuple[dict[int, tuple[Read, ...]], dict[int, np.ndarray]]:
    """Return what each model reads, and the places of the entries that its fit depends on.

    Parameters
    ----------
    samples : sequence of Sample
        The samples of the generation.
    tensors : mapping of int to Tensors
        Moments of a row by origin, as in :class:`~mcjax.laws.second_order.samples.Sample`.
    layout : Layout
        How the state is arranged.
    """
    parents = [_parent(sample, layout) for sample in samples]
    by_reader: dict[int, list[int]] = {}
    for number, sample in enumerate(samples):
        for i in sample.shares:
            by_reader.setdefault(i, []).append(number)
    reads: dict[int, tuple[Read, ...]] = {}
    variables: dict[int, np.ndarray] = {}
    for i, numbers in by_reader.items():
        places = np.unique(np.concatenate([parents[number] for number in numbers]))
        read = []
        for number in numbers:
            sample = samples[number]
            row = tensors[sample.origin]
            chosen = np.searchsorted(places, parents[number])
            width = layout.p if sample.kept is None else layout.axes.size
            parent = np.zeros((width, len(places)))
            parent[np.arange(len(chosen)), chosen] = 1.0  # none for a fresh real sample
            mean = dict(row.mean)
            if sample.kept is not None:
                mean = {orders: value for orders, value in mean.items() if orders[1] == 0}
                mean |= layout.axes.terms
            read.append(
                Read(
                    number=number,
                    share=sample.shares[i],
                    rows=float(sample.rows),
                    tensors=row,
                    mean=mean,
                    parent=linear(parent),
                    kept=sample.kept is not None,
                )
            )
        reads[i], variables[i] = tuple(read), places
    return reads, variables


def step_of(
    samples: Sequence[Sample],
    tensors: Mapping[int, Tensors],
    layout: Layout,
    firth: bool = False,
) -> Step:
    """Return the step of one generation.

    Parameters
    ----------
    samples : sequence of Sample
        The samples of the generation.
    tensors : mapping of int to Tensors
        Moments of a row by origin.
    layout : Layout
        How the state is arranged.
    firth : bool
        Whether fits have Firth's penalty.
    """
    reads, variables = reads_of(samples, tensors, layout)
    fits = {i: fit_of(read) for i, read in reads.items()}
    responses = {i: response_of(read, layout.axes, firth) for i, read in reads.items()}
    p, size = layout.p, layout.size
    first = np.eye(size)
    moved = []
    for i, fit in fits.items():
        own, places = layout.model(i), variables[i]
        derivatives = [fit.target.derivative(k, (p,), len(places)) for k in (1, 2, 3)]
        first[own] = 0.0
        first[np.ix_(own, places)] = derivatives[0]
        moved.append(Moved(own, places, derivatives[1], derivatives[2]))
    started, slope = np.zeros(size), np.zeros((size, size))
    spreads, spread_0, noise = [], np.zeros((size, size)), np.zeros((size, size))
    own_spread: dict[int, Polynomial] = {}
    for i, k in _pairs(samples):
        omega, places = _common_spread(fits, variables, i, k)
        ours, theirs = layout.model(i), layout.model(k)
        change, curvature = (omega.derivative(q, (p, p), len(places)) for q in (1, 2))
        spreads.append(Spread(ours, theirs, places, slope=change, curvature=curvature))
        leading, following = covariance(responses[i], responses[k])
        for target, block in ((spread_0, leading), (noise, following)):
            target[np.ix_(ours, theirs)] = block
            target[np.ix_(theirs, ours)] = block.T
        if i == k:
            own_spread[i] = omega
    for i, fit in fits.items():  # one that reads kept samples alone has no noise of its own
        biased = bias(fit, own_spread.get(i, Polynomial({})), firth)
        own, places = layout.model(i), variables[i]
        started[own] = biased.derivative(0, (p,), len(places))
        slope[np.ix_(own, places)] = biased.derivative(1, (p,), len(places))
    return Step(
        layout=layout,
        first=first,
        moved=tuple(moved),
        spreads=tuple(spreads),
        bias=started,
        bias_slope=slope,
        spread=spread_0,
        noise=noise,
        responses=responses,
    )


def _parent(sample: Sample, layout: Layout) -> np.ndarray:
    """Return the places of the parent of a sample, none for a fresh real sample."""
    if sample.kept is not None:
        return layout.noise(sample.kept)
    return layout.model(sample.origin) if sample.origin < layout.models else np.zeros(0, int)


def _pairs(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    """Return the pairs of models, first before second, that read a common fresh sample."""
    return sorted(
        {
            pair
            for sample in samples
            if sample.kept is None
            for pair in combinations_with_replacement(sorted(sample.shares), 2)
        }
    )


def _common_spread(
    fits: Mapping[int, Fit], variables: Mapping[int, np.ndarray], i: int, k: int
) -> tuple[Polynomial, np.ndarray]:
    """Return Omega of a pair, and the places of the entries that it depends on."""
    if i == k:
        return spread(fits[i], fits[i]), variables[i]
    places = np.union1d(variables[i], variables[k])
    both = [fits[j].among(np.searchsorted(places, variables[j]), len(places)) for j in (i, k)]
    return spread(*both), places
