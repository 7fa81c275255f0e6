"""One fit, given its parents: where it would settle, how noisy it is, and how biased.

Let the models' errors before the fit be delta, and v_e the error of the origin of sample e (0 for
real data). All sums are over the samples of the fit, with their shares pi_e; E_ac are the
derivatives of the mean score of :class:`~mcjax.laws.second_order.row_tensors.Tensors`.

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

**Firth's penalty** adds ``-log det(J_i) / (2 n_i)`` to the mean loss of a model whose Hessian does
not depend on labels, with ``1 / n_i = sum pi_ie^2 / n_e``. Its gradient moves an estimate by

    c_i(delta) = J_i^-1 ( K_i : J_i^-1 ) / (2 n_i) ,

which is added to b_i. It cancels b_i where all data are of the same parameters, but not at the
target of a mixture, where the scores spread more than J_i says.

Derived here; the bias without parents is that of Cox & Snell (1968), and for a canonical model that
of Firth (1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mcjax.laws.second_order.polynomials import Polynomial, constant, inverse, product, taylor
from mcjax.laws.second_order.row_tensors import Tensors

Coefficients = Mapping[tuple[int, ...], Float[np.ndarray, "*shape"]]
Term = tuple[float, Coefficients, Polynomial]
"""Share, derivatives of the mean score, and parent of a sample."""


class Read(NamedTuple):
    """A sample as one fit reads it.

    Attributes
    ----------
    number : int
        Its number among the samples of the generation.
    share, rows : float
        pi and n.
    tensors : Tensors
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
    tensors: Tensors
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


def root(terms: Sequence[Term]) -> Polynomial:
    """Return the root of ``sum share * mean(d, parent) = 0`` in d, to degree 3."""
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
    terms = _terms(reads)
    target = root(terms)
    return Fit(reads, target, gain_at(terms, target))


def gain_at(terms: Sequence[Term], target: Polynomial) -> Polynomial:
    """Return ``J^-1`` at a target, to degree 2."""
    return inverse(_mean_derivative(terms, target, 1), 2)


def correction(reads: Sequence[Read], terms: Sequence[Term], target: Polynomial) -> Polynomial:
    """Return by how much Firth's penalty moves a fit with a target, to degree 1.

    Parameters
    ----------
    reads : sequence of Read
        What the fit reads, whose shares and rows make its effective number of rows.
    terms : sequence of Term
        The mean scores of which J and K are derivatives.
    target : Polynomial
        The target, a function of the parents of the terms.
    """
    gain, bend = gain_at(terms, target), _mean_derivative(terms, target, 2)
    inverse_rows = sum(read.share**2 / read.rows for read in reads)
    pull = product("abc,bc->a", bend, gain, 1) * (inverse_rows / 2)
    return product("xa,a->x", gain, pull, 1)


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


def bias(fit: Fit, own_spread: Polynomial, firth: bool) -> Polynomial:
    """Return b of a fit, to degree 1.

    Parameters
    ----------
    fit : Fit
        The fit.
    own_spread : Polynomial
        Its Omega.
    firth : bool
        Whether it has Firth's penalty.
    """
    terms = _terms(fit.reads)
    total = Polynomial({})
    for read in fit.reads:
        if read.kept:
            continue
        slope = constant(read.tensors.mean[1, 0])
        mixed = taylor(read.tensors.mixed, (fit.target, read.parent), 1)
        mixed += product("ab,c->abc", slope, _mean(read, fit.target), 1) * -1.0
        inner = product("abc,bc->a", mixed, fit.gain, 1)
        total += inner * (-(read.share**2) / read.rows)
    total += product("abc,bc->a", _mean_derivative(terms, fit.target, 2), own_spread, 1) * 0.5
    own = product("xa,a->x", fit.gain, total, 1) * -1.0
    return own + correction(fit.reads, terms, fit.target) if firth else own


def _terms(reads: Sequence[Read]) -> list[Term]:
    return [(read.share, read.mean, read.parent) for read in reads]


def _mean_derivative(terms: Sequence[Term], target: Polynomial, order: int) -> Polynomial:
    """Return a derivative of the mean score in the reader, to degree ``3 - order``."""
    degree, total = 3 - order, Polynomial({})
    for share, mean, parent in terms:
        total += taylor(shifted(mean, order, degree), (target, parent), degree) * share
    return total


def _mean(read: Read, target: Polynomial) -> Polynomial:
    """Return the mean score of one row at a target, to degree 1."""
    first = {orders: value for orders, value in read.mean.items() if sum(orders) == 1}
    return taylor(first, (target, read.parent), 1)
