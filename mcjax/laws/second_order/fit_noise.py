"""The noise of fits at the truth: covariances to second order, and third cumulants.

The samples of model i add to its mean score the noise ``g_i + h_i d + k_i[d, d] / 2`` with
``zeta_i = (g_i, h_i, k_i) = sum_e pi_ie zeta_e``. The fit is therefore a function of zeta_i alone,

    R_i(zeta) = R1 zeta + R2[zeta, zeta] / 2 + R3[zeta, zeta, zeta] / 6 + ... ,

the root of a mean score like that of :mod:`mcjax.laws.second_order.fits`, with the noise in the
place of a parent. With ``C_ik = sum_e pi_ie pi_ke / n_e Cov(zeta)`` and third cumulants
``K_ikl = sum_e pi_ie pi_ke pi_le / n_e^2 k(zeta)`` over common samples, Gaussian pairings give the
terms of order ``1/n^2``

    S_ik = R2_i (C_ik (x) C_ik) R2_k / 2 + X_ik + X_ki' ,
    X_ik = R1_i [ K_ikk : R2_k / 2 + C_ik (R3_k : C_kk)' / 2 ] ,

of the covariance, and the third cumulants of the errors

    k3_ikl = K_ikl(R1_i, R1_k, R1_l) + sum over the three of R2_i[C_ik R1_k', C_il R1_l'] .

Firth's penalty moves an estimate by c of :mod:`mcjax.laws.second_order.fits`, which changes with
the noise by a derivative c1. It adds ``c1_i C_ik R1_k' + R1_i C_ik c1_k'`` to the covariance.

Derived here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.laws.second_order.fits import Coefficients, Read, correction, root
from mcjax.laws.second_order.polynomials import Polynomial, linear
from mcjax.laws.second_order.row_tensors import NoiseAxes


class Response(NamedTuple):
    """R1, R2 and R3 of a fit, and which samples its noise comes from.

    Attributes
    ----------
    first, second, third : ndarray
        Shapes (p, q), (p, q, q) and (p, q, q, q).
    correction : ndarray, shape (p, q)
        c1, zeros without Firth's penalty.
    reads : dict of int to Read
        The samples that are drawn for this fit, by number.
    """

    first: Float[np.ndarray, "p q"]
    second: Float[np.ndarray, "p q q"]
    third: Float[np.ndarray, "p q q q"]
    correction: Float[np.ndarray, "p q"]
    reads: dict[int, Read]


def response_of(reads: Sequence[Read], axes: NoiseAxes, firth: bool) -> Response:
    """Return the response of a fit, perhaps with Firth's penalty, to the noise of its samples."""
    p, size = len(axes.indices[0]), axes.size
    still: Coefficients = {
        (a, 0): np.asarray(sum(read.share * read.tensors.mean[a, 0] for read in reads))
        for a in (1, 2, 3)
    }
    terms = [(1.0, {**still, **axes.terms}, linear(np.eye(size)))]
    target = root(terms)
    moved = correction(reads, terms, target) if firth else Polynomial({})
    fresh = {read.number: read for read in reads if not read.kept}
    first, second, third = (target.derivative(k, (p,), size) for k in (1, 2, 3))
    slope = moved.derivative(1, (p,), size)
    return Response(first, second, third, correction=slope, reads=fresh)


def covariance(
    first: Response, second: Response
) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "p p"]]:
    """Return the covariance of the errors of two fits, of order 1/n and of order 1/n^2."""
    pair = _noise(first, second)
    own = [_noise(fit, fit) for fit in (first, second)]
    thirds = [_third(first, second, second), _third(second, first, first)]
    square = np.einsum("xab,ac,bd->xcd", first.second, pair, pair, optimize=True)
    result = np.einsum("xcd,ycd->xy", square, second.second) / 2
    result += _cross((first, second), pair, thirds[0], own[1])
    result += _cross((second, first), pair.T, thirds[1], own[0]).T
    result += first.correction @ pair @ second.first.T + first.first @ pair @ second.correction.T
    return first.first @ pair @ second.first.T, result


def third_cumulants(fits: Mapping[int, Response], size: int, p: int) -> np.ndarray:
    """Return the third cumulants of the errors of all fits, shape (M p, M p, M p).

    Parameters
    ----------
    fits : mapping of int to Response
        Fits by model.
    size, p : int
        M and p.
    """
    result = np.zeros((size * p, size * p, size * p))
    readers: dict[int, list[int]] = {}
    for i, fit in fits.items():
        for number in fit.reads:
            readers.setdefault(number, []).append(i)
    for number, models in readers.items():
        reads = [fits[i].reads[number] for i in models]
        moved = np.concatenate(
            [read.share * fits[i].first for i, read in zip(models, reads, strict=True)]
        )
        at = _entries(models, p)
        cumulants = reads[0].tensors.noise_third / reads[0].rows ** 2
        result[np.ix_(at, at, at)] += np.einsum(
            "xa,yb,zc,abc->xyz", moved, moved, moved, cumulants, optimize=True
        )
    bent = np.zeros_like(result)
    for i, fit in fits.items():
        models = sorted({k for number in fit.reads for k in readers[number]})
        if not models:
            continue
        moved = np.concatenate([fits[k].first @ _noise(fits[k], fit) for k in models])
        own, at = _entries([i], p), _entries(models, p)
        bent[np.ix_(own, at, at)] += np.einsum(
            "xab,ya,zb->xyz", fit.second, moved, moved, optimize=True
        )
    return result + bent + bent.transpose(1, 0, 2) + bent.transpose(1, 2, 0)


def _entries(models: Sequence[int], p: int) -> np.ndarray:
    """Return the places of some models' errors in the state."""
    return (np.array(models)[:, None] * p + np.arange(p)).ravel()


def _noise(first: Response, second: Response) -> np.ndarray:
    """Return C of two fits, (q, q)."""
    result = np.zeros([first.first.shape[1]] * 2)
    for number in first.reads.keys() & second.reads.keys():
        read = first.reads[number]
        result += read.share * second.reads[number].share / read.rows * read.tensors.noise
    return result


def _third(first: Response, second: Response, third: Response) -> np.ndarray:
    """Return K of three fits, (q, q, q)."""
    result = np.zeros([first.first.shape[1]] * 3)
    for number in first.reads.keys() & second.reads.keys() & third.reads.keys():
        read = first.reads[number]
        shares = read.share * second.reads[number].share * third.reads[number].share
        result += shares / read.rows**2 * read.tensors.noise_third
    return result


def _cross(
    fits: tuple[Response, Response], pair: np.ndarray, third: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Return X of two fits; ``own`` is C of the second, ``third`` is K with it twice."""
    first, second = fits
    bent = np.einsum("abc,ybc->ay", third, second.second) / 2
    bent += pair @ np.einsum("yabc,bc->ya", second.third, own).T / 2
    return first.first @ bent
