"""Statistical models: how one observation is generated, and the loss of one observation.

A model is a record of pure functions of a single observation; models know nothing about batching.
Its numbers (a threshold, a noise scale) are array leaves and its functions are static, so that
changing a number does not recompile anything. Estimators (:mod:`mcjax.estimators`) fit models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key, Shaped

from mcjax.arguments import checked
from mcjax.calls import explained
from mcjax.draws.samplers import uniform
from mcjax.estimators.estimator import Estimator, Loss
from mcjax.estimators.penalty import Penalty
from mcjax.estimators.predictor import Entries, LinearPredictor, Params, Words, linear_predictor
from mcjax.estimators.predictors import Predictors
from mcjax.estimators.sufficient_statistics import Statistics
from mcjax.models.allowance import Allowance
from mcjax.models.class_scores import ClassScores
from mcjax.models.dispersion_scores import DispersionScores
from mcjax.models.information import Information
from mcjax.models.scores import MeanScores, NormalScores, ScoreMoments, SimulatedScores
from mcjax.models.structure import Structure

if TYPE_CHECKING:
    from mcjax.models.bigram import SmoothedTransitions
    from mcjax.models.generative import GaussianMoments, SmoothedShares, WeightedMean
    from mcjax.models.mixture import OverallMoments

Sample = Callable[[Params, Any, Float[Array, " q"], Words], Float[Array, "*label"]]
"""A generator of one observation, ``(params, theta, x, words) -> y``."""
Scale = Literal["ratio", "chance", "logarithm"]


class Functional(NamedTuple):
    """A number computed from one estimate; laws predict its mean over chains, studies judge it.

    Attributes
    ----------
    name : str
        Its name in tables.
    value : callable
        ``(theta, truth) -> (...)`` in NumPy, for estimates (..., p) and the truth (p,): numbers or
        booleans; for several functionals that are computed together, ``(..., K)``.
    scale : {"ratio", "chance", "logarithm"}
        How a departure from a law is measured. ``ratio``: relative to the prediction. ``chance``:
        relative to the predicted probability, or to 1/10 if that is smaller. ``logarithm``: as the
        plain difference, because a difference of logarithms is a relative departure.
    span : callable
        ``p -> float``, the largest difference between two values, infinite if it is unbounded.
    entry : int, optional
        Which of K numbers it is, where ``value`` computes several.
    """

    name: str
    value: Callable[[Float[np.ndarray, "*C p"], Float[np.ndarray, " p"]], Shaped[np.ndarray, "*C"]]
    scale: Scale
    span: Callable[[int], float]
    entry: int | None = None


Scores = ScoreMoments | MeanScores | NormalScores | ClassScores | DispersionScores | SimulatedScores


class Tempering(NamedTuple):
    """Generation of data at a temperature, in NumPy and in JAX.

    Attributes
    ----------
    parameters : callable
        ``(params, theta, temperature) -> (params, theta)``, the numbers and the parameters at which
        the model generates such data; ``theta`` has shape (p,) or (p, N).
    derivative : callable
        ``(theta, temperature) -> (p, p)``, the derivative of these parameters in theta, in NumPy.
    """

    parameters: Callable[[Params, Any, Any], tuple[Params, Any]]
    derivative: Callable[[Float[np.ndarray, " p"], float], Float[np.ndarray, "p p"]]


@dataclass(frozen=True)
class LeastSquares:
    """Properties of a model with the squared loss and ``y = x'theta + noise``.

    Attributes
    ----------
    variances : callable
        ``params -> (synthetic, real)``, the noise variances of synthetic and of real labels.
    normal : bool
        Whether all noise is normal. Then ``X'X`` and ``X'y`` are sufficient statistics, and chains
        need not draw rows.
    """

    variances: Callable[[Params], tuple[Any, Any]]
    normal: bool = False


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["params", "penalty"],
    meta_fields=[
        "name",
        "loss",
        "sample",
        "sample_real",
        "variant",
        "predictor",
        "predictors",
        "information",
        "scores",
        "least_squares",
        "statistics",
        "noise_scale",
        "tempering",
        "mirror",
        "functionals",
        "covariates",
        "further",
        "estimator",
        "init",
        "structure",
        "least_rows",
        "check",
        "parametrise",
        "allowance",
        "generative",
        "rounding",
        "labels",
        "classes",
    ],
)
@explained
@dataclass(frozen=True)
class Model:
    """A statistical model.

    ``loss`` and ``sample`` suffice. Anything else known in closed form replaces automatic
    differentiation and Monte Carlo.

    Attributes
    ----------
    name : str
        The model's name in tables.
    loss : callable
        ``(params, theta, x, y) -> scalar``, the loss of one observation. ``theta`` is any pytree,
        ``x`` has shape (q,), ``y`` any shape.
    sample : callable
        ``(params, theta, x, words) -> y``, an observation generated by a model, as a function of
        two random 32-bit words.
    sample_real : callable, optional
        The same for real data; defaults to ``sample``. The two may differ, as long as ``theta`` is
        the target of the loss under both.
    params : dict
        Numbers that are passed to every function.
    variant : str
        Text that, together with name and params, distinguishes this model from others (its noise
        distributions, a digest of a user's source). It is part of a study's identity on disk.
    predictor : LinearPredictor, optional
        The scalar form of a model that depends on theta through ``x'theta`` alone.
    predictors : Predictors, optional
        The form of a model that depends on theta through several predictors, or through one and a
        further number.
    information : callable, optional
        ``(params, theta, covariance) -> Information`` in closed form, for ``x ~ N(0,
        covariance)``; defaults to automatic differentiation and Monte Carlo.
    scores : ScoreMoments or another record of ``mcjax.models``, optional
        Moments of the score of a model whose data come from other parameters than it has; without
        them, laws describe only data whose parameters are close to the truth.
    least_squares : LeastSquares, optional
        Given if the loss is the squared one.
    statistics : Statistics, optional
        Sums over rows that suffice for the estimate.
    noise_scale : str, optional
        Name of the number in ``params`` that scales the noise of labels without entering the loss,
        so that each source of data may have another scale.
    tempering : Tempering, optional
        How data are generated at a temperature.
    mirror : callable, optional
        ``theta -> theta`` of a model whose labels are 0 or 1: the parameters at which these are
        swapped.
    functionals : tuple of Functional
        Numbers computed from an estimate, whose means over chains can be judged.
    covariates : int, optional
        Number q of covariates of an observation, 0 for none; defaults to the number of parameters
        of a linear predictor.
    further : int
        Number of parameters, the last ones, that belong to no covariate.
    estimator : Estimator, optional
        Fits the model unless a study chooses another; defaults to Newton's method, or L-BFGS for
        many parameters.
    init : callable, optional
        ``key -> theta``, random initial parameters, for estimators that use them.
    structure : Structure, optional
        How the p numbers of an estimate are arranged as ``theta``; defaults to a plain vector.
        :func:`mcjax.condition` sets it from the truth.
    least_rows : int, optional
        Smallest number of rows that determine an estimate; defaults to p + 1.
    check : callable, optional
        ``truth -> str``, what is wrong with a truth of shape (p,), or an empty string.
    parametrise : callable, optional
        ``mapping -> (p,)``, the numbers of a truth whose parts are given by names.
    allowance : Allowance, optional
        Departures from the first-order law that finite samples explain, where the second-order law
        does not say; defaults to that of models that have not been measured.
    generative : WeightedMean or another record, optional
        What exact laws use of a model without covariates.
    rounding : callable, optional
        ``(params, theta, covariance, rows) -> float``, the unit roundoff at which labels begin to
        lose their noise, see :mod:`mcjax.models.rounding`; without it, the precision of draws is
        that of the study.
    labels : callable, optional
        ``y -> str``, what is wrong with labels of real data, shape (n,), or an empty string;
        defaults to taking all numbers.
    classes : int, optional
        Number K of classes, if labels are 0 to K - 1 and the loss is minus the logarithm of the
        chance of the label.
    penalty : Penalty, optional
        What fits add to the mean loss. :func:`mcjax.penalised` sets it.

    Examples
    --------
    >>> import mcjax
    >>> model = mcjax.huber(threshold=1.0)
    >>> model.name, model.params["threshold"], model.predictor is not None
    ('huber', 1.0, True)
    """

    name: str
    loss: Loss
    sample: Sample
    sample_real: Sample | None = None
    params: Params = field(default_factory=dict)
    variant: str = ""
    predictor: LinearPredictor | None = None
    predictors: Predictors | None = None
    information: (
        Callable[[Params, Float[np.ndarray, " p"], Float[np.ndarray, "q q"]], Information] | None
    ) = None
    scores: Scores | None = None
    least_squares: LeastSquares | None = None
    statistics: Statistics | None = None
    noise_scale: str | None = None
    tempering: Tempering | None = None
    mirror: Callable[[Any], Any] | None = None
    functionals: tuple[Functional, ...] = ()
    covariates: int | None = None
    further: int = 0
    estimator: Estimator | None = None
    init: Callable[[Key[Array, ""]], Any] | None = None
    structure: Structure | None = None
    least_rows: int | None = None
    check: Callable[[Float[np.ndarray, " p"]], str] | None = None
    parametrise: Callable[[Mapping[str, Any]], Float[np.ndarray, " p"]] | None = None
    allowance: Allowance | None = None
    generative: (
        WeightedMean
        | GaussianMoments
        | SmoothedShares
        | SmoothedTransitions
        | OverallMoments
        | None
    ) = None
    rounding: (
        Callable[[Params, Float[np.ndarray, " p"], Float[np.ndarray, "q q"], int], float] | None
    ) = None
    labels: Callable[[Float[np.ndarray, " n"]], str] | None = None
    classes: int | None = None
    penalty: Penalty | None = None

    def parameters(self, vector: Float[Array, " p"]) -> Any:
        """Return ``theta`` as the model's functions take it, given its p numbers."""
        return vector if self.structure is None else self.structure.parameters(vector)

    @property
    def shrinkage(self) -> Any:
        """Return by what half the squared norm of theta is multiplied in the objective of fits."""
        return 0.0 if self.penalty is None else self.penalty.shrinkage

    def covariates_for(self, parameters: int) -> int:
        """Return the number of covariates of an observation, given the number of parameters."""
        own = 1 if self.predictors is None else self.predictors.count
        return (parameters - self.further) // own if self.covariates is None else self.covariates

    def parameters_for(self, covariates: int) -> int:
        """Return the number of parameters, given the number of covariates of data."""
        own = 1 if self.predictors is None else self.predictors.count
        return covariates * own + self.further


@checked
def predictor_model(
    name: str, predictor: LinearPredictor, params: Params | None = None, **known: Any
) -> Model:
    """Return the model of a linear predictor.

    Parameters
    ----------
    name : str
        The model's name in tables.
    predictor : LinearPredictor
        Loss and label as functions of ``eta = x'theta``.
    params : dict, optional
        Numbers that are passed to the functions of the predictor.
    **known : optional
        Further attributes of :class:`Model`.

    Returns
    -------
    Model
        The model, with loss and samplers in terms of ``theta`` and ``x``.

    Examples
    --------
    >>> import mcjax
    >>> predictor = mcjax.LinearPredictor(
    ...     loss=lambda params, eta, y: (y - eta) ** 2 / 2,
    ...     label=lambda params, eta, words: eta,
    ... )
    >>> mcjax.predictor_model("without noise", predictor).name
    'without noise'
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
def _functions(predictor: LinearPredictor) -> tuple[Loss, Sample, Sample | None]:
    """Return the loss and the samplers of one observation."""

    def loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
        return predictor.loss(params, linear_predictor(x, theta), y)

    def sampler(label: Callable[[Params, Entries, Words], Entries]) -> Sample:
        def sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
            return label(params, linear_predictor(x, theta), words)

        return sample

    real = predictor.label_real
    return loss, sampler(predictor.label), None if real is None else sampler(real)


def uniforms(words: Words, dtype: jnp.dtype) -> tuple[Entries, Entries]:
    """Return the two uniforms that a label is made from."""
    return uniform(words[0], dtype), uniform(words[1], dtype)
