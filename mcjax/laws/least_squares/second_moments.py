"""Exact second moments of least squares on a network with fresh Gaussian designs.

Model i fits ``y = x'theta_j + eps`` by least squares on N rows, n_b of them from batch b (parent
j(b); the error of a real parent is 0). With ``x ~ N(0, Sigma)``, weights 1, and samples that no two
models share, its error is ``e_i = S^-1 sum_b (S_b e_{j(b)} + X_b' eps_b)``, where ``S_b = X_b'X_b``
are independent Wishart matrices and S is their sum. Derived here for ``Sigma = I``; least squares
is equivariant, so in general errors are ``Sigma^{-1/2}`` times these.

Write ``S_b = S^{1/2} U_b S^{1/2}``. The U_b are matrix-variate Dirichlet and independent of S. The
law of U_b is invariant under rotation, so ``E[U_b Y U_c]`` is a combination of Y, Y' and
``tr(Y) I``; the coefficients follow from p = 1 and from ``sum_b U_b = I``. With
``D = N (N - 1) (N + 2)`` and ``E[tr(M S) S^-1] = (N tr(M) I - M - M') / (N - p - 1)``, the second
moment ``M_ik = E[e_i e_k']`` becomes, for symmetric sums,

    M_ii <- A + B + (N tr(B) I - 2 B) / (N - p - 1) + q_i I,        q_i = sum_b var_b n_b / N
                                                                          / (N - p - 1)
    A = ((N + 1) Q1 - 2 Q0) / D,    B = (N Q0 - Q1) / D,
    Q1 = sum_{b,c} n_b n_c M_{j(b) j(c)},    Q0 = sum_b n_b M_{j(b) j(b)},
    M_ik <- sum_{b,c} (n_b / N_i) (n_c / N_k) M_{j(b) j(c)},        i != k (independent designs).

Where networks are drawn, z with probability pi_z by a stationary Markov chain, and ``Q^_zy`` is the
probability that y came before z, the map T_z and the noise q_z of network z give the mean over
networks and data, given that z is there: ``m^z <- T_z(sum_y Q^_zy m^y) + q_z``. It is exact because
T_z is linear in m, and designs and networks are fresh.

A start ``m I`` keeps that form, and the traceless part of any start evolves by itself, with
``tr(B) = 0``. So one scalar map with a *gain* g serves both: ``B + (N tr(B) I - 2 B)/(N - p - 1)``
is ``B (1 + g)`` with ``g = (N p - 2) / (N - p - 1)`` for the isotropic part and
``g = -2 / (N - p - 1)`` for the rest.

Averaging the shares instead (``E W (x) E W``) is wrong at small N: a fit that happens to see its
parents unevenly amplifies what they disagree on. So a network that reads real data may explode all
the same, see :mod:`mcjax.laws.least_squares.explosion`. Second moments need ``N > p + 1``.

The Dirichlet law and the moments of the Wishart and inverse Wishart are in Gupta & Nagar, "Matrix
Variate Distributions" (2000); their combination is derived here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class SecondMomentMap:
    """One generation's affine map of the second moments of M models' errors.

    Attributes
    ----------
    shares : ndarray, shape (M, M)
        W, expected shares of the models' data; the identity for frozen models.
    rows : ndarray, shape (M,)
        N of each model's fit.
    noise : ndarray, shape (M,)
        q, 0 for a frozen model.
    frozen : ndarray of bool, shape (M,)
        Which models read nothing.
    p : int
        Number of parameters.
    """

    shares: Float[np.ndarray, "M M"]
    rows: Float[np.ndarray, " M"]
    noise: Float[np.ndarray, " M"]
    frozen: Bool[np.ndarray, " M"]
    p: int

    @property
    def added(self) -> Float[np.ndarray, "M M"]:
        """Second moments that noise adds in a generation, shape (M, M)."""
        return np.diag(self.noise)

    def isotropic(self, m: Float[np.ndarray, "M M"]) -> Float[np.ndarray, "M M"]:
        """Apply the linear part to second moments ``m_ik I``; shape (M, M) to (M, M)."""
        return self._advance(m, (self.rows * self.p - 2) / (self.rows - self.p - 1))

    def traceless(self, m: Float[np.ndarray, "M M"]) -> Float[np.ndarray, "M M"]:
        """Apply the linear part to one entry of traceless blocks; shape (M, M) to (M, M)."""
        return self._advance(m, -2 / (self.rows - self.p - 1))

    def restricted(self, models: Int[np.ndarray, " K"]) -> Self:
        """Return the map of some models, given by position, among themselves."""
        return replace(
            self,
            shares=self.shares[np.ix_(models, models)],
            rows=self.rows[models],
            noise=self.noise[models],
            frozen=self.frozen[models],
        )

    def _advance(self, m: np.ndarray, gain: np.ndarray) -> np.ndarray:
        n = self.rows
        result = self.shares @ m @ self.shares.T
        scale = (n - 1) * (n + 2)
        together = n * (n - gain) / scale * np.diagonal(result)
        apart = (n - 2 + gain * n) / scale * (self.shares @ np.diagonal(m))
        own = np.where(self.frozen, np.diagonal(m), together + apart)
        np.fill_diagonal(result, own)
        return result


def second_moment_map(
    net: Network, p: int, variance: float, real_variance: float
) -> SecondMomentMap:
    """Return the map of one generation of a network.

    Its samples have fresh Gaussian designs, weight 1 and one reader each; ``variance`` and
    ``real_variance`` are those of the noise in synthetic and in real labels.
    """
    counts = np.zeros((net.size, net.size + 1))
    for feed in net.feeds:
        j = net.index.get(feed.origin, net.size)
        counts[net.index[feed.reader], j] += feed.samples
    rows = counts.sum(1)
    frozen = rows == 0
    rows[frozen] = p + 2  # any divisor: a frozen model's entries are not used
    counts[frozen, np.flatnonzero(frozen)] = rows[frozen]
    spread = (counts[:, :-1].sum(1) * variance + counts[:, -1] * real_variance) / rows
    with np.errstate(divide="ignore"):
        noise = np.where(frozen, 0.0, spread / (rows - p - 1))
    return SecondMomentMap(
        shares=counts[:, :-1] / rows[:, None], rows=rows, noise=noise, frozen=frozen, p=p
    )


def second_moments(
    step: SecondMomentMap, start: Float[np.ndarray, "M*p M*p"], generations: int
) -> Float[np.ndarray, "T+1 M*p M*p"]:
    """Return the second moments of the stacked errors at generations 0 to T, for ``Sigma = I``.

    They start from any positive semi-definite matrix, and are infinite where an explosion leaves
    the range of floating point.
    """
    size, p = len(step.rows), step.p
    blocks = np.asarray(start, float).reshape(size, p, size, p)
    trace = np.einsum("iaka->ik", blocks) / p
    rest = blocks - np.einsum("ik,ab->iakb", trace, np.eye(p))
    entries = [(a, b) for a in range(p) for b in range(p) if rest[:, a, :, b].any()]
    result = np.empty((generations + 1, size, p, size, p))
    same = np.eye(p, dtype=bool)[None, :, None, :]
    for t in range(generations + 1):
        result[t] = np.where(same, trace[:, None, :, None], 0.0) + rest
        trace = advanced(step, trace)
        for a, b in entries:
            rest[:, a, :, b] = step.traceless(rest[:, a, :, b])
    return result.reshape(generations + 1, size * p, size * p)


def mixed(
    chances: Float[np.ndarray, " K"], moments: Float[np.ndarray, "K M M"]
) -> Float[np.ndarray, "M M"]:
    """Return the mean of second moments, of which some may be infinite, over networks."""
    possible = moments[chances > 0]
    return np.asarray(np.einsum("z,zik->ik", chances[chances > 0], possible))


def advanced(step: SecondMomentMap, m: Float[np.ndarray, "M M"]) -> Float[np.ndarray, "M M"]:
    """Return ``m`` a generation on; infinite entries touch only those that depend on them."""
    infinite = ~np.isfinite(m)
    depends = (step.shares > 0).astype(float)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # infinity - infinity at the end of the range
        result = step.isotropic(np.where(infinite, 0.0, m)) + step.added
    result[(depends @ infinite @ depends.T > 0) | np.isnan(result)] = np.inf
    return result
