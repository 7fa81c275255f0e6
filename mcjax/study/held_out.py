"""Measures on rows of data that were held out: losses, classes and calibration.

Imports JAX. Rows lie on the device once; estimates of many chains are measured in blocks.

The loss is that of the model, without a penalty, in the mean over the rows. What the errors e of an
estimate add to it is its *excess*, without the part that is linear in e,

    L(theta) - L(theta*) - L'(theta*)'e  =  e' H e / 2 + ... ,      H = L''(theta*) ,

which is a squared error in the metric of the held-out loss, and not negative for a convex loss. The
linear part has the mean ``L'(theta*)' E e``, and differs between chains far more than the excess:
held-out rows are few, so theta* does not fit them exactly.

For models of K classes, labels are 0 to K - 1 and the loss is minus the logarithm of their chance.
The calibration error is the mean, over ten bins of the largest chance, of the distance between that
chance and the accuracy (Naeini, Cooper & Hauskrecht, AAAI 2015; Guo et al., ICML 2017). For others
of a linear predictor eta, the calibration slope is the b of ``a + b eta`` with the smallest loss
(Cox, Biometrika 45, 1958), by one Newton step from (0, 1); it is below 1 if predictions are too far
apart.
"""

from __future__ import annotations

import math
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.data.data import Data
from mcjax.draws.settings import double_precision, own_settings
from mcjax.estimators.predictor import linear_predictor
from mcjax.faults import users_code
from mcjax.models.model import Functional, Model, Scale

BINS = 10
"""Number of bins of the calibration error."""
BLOCK = 2**20
"""Largest number of rows, times estimates, that are measured at once."""
MOST_ESTIMATES = 1024
EXCESS = "held_out_excess"
"""Name of the functional that is a squared error in the metric of the held-out loss."""


class Expansion(NamedTuple):
    """The mean loss over rows, its gradient and its Hessian, (p,) and (p, p)."""

    loss: float
    slope: Float[np.ndarray, " p"]
    curvature: Float[np.ndarray, "p p"]


class HeldOut:
    """Numbers that are computed from an estimate and rows that were held out.

    Parameters
    ----------
    model : Model
        The model that is fitted.
    rows : Data
        The rows.
    truth : ndarray, shape (p,)
        What fits the rows that were not held out.
    """

    def __init__(self, model: Model, rows: Data, truth: Float[np.ndarray, " p"]):
        self._model, self._rows, self._truth = model, rows, truth
        self._known: dict[bytes, Expansion] = {}

    @property
    def functionals(self) -> tuple[Functional, ...]:
        """The numbers: the excess of the loss, then what people look at."""
        scales: dict[str, tuple[Scale, float]] = {
            EXCESS: ("ratio", math.inf),
            "loss": ("logarithm", math.inf),
        }
        classes = self._model.classes
        if classes is not None:
            scales |= dict.fromkeys(("accuracy", "calibration error"), ("chance", 1.0))
            begin = 1 if classes == 2 else 0
            scales |= {f"share of {k}": ("chance", 1.0) for k in range(begin, classes)}
        elif self._model.predictor is not None:
            scales["calibration slope"] = "logarithm", math.inf
        return tuple(
            Functional(name, self.values, scale, span=partial(_constant, span), entry=entry)
            for entry, (name, (scale, span)) in enumerate(scales.items())
        )

    def at_truth(self) -> dict[str, float]:
        """Return the numbers of the truth by name."""
        values = self.values(self._truth[None], self._truth)[0]
        return {f.name: float(value) for f, value in zip(self.functionals, values, strict=True)}

    def values(
        self, theta: Float[np.ndarray, "K p"], truth: Float[np.ndarray, " p"]
    ) -> Float[np.ndarray, "K F"]:
        """Return the numbers of K estimates, in the order of ``functionals``."""
        around, model = self.around(truth), self._model
        most = max(1, min(MOST_ESTIMATES, BLOCK // len(self._rows.y)))
        size = min(most, 1 << (max(len(theta), 1) - 1).bit_length())
        found = [np.zeros((0, len(self.functionals) - 1))]
        with own_settings(), double_precision(), users_code("loss", model.loss):
            for begin in range(0, len(theta), size):
                block = theta[begin : begin + size]
                count = len(block)
                block = np.concatenate([block, np.repeat(block[-1:], size - count, 0)])
                measured = _measured(model, block, self._x, self._y)
                found.append(np.array(measured)[:count])
        values = np.concatenate(found)
        linear = around.loss + (theta - truth) @ around.slope
        return np.column_stack([values[:, 0] - linear, values])

    def around(self, centre: Float[np.ndarray, " p"]) -> Expansion:
        """Return the mean loss and its derivatives at parameters of shape (p,)."""
        key, model = centre.tobytes(), self._model
        if key not in self._known:
            with own_settings(), double_precision(), users_code("loss", model.loss):
                parts = _expanded(model, jnp.asarray(centre, float), self._x, self._y)
                loss, slope, curvature = (np.array(part, float) for part in parts)
            self._known[key] = Expansion(float(loss), slope, curvature)
        return self._known[key]

    @cached_property
    def _x(self) -> Array:
        return jnp.asarray(self._rows.x.T)

    @cached_property
    def _y(self) -> Array:
        return jnp.asarray(self._rows.y)


def _constant(value: float, p: int) -> float:
    return value


def _losses(model: Model, theta: Array, x: Array, y: Array) -> Array:
    """Return the loss of each row, (n,); x has shape (q, n)."""
    if model.predictor is not None:
        losses: Array = model.predictor.loss(model.params, linear_predictor(x, theta), y)
        return losses
    by_row = jax.vmap(model.loss, in_axes=(None, None, 1, 0))
    return by_row(model.params, model.parameters(theta), x, y)


@jax.jit
def _measured(model: Model, theta: Array, x: Array, y: Array) -> Array:
    """Return the loss of estimates (K, p), and the other numbers, (K, F - 1)."""

    def measure(one: Array) -> Array:
        loss = jnp.mean(_losses(model, one, x, y))
        if model.classes is not None:
            further = _of_classes(model, one, x, y)
        elif model.predictor is not None:
            further = [_calibration_slope(model, one, x, y)]
        else:
            further = []
        return jnp.stack([loss, *further])

    return jax.vmap(measure)(theta)


def _of_classes(model: Model, theta: Array, x: Array, y: Array) -> list[Array]:
    """Return accuracy, calibration error, and the shares that a model gives to classes."""
    assert model.classes is not None, "it has been asked"
    labels = [jnp.full_like(y, k) for k in range(model.classes)]
    chances = jnp.stack([jnp.exp(-_losses(model, theta, x, label)) for label in labels])
    largest = chances.max(0)
    right = jnp.asarray(chances.argmax(0) == y.astype(int), y.dtype)
    bins = jnp.minimum((largest * BINS).astype(int), BINS - 1)
    within = bins[None] == jnp.arange(BINS)[:, None]
    apart = jnp.where(within, (largest - right)[None], 0)
    shares = chances.mean(1)
    return [
        right.mean(),
        jnp.abs(apart.sum(1)).sum() / len(y),
        *shares[1 if model.classes == 2 else 0 :],
    ]


def _calibration_slope(model: Model, theta: Array, x: Array, y: Array) -> Array:
    assert model.predictor is not None, "it has been asked"
    eta = linear_predictor(x, theta)
    slope, curvature = model.predictor.derivatives(model.params, eta, y)
    centre = (curvature * eta).sum() / curvature.sum()
    apart = eta - centre  # orthogonal to the intercept in the metric of the Hessian
    return 1 - (slope * apart).sum() / (curvature * apart**2).sum()


@jax.jit
def _expanded(model: Model, centre: Array, x: Array, y: Array) -> tuple[Array, ...]:
    def loss(theta: Array) -> Array:
        return jnp.mean(_losses(model, theta, x, y))

    value, slope = jax.value_and_grad(loss)(centre)
    return value, slope, jax.hessian(loss)(centre)
