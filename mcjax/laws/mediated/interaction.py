"""Errors of entities that interact through a pool of data, differentiable in its weights.

K entities fit by least squares their private real data, common real data and a pool of synthetic
data (:mod:`mcjax.network.data_mediated`). With ``S~_k``, ``S*`` and ``S_j`` the matrices
``X'X / n`` of private, public and pool data, theta~_k and theta* the least squares estimates of
the real samples, the stationarity condition is linear (Vu, Reeves & Wenger, arXiv 2505.21677):

    theta_t = P_t [theta~; theta*] + Q_t theta_{t-1} + B_t eps_t,
    A_k = (1 - alpha) beta S~_k + (1 - alpha) (1 - beta) S* + (alpha / K) sum_j S_j
    P_k = A_k^-1 [(1 - alpha) beta S~_k, (1 - alpha) (1 - beta) S*],   Q_kj = A_k^-1 (alpha/K) S_j
    B_kj eps_j = A_k^-1 (alpha / K) X_j' eps_j / n_j

and theta_0 = P_0 [theta~; theta*] with alpha = 0 and beta_0. Everything here is in errors from the
truth of the common data. Where ``S~_k`` has low rank theta~_k is not unique, but
``S~_k theta~_k = S~_k mu_k + zeta_k`` is, with mu_k the private truth and zeta the score
``X' eps / n``, whose covariance is ``var S~_k / n``. Real data are reused, so zeta is drawn once.
With ``P^_k = A_k^-1 [(1 - alpha) beta I_k, (1 - alpha) (1 - beta) I]``, the P of scores,

    E e_t = P mu + Q E e_{t-1},    Cov e_t = Q Cov(e_{t-1}) Q' + (cross terms with zeta) + C,
    C_ik = sum_j (alpha / K)^2 var / n_j A_k^-1 S_j A_k^-1 .

In the limit, where ``rho(Q) < 1``: ``E = (I - Q)^-1 P mu``, and ``Cov`` is
``(I - Q)^-1 P^ Cov(zeta) P^' (I - Q)^-T + C_syn`` with ``C_syn = Q C_syn Q' + C``. The radius is
computed, not bounded. Equal designs make ``Q = alpha 1 1' / K x I``, with ``rho = alpha``, and the
spread between models ``(1 - alpha)`` of what it was at generation 0, if beta is the same.

All arrays are JAX arrays, so that a map over (alpha, beta) is one program and the best weights are
found by differentiating it. The laws that ``predict`` asks come to the same numbers by
:mod:`mcjax.laws.first_order.score_equations`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float


class Designs(NamedTuple):
    """The data that K entities with p parameters see.

    Attributes
    ----------
    private : array, shape (K, p, p)
        ``X'X / n`` of the private data, of any rank.
    public : array, shape (p, p)
        The same of the common data.
    synthetic : array, shape (K, p, p)
        The same of what each entity adds to the pool.
    rows : tuple of arrays, shapes (K,), () and (K,)
        n of private, public and pool data.
    truths : array, shape (K, p)
        Truths of private data less that of public data.
    variances : tuple of arrays, shapes (K,), () and ()
        Variances of the noise in private, public and synthetic labels.

    Notes
    -----
    Arrays of D sets of designs have a leading axis.
    """

    private: Float[Any, "*D K p p"]
    public: Float[Any, "*D p p"]
    synthetic: Float[Any, "*D K p p"]
    rows: tuple[Float[Any, "*D K"], Float[Any, "*D"], Float[Any, "*D K"]]
    truths: Float[Any, "*D K p"]
    variances: tuple[Float[Any, "*D K"], Float[Any, "*D"], Float[Any, "*D"]]


class MediatedSystem(NamedTuple):
    """One generation: ``e_t = Q e_{t-1} + push + score zeta + noise``.

    Attributes
    ----------
    q : array, shape (K p, K p)
        Q.
    p : array, shape (K p, (K + 1) p)
        P, on the estimates of the real samples, private ones first.
    score : array, shape (K p, (K + 1) p)
        The P of the scores zeta, for designs of any rank.
    push : array, shape (K p,)
        ``P mu``.
    noise : array, shape (K p, K p)
        C.
    """

    q: Float[Array, "K*p K*p"]
    p: Float[Array, " K*p (K+1)*p"]
    score: Float[Array, " K*p (K+1)*p"]
    push: Float[Array, " K*p"]
    noise: Float[Array, "K*p K*p"]


def mediated_system(
    designs: Designs, alpha: Float[Any, ""], beta: Float[Any, ""]
) -> MediatedSystem:
    """Return the system of a generation with weights alpha and beta, both scalars."""
    private, public, pool = (
        jnp.asarray(m, float) for m in (designs.private, designs.public, designs.synthetic)
    )
    count, size = private.shape[0], private.shape[-1]
    inside, common, each = (1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha / count
    total = inside * private + (common * public + each * pool.sum(0))[None]
    inverse = jnp.linalg.inv(total)  # (K, p, p)
    eye = jnp.eye(count)
    q = jnp.einsum("kab,jbc->kajc", inverse, each * pool)
    of_private = jnp.einsum("kab,kl->kalb", inverse * inside, eye)
    of_public = common * inverse[:, :, None, :]
    score = jnp.concatenate([of_private, of_public], axis=2)  # (K, p, K + 1, p)
    real = jnp.concatenate([private, public[None]])
    p = jnp.einsum("kalb,lbc->kalc", score, real)
    truths = jnp.concatenate([jnp.asarray(designs.truths, float), jnp.zeros((1, size))])
    weights = each**2 * designs.variances[2] / jnp.asarray(designs.rows[2], float)
    spread = (weights[:, None, None] * pool).sum(0)
    noise = jnp.einsum("kab,bc,ldc->kald", inverse, spread, inverse)
    flat = count * size
    return MediatedSystem(
        q=q.reshape(flat, flat),
        p=p.reshape(flat, flat + size),
        score=score.reshape(flat, flat + size),
        push=jnp.einsum("kalb,lb->ka", p, truths).ravel(),
        noise=noise.reshape(flat, flat),
    )


def score_covariance(designs: Designs) -> Float[Array, " (K+1)*p (K+1)*p"]:
    """Return ``Cov(zeta)`` of the scores of all real samples, private ones first."""
    private = jnp.asarray(designs.private, float)
    own = jnp.asarray(designs.variances[0], float) / jnp.asarray(designs.rows[0], float)
    common = jnp.asarray(designs.variances[1] / designs.rows[1], float)
    blocks = jnp.concatenate(
        [
            jnp.broadcast_to(own, private.shape[:1])[:, None, None] * private,
            (common * jnp.asarray(designs.public, float))[None],
        ]
    )
    count, size = blocks.shape[:2]
    spread = jnp.einsum("kab,kl->kalb", blocks, jnp.eye(count))
    return spread.reshape(count * size, count * size)


def mediated_moments(
    designs: Designs, alpha: Float[Any, " T+1"], beta: Float[Any, " T+1"]
) -> tuple[Float[Array, "T+1 K*p"], Float[Array, "T+1 K*p K*p"]]:
    """Return means and covariances of the stacked errors, generation by generation.

    ``alpha`` and ``beta`` are the weights in generations 0 to T; alpha of generation 0 is not used.
    """
    alphas = jnp.asarray(alpha, float).at[0].set(0.0)
    spread = score_covariance(designs)

    def step(state: tuple[Array, Array, Array], weights: tuple[Array, Array]) -> Any:
        mean, second, kept = state  # kept: (K p, (K + 1) p), of e on zeta
        now = mediated_system(designs, *weights)
        mean = now.q @ mean + now.push
        second = now.q @ second @ now.q.T + now.noise
        kept = now.q @ kept + now.score
        return (mean, second, kept), (mean, second + kept @ spread @ kept.T)

    size = len(spread) - designs.public.shape[0]
    begin = jnp.zeros(size), jnp.zeros((size, size)), jnp.zeros((size, len(spread)))
    _, moments = lax.scan(step, begin, (alphas, jnp.asarray(beta, float)))
    return moments


def mediated_limit(
    designs: Designs, alpha: Float[Any, ""], beta: Float[Any, ""]
) -> tuple[Float[Array, " K*p"], Float[Array, "K*p K*p"]]:
    """Return mean and covariance as t -> infinity, where the radius of Q is below 1.

    Notes
    -----
    The sum of the noise is found by doubling, ``C <- C + Q^n C Q'^n``: 24 doublings reach below
    rounding for radii up to ``1 - 1e-5``.
    """
    now = mediated_system(designs, alpha, beta)
    size = len(now.push)
    resolvent = jnp.linalg.inv(jnp.eye(size) - now.q)

    def double(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        power, total = state
        return (power @ power, total + power @ total @ power.T), None

    (_, noise), _ = lax.scan(double, (now.q, now.noise), None, length=24)
    kept = resolvent @ now.score
    return resolvent @ now.push, kept @ score_covariance(designs) @ kept.T + noise


def radius(system: MediatedSystem) -> float:
    """Return the spectral radius of Q, on the host."""
    return float(np.abs(np.linalg.eigvals(np.asarray(system.q))).max())


def pooled_mse(designs: Designs) -> Float[Array, ""]:
    """Return the MSE about theta* of least squares on all real data together, a scalar."""
    rows = jnp.append(jnp.asarray(designs.rows[0], float), jnp.asarray(designs.rows[1], float))
    grams = jnp.concatenate([jnp.asarray(designs.private), jnp.asarray(designs.public)[None]])
    inverse = jnp.linalg.inv((rows[:, None, None] * grams).sum(0))
    truths = jnp.asarray(designs.truths, float)
    mean = jnp.einsum("ab,kbc,kc->a", inverse, rows[:-1, None, None] * grams[:-1], truths)
    count, size = grams.shape[:2]
    blocks = score_covariance(designs).reshape(count, size, count, size)
    spread = jnp.einsum("kakb,k->ab", blocks, rows**2)
    return jnp.trace(inverse @ spread @ inverse) + mean @ mean


def mean_squares(
    mean: Float[Array, " K*p"], covariance: Float[Array, "K*p K*p"], truths: Float[Any, "K p"]
) -> Float[Array, " K"]:
    """Return ``E ||theta_k - (theta* + truths)||^2`` of every entity, (K,), for truths (K, p)."""
    apart = mean.reshape(truths.shape) - truths
    return jnp.diagonal(covariance).reshape(truths.shape).sum(-1) + (apart**2).sum(-1)


def relative_efficiency(
    designs: Designs, alpha: Float[Any, ""], beta: Float[Any, ""]
) -> Float[Array, " K"]:
    """Return :func:`pooled_mse` over the MSE about theta* of every entity in the limit, (K,)."""
    mean, covariance = mediated_limit(designs, alpha, beta)
    zero = jnp.zeros_like(jnp.asarray(designs.truths, float))
    return pooled_mse(designs) / mean_squares(mean, covariance, zero)
