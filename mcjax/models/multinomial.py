"""Multinomial logistic regression: K classes, of which class 0 is the reference.

With parameters theta_1, ..., theta_{K-1} of q numbers each, and ``theta_0 = 0``,

    P(y = k | x) = exp(x'theta_k) / sum_j exp(x'theta_j) ,    k = 0, ..., K - 1 .

Theta is the matrix with the rows theta_1, ..., theta_{K-1}, as a vector of ``p = (K - 1) q``
numbers, one row after the other. The loss is the negative log-likelihood, whose link is canonical,
so that ``H = V = E[W (x) x x']`` with ``W = diag(P) - P P'``.

A fit has no estimate if some theta separates the classes, or if no row is of some class.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.estimators.newton import Newton
from mcjax.estimators.predictor import Params, Words
from mcjax.estimators.predictors import LinearPredictors, SeveralSlopes
from mcjax.models.class_scores import ClassScores, chances, information_of_classes
from mcjax.models.glm import LOG_ODDS_TEMPERING
from mcjax.models.information import Information, same_information
from mcjax.models.model import Model, uniforms
from mcjax.models.normal_nodes import normal_nodes
from mcjax.numbers import check_between, how_many, whole

MOST_CLASSES = 1000
FARTHEST = 300.0
"""Standard deviation of a predictor from which nodes miss rows whose class is in doubt. There the
information of two classes is wrong by up to 7%, and at 10,000 by several times."""


@explained
def multinomial(classes: int = 3) -> Model:
    """Return multinomial logistic regression, with y from 0 to ``classes - 1``.

    Parameters
    ----------
    classes : int
        Number K of classes, at least 2; class 0 is the reference. Defaults to 3.

    Returns
    -------
    Model
        The model, whose theta is the matrix with a row of parameters for each class but the
        reference, one row after the other.

    Raises
    ------
    InputError
        If ``classes`` is no whole number from 2 to 1000.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> model = mcjax.multinomial(classes=3)
    >>> theta = jnp.array([1.0, 0.0, 0.0, 1.0])  # of class 1, then of class 2
    >>> loss = model.loss(model.params, theta, jnp.array([0.0, 0.0]), jnp.array(2.0))
    >>> round(float(loss), 4)
    1.0986
    """
    number: Any = whole(classes)
    if not isinstance(number, int):
        raise InputError("family.classes", f"is {classes!r}; give a whole number")
    check_between("family.classes", number, 2, MOST_CLASSES)
    return _model(number)


@cache  # one set of functions for each number of classes, so that equal models compile once
def _model(classes: int) -> Model:
    others = classes - 1

    def predictors(theta: Array, x: Array) -> Array:
        """Return the K predictors of a row, that of the reference first."""
        eta = jnp.matmul(theta.reshape(others, -1), x, precision="highest")
        return jnp.concatenate([jnp.zeros_like(eta[:1]), eta])

    def loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
        eta = predictors(theta, x)
        top = eta.max()
        own = jnp.sum(jnp.where(y == jnp.arange(classes, dtype=y.dtype), eta, 0))
        return top + jnp.log(jnp.sum(jnp.exp(eta - top))) - own

    def sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
        """Draw a class by inverting the cumulative probabilities."""
        u, _ = uniforms(words, theta.dtype)
        eta = predictors(theta, x)
        ends = jnp.cumsum(jnp.exp(eta - eta.max()))
        return jnp.sum(ends[:-1] <= u * ends[-1]).astype(theta.dtype)

    def information(
        params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
    ) -> Information:
        each = theta.reshape(others, -1)
        if not np.einsum("jq,qr,jr->j", each, cov, each).max() <= FARTHEST**2:
            return same_information(*[np.full((len(theta), len(theta)), np.nan)] * 2)
        x = normal_nodes(_root(cov))
        hessian = information_of_classes(x, chances(x, theta, others))
        return same_information(hessian, hessian)

    def check(theta: np.ndarray) -> str:
        if len(theta) % others == 0:
            return ""
        return (
            f"has {how_many(len(theta), 'number')}; give {others} for each covariate, those of"
            f" classes 1 to {others} one after the other, or another number of classes"
        )

    def labels(y: np.ndarray) -> str:
        wrong = int((~np.isin(y, np.arange(classes))).sum())
        if wrong:
            return (
                f"has {how_many(wrong, 'label')} other than 0 to {others}; see `classes`, here and"
                " in [family]"
            )
        absent = classes - len(np.unique(y))
        problem = f"lacks rows of {absent} of the {classes} classes"
        return f"{problem}; give the number of those that occur" if absent else ""

    return Model(
        name="multinomial",
        loss=loss,
        sample=sample,
        variant=f"classes={classes}",
        predictors=LinearPredictors(others, _slopes, _separated),
        information=information,
        scores=ClassScores(others),
        tempering=LOG_ODDS_TEMPERING,
        estimator=Newton(),
        check=check,
        labels=labels,
        classes=classes,
    )


def _root(covariance: Float[np.ndarray, "q q"]) -> Float[np.ndarray, "q q"]:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def _slopes(params: Params, eta: Array, y: Array) -> SeveralSlopes:
    top = jnp.maximum(eta.max(0, keepdims=True), 0)
    mass = jnp.exp(eta - top)
    chance = mass / (mass.sum(0, keepdims=True) + jnp.exp(-top))
    return SeveralSlopes(chance - _of_classes(y, len(eta)), chance, chance)


def _separated(eta: Array, y: Array, weight: Array) -> Array:
    """Return True if every row lies on the side of its class, or a class has no row.

    Either proves that no estimate exists (Albert & Anderson 1984).
    """
    whole = jnp.concatenate([jnp.zeros_like(eta[:1]), eta])
    own = jnp.concatenate([(y == 0)[None], _of_classes(y, len(eta)) > 0])
    ahead = jnp.where(own, whole, -jnp.inf).max(0) > jnp.where(own, -jnp.inf, whole).max(0)
    present = (own & (weight > 0)[None]).any(1)
    return jnp.all(ahead | (weight == 0)) | ~present.all()


def _of_classes(y: Array, others: int) -> Array:
    """Return whether rows are of classes 1, 2, ..., as numbers of shape (J, N)."""
    return (y[None] == jnp.arange(1, others + 1, dtype=y.dtype)[:, None]).astype(y.dtype)
