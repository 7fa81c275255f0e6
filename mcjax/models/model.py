"""What a statistical model is: how it generates one observation, and what its loss is.

A model is a record of pure functions of a single observation; models know nothing of batching. Its
numbers (a threshold, a noise scale) are array leaves and its functions are static, so that sweeping
a number recompiles nothing. How a model is fitted is the business of its estimator
(:mod:`mcjax.estimators`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.draws.samplers import uniform
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.predictor import LinearPredictor, Params, Words, linear_predictor
from mcjax.estimators.sufficient_statistics import Statistics
from mcjax.models.information import Information
from mcjax.models.structure import Structure


class Functional(NamedTuple):
    """A number made of one estimate, whose mean over chains laws predict and studies judge.

    Attributes
    ----------
    name : str
        Its name in tables.
    value : callable
        ``(theta, truth) -> (...)`` in NumPy, for estimates (..., p) and the truth (p,).
    scale : str
        How a departure from a law is measured: ``ratio`` (as a share of the prediction),
        ``chance`` (the same for a probability, and as a share of 1/10 for a smaller one) or
        ``logarithm`` (as it is, for a difference of logarithms is a share).
    span : callable
        ``p -> `` the largest difference between two values, infinite if there is none.
    """

    name: str
    value: Callable[..., Any]
    scale: str
    span: Callable[[int], float]


@dataclass(frozen=True)
class LeastSquares:
    """What is known of a model with the squared loss and ``y = x'theta + noise``.

    Attributes
    ----------
    variances : callable
        ``params -> (variance of the noise in synthetic labels, the same in real labels)``.
    normal : bool
        Whether all that noise is normal, so that ``X'X`` and ``X'y`` are sufficient and a chain
        needs no rows.
    """

    variances: Callable[[Params], tuple[Any, Any]]
    normal: bool = False


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["params"],
    meta_fields=[
        "name",
        "loss",
        "sample",
        "sample_real",
        "variant",
        "predictor",
        "information",
        "least_squares",
        "statistics",
        "noise_scale",
        "functionals",
        "covariates",
        "estimator",
        "init",
        "structure",
        "least_rows",
        "check",
    ],
)
@dataclass(frozen=True)
class Model:
    """A statistical model.

    ``loss`` and ``sample`` make a model. What else is known in closed form replaces what automatic
    differentiation and Monte Carlo would supply.

    Attributes
    ----------
    name : str
        Its name in tables.
    loss : callable
        ``(params, theta, x, y) -> scalar``, the loss of one observation. ``theta`` is any pytree,
        ``x`` has shape (q,), ``y`` any shape.
    sample : callable
        ``(params, theta, x, words) -> y``: an observation that a model generates, as a function of
        two random 32-bit words.
    sample_real : callable, optional
        The same for real data; defaults to ``sample``. It may differ from what models generate, as
        long as the loss aims at ``theta`` in both.
    params : dict
        Numbers, passed to every function.
    variant : str
        Text that, with name and params, tells this model from others (noise laws, a digest of a
        user's source): part of a study's identity on disk.
    predictor : LinearPredictor, optional
        The scalar form of a model that depends on theta through ``x'theta`` alone.
    information : callable, optional
        ``(params, theta, covariance) -> Information``, in closed form, for ``x ~ N(0,
        covariance)``; otherwise estimated by automatic differentiation and Monte Carlo.
    least_squares : LeastSquares, optional
        Given for the squared loss.
    statistics : Statistics, optional
        Sums over rows that suffice for the estimate.
    noise_scale : str, optional
        The name of the number in ``params`` that scales the noise of labels and is unknown to the
        loss, so that a source may have its own.
    functionals : tuple of Functional
        Numbers made of an estimate, whose means over chains can be judged.
    covariates : int, optional
        Number of covariates q of an observation, 0 for none; defaults to the number of parameters.
    estimator : Estimator, optional
        What fits the model unless a study says otherwise; defaults to Newton's method, or L-BFGS
        for many parameters.
    init : callable, optional
        ``key -> theta``: random parameters to begin with, for estimators that do.
    structure : Structure, optional
        How the p numbers of an estimate are arranged as ``theta``; a plain vector if not given.
        Set by :func:`mcjax.condition` from the truth.
    least_rows : int, optional
        Rows without which there is no estimate; defaults to more than p.
    check : callable, optional
        ``truth -> sentence``: what is wrong with a truth of shape (p,), or nothing.
    """

    name: str
    loss: Callable[..., Any]
    sample: Callable[..., Any]
    sample_real: Callable[..., Any] | None = None
    params: Params = field(default_factory=dict)
    variant: str = ""
    predictor: LinearPredictor | None = None
    information: Callable[..., Information] | None = None
    least_squares: LeastSquares | None = None
    statistics: Statistics | None = None
    noise_scale: str | None = None
    functionals: tuple[Functional, ...] = ()
    covariates: int | None = None
    estimator: Estimator | None = None
    init: Callable[[Array], Any] | None = None
    structure: Structure | None = None
    least_rows: int | None = None
    check: Callable[..., str] | None = None

    def parameters(self, vector: Array) -> Any:
        """Return ``theta`` as the model's functions take it, from its p numbers."""
        return vector if self.structure is None else self.structure.parameters(vector)

    def covariates_for(self, parameters: int) -> int:
        """Return the number of covariates of an observation, given the number of parameters."""
        return parameters if self.covariates is None else self.covariates


def predictor_model(
    name: str, predictor: LinearPredictor, params: Params | None = None, **known: Any
) -> Model:
    """Return the model of a linear predictor.

    Parameters
    ----------
    name : str
        Its name in tables.
    predictor : LinearPredictor
        Loss and label as functions of ``eta = x'theta``.
    params : dict, optional
        Numbers, passed to the functions of the predictor.
    **known
        Further attributes of :class:`Model`.
    """
    loss, sample, sample_real = _functions(predictor)
    return Model(
        name=name,
        loss=loss,
        sample=sample,
        sample_real=sample_real,
        params=params or {},
        predictor=predictor,
        **known,
    )


@cache  # one function object for each predictor, so that equal models compile once
def _functions(
    predictor: LinearPredictor,
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any] | None]:
    """Return loss and samplers of one observation."""

    def loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
        return predictor.loss(params, linear_predictor(x, theta), y)

    def sampler(label: Callable[..., Any]) -> Callable[..., Any]:
        def sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
            return label(params, linear_predictor(x, theta), words)

        return sample

    real = predictor.label_real
    return loss, sampler(predictor.label), None if real is None else sampler(real)


def uniforms(words: Words, dtype: jnp.dtype) -> tuple[Array, Array]:
    """Return the two uniforms behind a label."""
    return uniform(words[0], dtype), uniform(words[1], dtype)
