"""Penalties: what a fit minimises besides the weighted mean loss of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_factor, solve_triangular
from jaxtyping import Float, Int

from mcjax.estimators.estimator import Dataset, Estimator, Problem
from mcjax.estimators.predictor import linear_predictor
from mcjax.estimators.predictors import LinearPredictors

LEAST = 1e-3
"""Smallest curvature of an objective that Newton steps use, relative to that of the loss."""


class Penalty(Protocol):
    """A term that fits add to the weighted mean loss of their rows."""

    @property
    def shrinkage(self) -> Any:
        """Return the factor of half the squared norm of theta, however many rows a fit has."""

    @property
    def by_rows(self) -> bool:
        """Return whether the penalty depends on the rows of a fit."""

    @property
    def described(self) -> Any:
        """Return ``family.penalty`` of a study file."""

    def reason_against(self, model: Problem) -> str:
        """Return why fits of a model cannot have the penalty, or an empty string."""

    def value(self, theta: Any, model: Problem, data: Dataset) -> Float[Array, ""]:
        """Return the penalty at ``theta``, any pytree of arrays."""

    def derivatives(
        self, theta: Float[Array, " p"], model: Problem, data: Dataset
    ) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
        """Return gradient and curvature, for Newton steps, of a model of a linear predictor."""


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
    by_rows = False

    @property
    def shrinkage(self) -> Any:
        """Return the strength."""
        return self.strength

    @property
    def described(self) -> dict[str, Any]:
        """Return ``family.penalty`` of a study file."""
        return {"ridge": self.strength}

    def reason_against(self, model: Problem) -> str:
        """Return an empty string: every loss takes it."""
        return ""

    def value(
        self, theta: Any, model: Problem | None = None, data: Dataset | None = None
    ) -> Float[Array, ""]:
        """Return the penalty at ``theta``, any pytree of arrays, whatever the rows."""
        squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(theta)]
        total: Array = self.strength / 2 * sum(squares[1:], squares[0])
        return total

    def derivatives(
        self, theta: Float[Array, " p"], model: Problem, data: Dataset
    ) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
        """Return gradient and Hessian."""
        return self.strength * theta, self.strength * jnp.eye(len(theta), dtype=theta.dtype)


@jax.tree_util.register_static
@dataclass(frozen=True)
class Firth:
    """Minus half of log det of the information of the rows, over their effective number n.

    It is minus the logarithm of Jeffreys' prior, and removes the term of order 1/n of the bias of a
    generalised linear model with its canonical link (Firth 1993). A fit to rows whose covariates
    determine theta then always has an estimate, whatever the labels.

    Notes
    -----
    Row r has the share ``a_r`` in the weight of a fit, and the loss has the curvature ``mu'``. The
    penalty is ``-log det(I) / (2 n)`` with ``I = sum a_r mu'(eta_r) x_r x_r'``. Without it the bias
    is ``-I^-1 K:I^-1 / 2`` times the sum of ``a_r^2``, where K is the derivative of I. Whatever the
    weights, ``n = 1 / sum a_r^2`` removes that. It is the number of rows if weights are equal.
    """

    shrinkage = 0.0
    by_rows = True
    described = "firth"

    def reason_against(self, model: Problem) -> str:
        """Return why the model is no generalised linear model, or an empty string."""
        if model.predictors is not None and model.predictors.canonical:
            return ""
        if model.predictor is not None and model.predictor.log_curvature is not None:
            return ""
        return "'firth' is for logistic, multinomial, poisson and linear regression"

    def value(self, theta: Any, model: Problem, data: Dataset) -> Float[Array, ""]:
        """Return the penalty at ``theta``, shape (p,)."""
        if model.predictors is not None:
            return _of_several(model, data, theta)
        parts = _information(theta, model, data)
        total: Array = -jnp.sum(jnp.log(jnp.diagonal(parts.root) / parts.scale)) / parts.rows
        return total

    def derivatives(
        self, theta: Float[Array, " p"], model: Problem, data: Dataset
    ) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
        """Return the gradient and the Hessian, or a larger matrix where that is far from positive.

        The larger matrix is the derivative of the gradient with fixed leverages. A Newton step with
        it goes downhill, but leaves a share of an error.
        """
        if model.predictors is not None:
            return _derivatives_of_several(model, data, theta)
        parts = _information(theta, model, data)
        solved = solve_triangular(parts.root, parts.scale[:, None] * data.x, lower=True)
        leverage = parts.weight * jnp.sum(solved**2, axis=0)
        slope, curvature = _log_curvature(model, parts.eta)[1:]

        def products(factor: Array) -> Array:
            return jnp.matmul(data.x * factor[None], data.x.T, precision="highest")

        gradient = jnp.matmul(data.x, leverage * slope, precision="highest")
        turned = (parts.weight * slope)[None, None] * solved[:, None] * solved[None]
        third = jnp.einsum("abr,cr->cab", turned, data.x, precision="highest")
        spread = products(leverage * slope**2) - jnp.einsum(
            "cab,dab->cd", third, third, precision="highest"
        )
        fixed = -products(leverage * curvature) / (2 * parts.rows)
        hessian = fixed - spread / (2 * parts.rows)
        # the information is also the Hessian of the loss
        whole = parts.root @ parts.root.T * (1 - LEAST) + hessian * jnp.outer(
            parts.scale, parts.scale
        )
        positive = jnp.isfinite(cho_factor(whole, lower=True)[0]).all()
        return -gradient / (2 * parts.rows), jnp.where(positive, hessian, fixed)


class _Information(NamedTuple):
    """The information of rows: ``root root' = scale I scale`` with a unit diagonal."""

    eta: Array  # (N,)
    weight: Array  # a mu', (N,)
    rows: Array  # n
    root: Array  # (p, p)
    scale: Array  # (p,)


def _information(theta: Array, model: Problem, data: Dataset) -> _Information:
    """Return the information at theta; if it is singular, that of a matrix near by."""
    share = data.weight / jnp.sum(data.weight)
    eta = linear_predictor(data.x, theta)
    weight = share * jnp.exp(_log_curvature(model, eta)[0])
    matrix = jnp.matmul(data.x * weight[None], data.x.T, precision="highest")
    diagonal = jnp.diagonal(matrix)
    scale = jnp.where(diagonal > 0, jnp.where(diagonal > 0, diagonal, 1) ** -0.5, 1)
    eps = 4 * len(theta) * float(jnp.finfo(matrix.dtype).eps)
    lifted = matrix * scale[:, None] * scale[None] + eps * jnp.eye(len(theta), dtype=matrix.dtype)
    root = jnp.tril(cho_factor(lifted, lower=True)[0])
    return _Information(eta, weight, 1 / jnp.sum(share**2), root=root, scale=scale)


def _of_several(model: Problem, data: Dataset, theta: Array) -> Array:
    """Return the penalty of a model of several predictors."""
    share = data.weight / jnp.sum(data.weight)
    matrix = _information_of_several(model, data, theta, share)
    scale = jnp.sqrt(jnp.diagonal(matrix))
    eps = 4 * len(theta) * float(jnp.finfo(matrix.dtype).eps)
    scaled = matrix / jnp.outer(scale, scale) + eps * jnp.eye(len(theta), dtype=matrix.dtype)
    root = jnp.diagonal(cho_factor(scaled, lower=True)[0])
    return -jnp.sum(share**2) * jnp.sum(jnp.log(root * scale))


def _derivatives_of_several(
    model: Problem, data: Dataset, theta: Array
) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
    """Return gradient and Hessian; nothing for the Hessian where that is far from positive.

    Then a Newton step with the information alone goes downhill, but leaves a share of an error.

    Notes
    -----
    With ``I = sum a_r W_r (x) x_r x_r'`` the gradient of log det I is ``tr I^-1 dI_a`` and its
    Hessian ``tr I^-1 d2I_ab - tr I^-1 dI_a I^-1 dI_b``. The first traces are sums over rows of
    derivatives of ``tr W_r Q_r``, where ``Q_r`` has the quadratic forms of x_r with the blocks of
    I^-1. So only functions of the J predictors of a row are differentiated automatically.
    """
    predictors, x = model.predictors, data.x
    assert isinstance(predictors, LinearPredictors), "others have no canonical link"
    share = data.weight / jnp.sum(data.weight)
    matrix = _information_of_several(model, data, theta, share)
    p, (q, rows), count = len(theta), x.shape, predictors.count
    scale = jnp.sqrt(jnp.diagonal(matrix))
    eps = 4 * p * float(jnp.finfo(matrix.dtype).eps)
    scaled = matrix / jnp.outer(scale, scale)
    root = jnp.tril(cho_factor(scaled + eps * jnp.eye(p, dtype=matrix.dtype), lower=True)[0])
    inner = solve_triangular(root, jnp.diag(1 / scale), lower=True)  # its square is I^-1

    def curvature(eta: Float[Array, " J"], y: Array) -> Float[Array, "J J"]:
        found = predictors.slopes(model.params, eta[:, None], y[None])
        return jnp.diag(found.diagonal[:, 0]) - jnp.outer(found.direction, found.direction)

    def held(eta: Array, y: Array, forms: Array) -> Array:
        return jnp.sum(curvature(eta, y) * forms)

    def products(factors: Float[Array, "J J N"]) -> Float[Array, "p p"]:
        pairs = jnp.matmul(
            (share[None, None] * factors).reshape(-1, rows), _pairs(x).T, precision="highest"
        )
        return pairs.reshape(count, count, q, q).transpose(0, 2, 1, 3).reshape(p, p)

    eta = predictors.eta(x, theta)
    turned = jnp.einsum("cjq,qr->cjr", inner.reshape(p, count, q), x, precision="highest")
    forms = jnp.einsum("cjr,clr->jlr", turned, turned, precision="highest")
    first = jax.vmap(jax.grad(held), (1, 0, 2), 1)(eta, data.y, forms)
    second = jax.vmap(jax.hessian(held), (1, 0, 2), 2)(eta, data.y, forms)
    third = jax.vmap(jax.jacfwd(curvature), (1, 0), 3)(eta, data.y)
    (j, k, m), (u, v, w) = _triples(count), _triples(q)
    sums = jnp.matmul(share[None] * third[j, k, m], (x[u] * x[v] * x[w]).T, precision="highest")
    places = _places(count)[:, None, :, None, :, None], _places(q)[None, :, None, :, None, :]
    change = sums[places].reshape(p, p, p)  # dI, of the parameter that moves first
    moved = (inner @ change @ inner.T).reshape(p, -1)
    gradient = jnp.matmul(share[None] * first, x.T, precision="highest").ravel()
    hessian = products(second) - jnp.matmul(moved, moved.T, precision="highest")
    factor = -jnp.sum(share**2) / 2
    whole = scaled * (1 - LEAST) + factor * hessian / jnp.outer(scale, scale)
    positive = jnp.isfinite(cho_factor(whole, lower=True)[0]).all()
    return factor * gradient, jnp.where(positive, factor * hessian, 0)


def _triples(size: int) -> Int[np.ndarray, "3 T"]:
    """Return the triples of numbers below ``size``, each in one order."""
    return np.array(list(combinations_with_replacement(range(size), 3)), int).T


def _places(size: int) -> Int[np.ndarray, "size size size"]:
    """Return the places of all triples among those in one order."""
    number = np.zeros((size,) * 3, int)
    number[tuple(_triples(size))] = np.arange(_triples(size).shape[1])
    return np.asarray(number[tuple(np.sort(np.indices(number.shape), axis=0))])


def _pairs(x: Float[Array, "q N"]) -> Float[Array, "q*q N"]:
    """Return the products of all pairs of covariates."""
    return (x[:, None] * x[None]).reshape(-1, x.shape[1])


def _information_of_several(model: Problem, data: Dataset, theta: Array, share: Array) -> Array:
    """Return the information at theta, the Hessian of the loss, which labels do not enter."""
    assert model.predictors is not None, "whoever calls has asked"
    return model.predictors.derivatives(model.params, data.x, data.y, theta, share=share)[1]


def _log_curvature(model: Problem, eta: Array) -> tuple[Array, Array, Array]:
    """Return ``log mu'`` and its first two derivatives, each of the shape of eta."""
    assert model.predictor is not None, "the penalty is for generalised linear models"
    log_curvature = model.predictor.log_curvature
    assert log_curvature is not None, "the penalty is for generalised linear models"

    def along(function: Any) -> Any:
        return lambda at: jax.jvp(function, (at,), (jnp.ones_like(at),))

    (level, slope), (_, curvature) = along(along(partial(log_curvature, model.params)))(eta)
    return level, slope, curvature


def adds_penalty(estimator: Estimator | None) -> bool:
    """Return whether an estimator, or one that a study chooses, adds a model's penalty."""
    return estimator is None or getattr(estimator, "penalises", False)
