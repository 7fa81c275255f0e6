"""Where in (alpha, beta) data-mediated interaction pays: maps, and the best weights.

Relative efficiency in the limit (:func:`mcjax.laws.mediated.interaction.relative_efficiency`) is a
smooth function of the weights, so a map of it is one program for each number of entities, and its
best point is found by gradient ascent on the logits of alpha and beta.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from mcjax.laws.mediated.interaction import Designs, relative_efficiency

STEPS, RATE = 150, 0.1
STARTS = ((0.5, 0.5), (0.1, 0.5), (0.3, 0.9))
"""Gradient steps, their size, and where they begin; the best of the ends counts."""


class Best(NamedTuple):
    """alpha, beta: the weights; efficiency: that is reached there."""

    alpha: float
    beta: float
    efficiency: float


def random_designs(
    entities: int,
    p: int,
    rank: int,
    rows: tuple[int, int, int],
    draws: int,
    seed: int = 0,
    distance: float = 0.0,
) -> Designs:
    """Gaussian designs of entities whose private covariates live in a subspace of their own.

    Parameters
    ----------
    rank: of private covariates, standard normal in a random subspace. rows: of private, public and
        each entity's pool data. draws: D, how many sets of designs.
    distance: of every private truth from the common one, in a random direction of its subspace.

    Returns
    -------
    Leaves of leading axis D; noise of variance 1.
    """
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((draws, entities, p, p)))
    basis = basis[..., :rank]

    def gram(count: int, shape: tuple[int, ...]) -> np.ndarray:
        x = rng.standard_normal((*shape, count, p))
        return np.swapaxes(x, -1, -2) @ x / count

    x = rng.standard_normal((draws, entities, rows[0], rank)) @ np.swapaxes(basis, -1, -2)
    away = rng.standard_normal((draws, entities, rank))
    away *= distance / np.linalg.norm(away, axis=-1, keepdims=True)
    each = np.ones((draws, entities))
    return Designs(
        private=np.swapaxes(x, -1, -2) @ x / rows[0],
        public=gram(rows[1], (draws,)),
        synthetic=gram(rows[2], (draws, entities)),
        rows=(each * rows[0], np.full(draws, float(rows[1])), each * rows[2]),
        truths=np.einsum("dkar,dkr->dka", basis, away),
        variances=(each, np.ones(draws), np.ones(draws)),
    )


@jax.jit
def efficiency_map(designs: Designs, alphas: Any, betas: Any) -> Array:
    """Mean relative efficiency over D sets of designs, for every pair of weights: (A, B, K).

    Parameters
    ----------
    designs: leaves of leading axis D. alphas, betas: shapes (A,) and (B,).
    """
    of_betas = jax.vmap(mean_efficiency, (None, None, 0))
    return jax.vmap(of_betas, (None, 0, None))(designs, jnp.asarray(alphas), jnp.asarray(betas))


def mean_efficiency(designs: Designs, alpha: Any, beta: Any) -> Array:
    """Over D sets of designs, shape (K,); 0 of a set that explodes, whose MSE is infinite."""
    found = jax.vmap(relative_efficiency, (0, None, None))(designs, alpha, beta)
    return jnp.where(jnp.isfinite(found), found, jnp.zeros_like(found)).mean(0)


def best_weights(designs: Designs, model: int | None = None) -> Best:
    """The weights of the largest mean relative efficiency, in the limit.

    Parameters
    ----------
    model: whose; None: of the entity that is worst off.
    """
    count = designs.truths.shape[1]
    pick = jnp.ones(count) if model is None else jnp.eye(count)[model]
    with jax.numpy_dtype_promotion("standard"):  # optax counts its steps in whole numbers
        ends, values = _climb(designs, pick, jnp.asarray(STARTS))
    place = int(np.argmax(np.asarray(values)))
    alpha, beta = (float(v) for v in np.asarray(ends)[place])
    return Best(alpha, beta, float(values[place]))


@jax.jit
def _climb(designs: Designs, pick: Array, starts: Array) -> tuple[Array, Array]:
    """Gradient ascent from every start: weights (S, 2) and the efficiency there (S,)."""
    optimiser = optax.adam(RATE)

    def value(logits: Array) -> Array:
        found = mean_efficiency(designs, *jax.nn.sigmoid(logits))
        return jnp.where(pick > 0, found, jnp.full_like(found, jnp.inf)).min()

    def one(start: Array) -> tuple[Array, Array]:
        begin = jnp.log(start / (1 - start))

        def step(state: Any, _: None) -> tuple[Any, None]:
            logits, moments = state
            slope = jax.grad(lambda at: -jnp.log(value(at)))(logits)
            updates, moments = optimiser.update(slope, moments)
            # at the edges, where logits have no end, there is nothing left to gain
            return (jnp.clip(logits + updates, -9, 9), moments), None

        (logits, _), _ = lax.scan(step, (begin, optimiser.init(begin)), None, length=STEPS)
        return jax.nn.sigmoid(logits), value(logits)

    return jax.vmap(one)(starts)
