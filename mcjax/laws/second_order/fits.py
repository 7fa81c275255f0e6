"""One fit, given its parents: where it would settle, how noisy it is, and how biased.

Let the models' errors before the fit be delta, and v_e the error of the origin of sample e (0 for
real data). All sums are over the samples of the fit, with their shares pi_e; E_ac are the
derivatives of the mean score of :class:`~mcjax.laws.second_order.row_tensors.RowTensors`.

**Target.** With infinitely many rows the fit would end at ``P(delta)``, the root in d of
``sum pi_e E s(d; v_e) = 0``. Its expansion to degree 3 is found by Newton steps with the constant
``J = sum pi_e E_10``, each of which settles one more degree.

**Spread and bias**, at ``d = P(delta)``. With the Jacobian J(delta), the second derivative
K(delta), the covariance ``V_e(d_i, d_k)`` of the scores of two readers and the covariance N_e of
Hessian and score, all of which change with delta,

    Omega_ik(delta) = J_i^-1 [ sum_e pi_ie pi_ke / n_e V_e(d_i, d_k) ] J_k^-T ,
    b_i(delta) = -J_i^-1 ( -sum_e pi_ie^2 / n_e N_e : J_i^-1 + K_i : Omega_ii / 2 ) ,

where ``(N : A)_a = N_abc A_bc`` and the first sum is over samples that both i and k read. A kept
sample has no noise of its own: it shifts the target. Means are subtracted in V and N, because away
from the truth the score of a sample does not have mean 0 at the target of a mixture.

Derived here; the bias without parents is that of Cox & Snell (1968), and for a canonical model that
of Firth (1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mcjax.laws.second_order.polynomials import Polynomial, constant, inverse, product, taylor
from mcjax.laws.second_order.row_tensors import RowTensors

Coefficients = Mapping[tuple[int, ...], Float[np.ndarray, "*shape"]]


class Read(NamedTuple):
    """A sample as one fit reads it.

    Attributes
    ----------
    number : int
        Its number among the samples of the generation.
    share, rows : float
        pi and n.
    tensors : RowTensors
        Moments of one of its rows.
    mean : mapping
        Derivatives of its mean score in the reader and in its parent, which is the origin or, for a
        kept sample, its noise.
    parent : Polynomial
        Its parent, as a function of all variables.
    kept : bool
        Whether it has no noise of its own.
    """

    number: int
    share: float
    rows: float
    tensors: RowTensors
    mean: Coefficients
    parent: Polynomial
    kept: bool


class Fit(NamedTuple):
    """A fit as a function of some variables, which are entries of the state.

    Attributes
    ----------
    reads : tuple of Read
        What it reads.
    target : Polynomial
        P, of degree 3.
    gain : Polynomial
        ``J^-1``, of degree 2.
    """

    reads: tuple[Read, ...]
    target: Polynomial
    gain: Polynomial

    def among(self, places: Int[np.ndarray, " n"], variables: int) -> Fit:
        """Return the same fit as a function of more variables."""
        return Fit(
            tuple(
                read._replace(parent=read.parent.among(places, variables)) for read in self.reads
            ),
            self.target.among(places, variables),
            self.gain.among(places, variables),
        )


def shifted(coefficients: Coefficients, reader: int, highest: int) -> Coefficients:
    """Return the expansion of a derivative in the reader, given that of the mean score.

    Parameters
    ----------
    coefficients : mapping
        Derivatives of the mean score by orders (a, c).
    reader : int
        Order of the derivative.
    highest : int
        Largest total order that is kept.
    """
    return {
        (a - reader, c): value
        for (a, c), value in coefficients.items()
        if a >= reader and a - reader + c <= highest
    }


def root(terms: Sequence[tuple[float, Coefficients, Polynomial]]) -> Polynomial:
    """Return the root of ``sum share * mean(d, parent) = 0`` in d, to degree 3.

    ``terms`` are share, derivatives and parent of each sample.
    """
    curvature = sum(share * mean[1, 0] for share, mean, _ in terms)
    step = constant(-np.linalg.inv(curvature))
    result = Polynomial({})
    for degree in (1, 2, 3):
        score = Polynomial({})
        for share, mean, parent in terms:
            score += taylor(mean, (result, parent), degree) * share
        result += product("ab,b->a", step, score, degree)
    return result


def fit_of(reads: tuple[Read, ...]) -> Fit:
    """Return the fit to some samples."""
    target = root([(read.share, read.mean, read.parent) for read in reads])
    curvature = Polynomial({})
    for read in reads:
        slope = shifted(read.mean, 1, 2)
        curvature += taylor(slope, (target, read.parent), 2) * read.share
    return Fit(reads, target, inverse(curvature, 2))


def spread(first: Fit, second: Fit) -> Polynomial:
    """Return Omega of two fits as functions of the same variables, to degree 2."""
    shares = {read.number: read.share for read in second.reads}
    score = Polynomial({})
    for read in first.reads:
        if read.kept or read.number not in shares:
            continue
        readers = (first.target, second.target)
        common = taylor(read.tensors.product, (*readers, read.parent), 2)
        ours, theirs = (_mean(read, target) for target in readers)
        common += product("a,b->ab", ours, theirs, 2) * -1.0
        score += common * (read.share * shares[read.number] / read.rows)
    half = product("xa,ab->xb", first.gain, score, 2)
    return product("xb,yb->xy", half, second.gain, 2)


def bias(fit: Fit, own_spread: Polynomial) -> Polynomial:
    """Return b of a fit, to degree 1; ``own_spread`` is its Omega."""
    total = Polynomial({})
    bend = Polynomial({})
    for read in fit.reads:
        second = shifted(read.mean, 2, 1)
        bend += taylor(second, (fit.target, read.parent), 1) * read.share
        if read.kept:
            continue
        slope = constant(read.tensors.mean[1, 0])
        mixed = taylor(read.tensors.mixed, (fit.target, read.parent), 1)
        mixed += product("ab,c->abc", slope, _mean(read, fit.target), 1) * -1.0
        inner = product("abc,bc->a", mixed, fit.gain, 1)
        total += inner * (-(read.share**2) / read.rows)
    total += product("abc,bc->a", bend, own_spread, 1) * 0.5
    return product("xa,a->x", fit.gain, total, 1) * -1.0


def _mean(read: Read, target: Polynomial) -> Polynomial:
    """Return the mean score of one row at a target, to degree 1."""
    first = {orders: value for orders, value in read.mean.items() if sum(orders) == 1}
    return taylor(first, (target, read.parent), 1)
