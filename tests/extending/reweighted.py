"""An estimator of one's own: iteratively reweighted least squares for logistic regression.

Each step is the least-squares fit of the working response ``x'theta + (y - mu) / v`` with the
weights ``v = mu (1 - mu)``, where ``mu`` is the mean of y at the current theta.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

import mcjax


@dataclass(frozen=True)
class Reweighted:
    """Least squares again and again, until a step is short."""

    limit: int = 50
    minimises = True

    def fit(self, model, data, start, key):
        """Fit logistic regression to one data set."""
        x, y, weight = data
        short = jnp.sqrt(jnp.finfo(start.dtype).eps)

        def step(state):
            theta, _, count = state
            mean = jax.nn.sigmoid(theta @ x)
            share = weight * mean * (1 - mean)
            gram = (x * share[None, :]) @ x.T
            change = jnp.linalg.solve(gram, x @ (weight * (y - mean)))
            return theta + change, jnp.abs(change).max(), count + 1

        def goes_on(state):
            _, change, count = state
            return (change > short) & (count < self.limit)

        begin = (start, jnp.ones((), start.dtype), jnp.int32(0))
        theta, change, count = jax.lax.while_loop(goes_on, step, begin)
        status = jnp.select(
            [jnp.sum(weight) == 0, ~jnp.isfinite(change), change > short],
            [mcjax.Status.NOT_FITTED, mcjax.Status.RANK_DEFICIENT, mcjax.Status.STEP_LIMIT],
            mcjax.Status.CONVERGED,
        ).astype(jnp.int32)
        converged = status == mcjax.Status.CONVERGED
        return mcjax.Fit(jnp.where(converged, theta, jnp.nan), status, count)
