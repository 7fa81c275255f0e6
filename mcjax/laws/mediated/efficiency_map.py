"""Maps of where in (alpha, beta) data-mediated interaction pays, and the best weights.

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
from jaxtyping import Float

from mcjax.laws.mediated.interaction import Designs, relative_efficiency

STEPS, RATE = 150, 0.1
STARTS = ((0.5, 0.5), (0.1, 0.5), (0.3, 0.9))
"""Number and size of gradient steps, and where they begin; the best end point counts."""


class Best(NamedTuple):
    """The best weights, and the efficiency that they reach."""

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
    """Draw Gaussian designs of entities whose private covariates lie in subspaces of their own.

    Parameters
    ----------
    entities : int
        K.
    p : int
        Number of parameters.
    rank : int
        Rank of private covariates, which are standard normal in a random subspace.
    rows : tuple of int
        Rows of private data, of public data, and of each entity's pool data.
    draws : int
        D, the number of sets of designs.
    seed : int, optional
        Seed of the draws.
    distance : float, optional
        Distance of every private truth from the common one, in a random direction of its subspace.

    Returns
    -------
    Designs
        Arrays with a leading axis D, and noise of variance 1.
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
    ones = np.ones((draws, entities))
    return Designs(
        private=np.swapaxes(x, -1, -2) @ x / rows[0],
        public=gram(rows[1], (draws,)),
        synthetic=gram(rows[2], (draws, entities)),
        rows=(ones * rows[0], np.full(draws, float(rows[1])), ones * rows[2]),
        truths=np.einsum("dkar,dkr->dka", basis, away),
        variances=(ones, np.ones(draws), np.ones(draws)),
    )


@jax.jit
def efficiency_map(
    designs: Designs, alphas: Float[Any, " A"], betas: Float[Any, " B"]
) -> Float[Array, "A B K"]:
    """Return the mean relative efficiency over D sets of designs for every pair of weights."""
    of_betas = jax.vmap(mean_efficiency, (None, None, 0))
    return jax.vmap(of_betas, (None, 0, None))(designs, jnp.asarray(alphas), jnp.asarray(betas))


def mean_efficiency(
    designs: Designs, alpha: Float[Any, ""], beta: Float[Any, ""]
) -> Float[Array, " K"]:
    """Return the mean over D sets of designs, (K,), with 0 for a set that explodes."""
    values = jax.vmap(relative_efficiency, (0, None, None))(designs, alpha, beta)
    return jnp.where(jnp.isfinite(values), values, jnp.zeros_like(values)).mean(0)


def best_weights(designs: Designs, model: int | None = None) -> Best:
    """Return the weights of the largest mean relative efficiency over D sets of designs.

    The efficiency is that of ``model`` in the limit, or of the entity that is worst off.
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
    """Climb from every start; return weights (S, 2) and the efficiency there (S,)."""
    optimiser = optax.adam(RATE)

    def value(logits: Array) -> Array:
        means = mean_efficiency(designs, *jax.nn.sigmoid(logits))
        return jnp.where(pick > 0, means, jnp.full_like(means, jnp.inf)).min()

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
