"""Models of a linear predictor: loss and label depend on theta through ``eta = x'theta`` alone.

Such a model needs two functions of a scalar. Only these are differentiated, so the fast path, on
which its chains run, never forms a p x p derivative by automatic differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, UInt32

from mcjax.calls import explained

FEW_TERMS = 16
"""Up to this many covariates ``x'theta`` is written out, so that it fuses with its use."""

Params = dict[str, Any]
Words = tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]
"""Two random 32-bit words, all the randomness of one label."""
Entries = Float[Array, "*shape"]
"""Numbers that belong to rows, in arrays of one shape."""


@explained
@dataclass(frozen=True)
class LinearPredictor:
    """The scalar form of a model.

    All functions are elementwise: ``eta``, ``y`` and words are arrays of one shape, against which
    the numbers in ``params`` broadcast. :func:`elementwise` turns a function of scalars into such a
    function.

    Attributes
    ----------
    loss : callable
        ``(params, eta, y) -> loss``.
    label : callable
        ``(params, eta, words) -> y``, a label that a model generates, from two random words.
    label_real : callable, optional
        The same for real data, if their noise has another distribution; defaults to ``label``.
    slopes : callable, optional
        ``(params, eta, y) -> (slope, curvature)`` of the loss in eta; defaults to automatic
        differentiation. The curvature is the one used in Newton steps: the second derivative, or a
        small positive number where that vanishes.
    separates : callable, optional
        ``(eta, y) -> bool``. If some theta makes it true for every row, no estimate exists.
    log_curvature : callable, optional
        ``(params, eta) -> log mu'``, the logarithm of the curvature of the loss in eta, given where
        that does not depend on y: for a generalised linear model with its canonical link.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> predictor = mcjax.LinearPredictor(
    ...     loss=lambda params, eta, y: (y - eta) ** 2 / 2,
    ...     label=lambda params, eta, words: eta,
    ... )
    >>> slope, curvature = predictor.derivatives({}, jnp.array([0.0]), jnp.array([2.0]))
    >>> float(slope[0]), float(curvature[0])
    (-2.0, 1.0)
    """

    loss: Callable[[Params, Entries, Entries], Entries]
    label: Callable[[Params, Entries, Words], Entries]
    label_real: Callable[[Params, Entries, Words], Entries] | None = None
    slopes: Callable[[Params, Entries, Entries], tuple[Entries, Entries]] | None = None
    separates: Callable[[Entries, Entries], Bool[Array, "*shape"]] | None = None
    log_curvature: Callable[[Params, Entries], Entries] | None = None

    def derivatives(self, params: Params, eta: Entries, y: Entries) -> tuple[Entries, Entries]:
        """Return slope and curvature of the loss in eta, each of the shape of eta."""
        if self.slopes is not None:
            return self.slopes(params, eta, y)

        def slope(at: Array) -> Array:
            # the derivative of a sum is elementwise, because each loss depends on its own eta
            derivative: Array = jax.grad(lambda e: jnp.sum(self.loss(params, e, y)))(at)
            return derivative

        # one pass for both: forward mode over reverse mode
        value, curvature = jax.jvp(slope, (eta,), (jnp.ones_like(eta),))
        return value, curvature

    def labels(
        self, params: Params, eta: Entries, real: Bool[Array, "*shape"], words: Words
    ) -> Entries:
        """Return labels, of the shape of eta; ``real`` marks those that are real data."""
        synthetic = self.label(params, eta, words)
        if self.label_real is None or self.label_real is self.label:
            return synthetic
        return jnp.where(real, self.label_real(params, eta, words), synthetic)


def linear_predictor(x: Float[Array, " p *N"], theta: Float[Array, " p"]) -> Float[Array, "*N"]:
    """Return ``x'theta`` for x of shape (p,) or (p, N)."""
    if len(theta) > FEW_TERMS:
        return jnp.matmul(theta, x, precision="highest")
    total = x[0] * theta[0]
    for i in range(1, len(theta)):
        total = total + x[i] * theta[i]
    return total


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function of scalars, ``(params, *scalars)``, into one of arrays of one shape.

    The numbers in ``params`` broadcast against the arrays, so they may differ from row to row.
    """

    def applied(params: Params, *arrays: Any) -> Any:
        shape = jnp.shape(jax.tree.leaves(arrays)[0])
        whole = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, shape), (params, *arrays))
        batched = function
        for _ in shape:  # axis by axis: a reshape to one axis would keep loops from fusing
            batched = jax.vmap(batched)
        return batched(*whole)

    return applied
