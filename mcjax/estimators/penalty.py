"""Penalties: what a fit minimises besides the weighted mean loss of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from mcjax.estimators.estimator import Estimator


@partial(jax.tree_util.register_dataclass, data_fields=["strength"], meta_fields=[])
@dataclass(frozen=True)
class Ridge:
    """Half the squared norm of the p numbers of theta, times ``strength``.

    It is added to the mean loss of a fit, and so counts once per observation: the more rows a fit
    has, the more weight has the penalty in their sum.

    Attributes
    ----------
    strength : float or Array
        The factor, larger than 0.
    """

    strength: Any

    def value(self, theta: Any) -> Float[Array, ""]:
        """Return the penalty at ``theta``, any pytree of arrays."""
        squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(theta)]
        total: Array = self.strength / 2 * sum(squares[1:], squares[0])
        return total


def adds_penalty(estimator: Estimator | None) -> bool:
    """Return whether an estimator, or one that a study chooses, adds a model's penalty."""
    return estimator is None or getattr(estimator, "penalises", False)
