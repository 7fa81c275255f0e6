"""Populations of a user's model of theta as a whole, by simulation.

The loss ``l(theta, x, y)`` and the sampler of y are all that is known. Rows are drawn at the
parameters v of their origin, and the mean score of a reader at m and its derivative in m come from
automatic differentiation of the loss over these rows.

A loss that aims at the parameters of its data has ``E_v grad l(v) = 0`` at every v, which is tested
at every v that is met. So with the rows z(v) of the origin, and those that readers keep of them,

    S(m, v) = E[ grad l(m; kept(v)) - grad l(v; z(v)) ] ,

where what a row adds to both cancels. Also, ``d/dv E_v grad l(a) = -E_v Hessian l(v)`` at a = v,
hence

    dS/dv = -E_v Hessian l(v) + d/dw E[ grad l(m; kept(w)) - grad l(v; z(w)) ]  at w = v .

The second term is a central difference over the very same random numbers. It is exactly 0 where
the reader is at v and keeps everything, so that a model which lives on its own output neither
settles nor explodes because of the simulation. A sampler is never differentiated: labels may be
discrete, and then differences over a wide step have little noise. Derived here.

Batches of rows give the error of all this. Each batch alone has a path of its own, and what a
prediction of all batches would be without one of them follows to first order
(:func:`without_each_batch`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.chains.selected import Drawn
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.faults import users_code
from mcjax.laws.first_order.drawn_covariates import drawn_covariates
from mcjax.laws.first_order.population import AnyOrigin, Matrix, Population, Score, Vector
from mcjax.laws.first_order.score_tests import BatchMeans, not_smallest
from mcjax.laws.first_order.simulated_rows import (
    Source,
    differences,
    mean_scores,
    rows_of,
    score_products,
)
from mcjax.laws.law import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.models.scores import SimulatedScores
from mcjax.study.study import Condition

BATCHES = 16
SEED = 0x1F2
"""The draws belong to the law and not to the simulation, so they never change."""
STEP = 0.05
"""Half of the distance of a difference, as a share of what one row tells of a parameter. The error
of a smooth function is of the order of its square; the noise of discrete labels falls like its
root."""
MOST_OF_ONE = 0.05
"""Largest share of one row in the sum of all squared scores. It is of the order of 1 where the
variance is infinite, however many rows there are."""
MOST_SIMULATED = 16
"""Most parameters: each needs two further samples for every feed and generation."""
FEWER = "give data.components, or fewer covariates"


def simulated(model: Model) -> tuple[Model, list[Model]]:
    """Return a model that states no moments of its score, with simulated ones.

    Returns
    -------
    model : Model
        With moments from all batches of rows.
    parts : list of Model
        With moments from one of the batches each.

    Raises
    ------
    Inapplicable
        If JAX has 64-bit numbers switched off.
    """
    check_precision()
    parts = [replace(model, scores=SimulatedScores(batch)) for batch in range(BATCHES)]
    return replace(model, scores=SimulatedScores(None)), parts


def check_precision() -> None:
    """Raise Inapplicable if JAX has 64-bit numbers switched off."""
    if not jax.config.read("jax_enable_x64"):
        raise Inapplicable(
            "moments of the score are simulated with 64-bit numbers; call"
            " jax.config.update('jax_enable_x64', True) first"
        )


def simulates(condition: Condition) -> bool:
    """Return whether moments of a score that states none are those of rows that are drawn.

    Otherwise they are tabulated over predictors. Tables have an edge, beyond which those of
    covariates that have no mean of 0 may lie.
    """
    return condition.model.predictor is None or not condition.centred


def too_many(condition: Condition) -> str:
    """Return why a model has too many parameters to be simulated, or an empty string."""
    name, parameters = condition.model.name, len(condition.theta)
    if parameters <= MOST_SIMULATED:
        return ""
    remedy = FEWER if not condition.centred else "write it as a loss of eta = x'theta"
    return (
        f"moments of the score are simulated there for up to {MOST_SIMULATED} parameters, but"
        f" {name} has {parameters}; {remedy}"
    )


def without_each_batch(whole: Prediction, parts: list[Prediction]) -> tuple[Prediction, ...]:
    """Return what a law predicts without each of the batches, from predictions of one batch each.

    To first order in what the draws move, the prediction without batch b is the prediction of all
    less ``1 / (K - 1)`` of what that of batch b has beyond the mean over all K.
    """

    def moved(field: str, batch: Prediction) -> Any:
        everything = getattr(whole, field)
        if everything is None:
            return None
        apart = getattr(batch, field) - np.mean([getattr(part, field) for part in parts], axis=0)
        return everything - apart / (len(parts) - 1)

    size = whole.mse.shape[1]
    with np.errstate(invalid="ignore"):  # growth is infinite where models explode
        return tuple(
            Prediction.of(
                moved("covariance", part),
                size,
                moved("mean", part),
                growth=moved("growth", part),
                limit=moved("limit", part),
                pooled=moved("pooled", part),
            )
            for part in parts
        )


class SimulatedPopulation(Population):
    """Rows of a model of which the loss and a sampler are known.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    model : Model
        The model; its ``scores`` say which batches of rows are drawn.
    keep : Selection, optional
        What readers keep; by default everything.
    """

    def __init__(self, origin: AnyOrigin, model: Model, keep: Any = None):
        super().__init__(origin)
        scores = model.scores
        assert isinstance(scores, SimulatedScores), "whoever simulates has set them"
        self._whole = scores.batch is None
        batches = np.arange(BATCHES) if scores.batch is None else np.array([scores.batch])
        self._real = origin.real and model.sample_real is not None  # otherwise one program for both
        keys = chain_keys(SEED, int(origin.real), batches)
        known = replace(model, params=origin.params, scores=None)
        self._source = Source(known, drawn_covariates(origin), keys, keep)
        self._keep = keep
        if keep is not None:
            self.kept = float(np.mean(self._rows.kept))

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        mean, by_reader = self._mean(self._rows, reader)
        return Score(mean.mean(0) - self._at_origin[0], by_reader.mean(0))

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        theta = self.origin.theta
        with own_settings(), users_code("loss", self._source.model.loss):
            found = differences(
                self._source,
                *map(jnp.asarray, (theta, reader, STEP * self._told)),
                real=self._real,
            )
        return np.asarray(found, float) - self._at_origin[1]

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        return self._products(self._rows, first, second)

    def _products(self, rows: Drawn, first: Vector, second: Vector) -> Matrix:
        with own_settings(), users_code("loss", self._source.model.loss):
            ends = map(jnp.asarray, (first, second))
            found = score_products(self._source.model, rows, *ends)
        a, b, product, largest = (np.asarray(part, float) for part in found)
        squares = np.einsum("bkk->k", product)
        if (
            self._whole
            and (first == second).all()
            and (largest.max(0) > MOST_OF_ONE * squares).any()
        ):
            raise Inapplicable(
                "the variance of the score, away from the truth, is that of a few of the rows that"
                " are drawn, so that it is infinite or not known"
            )
        return np.asarray(product.mean(0) - np.outer(a.mean(0), b.mean(0)))

    def _mean(self, rows: Drawn, reader: Vector) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean score of each batch and its slope, (B, p) and (B, p, p)."""
        with own_settings(), users_code("loss", self._source.model.loss):
            found = mean_scores(self._source.model, rows, jnp.asarray(reader))
        mean, slope = (np.asarray(part, float) for part in found)
        return mean, slope

    @cached_property
    def _every(self) -> Drawn:
        """The rows of the origin."""
        with own_settings(), users_code("sample", self._source.model.sample):
            source = self._source._replace(keep=None)
            return rows_of(source, jnp.asarray(self.origin.theta), real=self._real)

    @cached_property
    def _rows(self) -> Drawn:
        """The rows that readers keep."""
        if self._keep is None:
            return self._every
        with own_settings(), users_code("keep", self._keep):
            return rows_of(self._source, jnp.asarray(self.origin.theta), real=self._real)

    @cached_property
    def _at_origin(self) -> tuple[Vector, Matrix]:
        """The mean score of a reader at the origin, which is noise, and its slope."""
        scores, slopes = self._mean(self._every, self.origin.theta)
        if not (np.isfinite(scores).all() and np.isfinite(slopes).all()):
            raise Inapplicable(
                "the loss or its derivatives are not finite at some of the rows that are drawn on"
                " the path of the centres"
            )
        if self._whole:
            nothing = np.zeros(0)
            moments = BatchMeans(
                score=scores, outer=nothing, hessian=slopes, largest=nothing, finite=nothing
            )
            wrong = not_smallest(moments, self.origin.theta)
            if wrong:
                at = ", ".join(f"{value:.3g}" for value in self.origin.theta[:4])
                raise Inapplicable(f"away from the truth, for data generated at ({at}), {wrong}")
        return scores.mean(0), slopes.mean(0)

    @cached_property
    def _told(self) -> Vector:
        """Standard deviation of each parameter if estimated from one row, at most its size."""
        theta = self.origin.theta
        spread = np.sqrt(np.diagonal(self._products(self._every, theta, theta)))
        size = np.maximum(np.abs(theta), 1)
        with np.errstate(divide="ignore"):
            told = spread / np.abs(np.diagonal(self._at_origin[1]))
        return np.where(told > 0, np.minimum(told, size), size)
