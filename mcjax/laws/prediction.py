"""The predictions of laws for one condition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.calls import explained
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.jackknife import jackknife_deviations, jackknife_error
from mcjax.laws.validity import SmallSampleBias, Validity
from mcjax.numbers import how_many
from mcjax.solvers.conditioning import scaled
from mcjax.summaries import Summarised, Summary, few
from mcjax.text import number

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SMALLEST = 1e-12
"""Variance in a direction, relative to the largest one, up to which there is none."""


@explained
@dataclass(frozen=True, repr=False)
class Prediction(Summarised):
    """Moments of the errors of M models with p parameters at generations 0 to T.

    :meth:`of` builds one from the covariance.

    Attributes
    ----------
    law : str
        Name of the law.
    reference : str
        Where the law comes from; empty for the law's own reference.
    exact : bool
        Whether the law holds at every sample size and without Monte Carlo error.
    covariance : ndarray, shape (T + 1, M p, M p)
        Covariance of the stacked errors.
    mse : ndarray, shape (T + 1, M)
        Mean squared errors ``E ||e||^2``.
    growth : ndarray, shape (M,)
        Slope of the MSE per generation for models that collapse, nan for others. It is infinite
        where second moments explode, that is, grow by a factor every generation.
    limit : ndarray, shape (M,)
        Limit of the MSE as t -> infinity for models that neither collapse nor explode, nan for
        others and where the law does not give it.
    mean : ndarray, shape (T + 1, M, p), optional
        Mean of each model's error. None for a law without bias, whose second moments are its
        covariances.
    asymptotic : bool
        Whether the law is a limit as sample counts grow, in which errors are normal.
    normal : bool
        Whether errors are exactly normal, at every sample size.
    allowance : ndarray or float
        For an expansion in 1/n, relative departures of second moments that are no evidence against
        it at these sample counts; it broadcasts to (T + 1, M). It is not used where ``finer`` is
        known.
    left_out : ndarray or float
        For an asymptotic law, the largest relative departure of second moments that is due to the
        end of the state space, which the law leaves out; it broadcasts to (T + 1, M). The law is
        judged where this is within the tolerance.
    mse_complete : bool
        Whether ``mse`` holds all terms of the order of the covariance. Where the mean error does
        not vanish as samples grow, there is another one, twice its product with the mean's own
        departure of order 1/n.
    small_samples : SmallSampleBias or str
        The part of ``mean`` that is of order 1/n, beside centres that are not the truth; otherwise
        why it is not known.
    pooled : float, optional
        MSE of the estimator that holds all real data of a generation, None if it is not known.
    views : tuple of ndarray, optional
        Covariances of the study's covariates, (p, p), and of those that each model sees in real
        data of its own, (M, p, p). None where these are the same.
    functionals : mapping of str to ndarray, shape (T + 1, M)
        Means of functionals of the estimates, by name, if the law predicts any.
    versions : tuple of Prediction
        For a law that simulates: what it predicts without each of the batches of its draws, see
        :mod:`mcjax.laws.jackknife`. They give the error of every number that is computed from the
        prediction. There are two or more, each with ``pooled`` and the functionals if the
        prediction has them. Empty for a law in closed form.
    credible : ndarray of bool or bool
        Where that error is credible; it broadcasts to (T + 1, M). It is not where the estimate
        depends on draws that are rarer than those that were made.
    longer : callable, optional
        Maps a number of generations to the law's prediction for them, or to None if there is none.
    validity : Validity, optional
        Where the law can be trusted, if it says so itself.
    leading : Prediction, optional
        For an expansion in 1/n: its terms of first order alone.
    next_order : callable, optional
        For an asymptotic law: returns the prediction of the next order in 1/n for the same
        condition, with its validity, or a sentence that says why there is none.

    Examples
    --------
    >>> import mcjax
    >>> import numpy as np
    >>> covariance = np.stack([(t + 1) * np.eye(2) / 100 for t in range(3)])
    >>> mcjax.Prediction.of(covariance, 1).mse[:, 0].tolist()
    [0.02, 0.04, 0.06]
    """

    law: str
    reference: str
    exact: bool
    covariance: Float[np.ndarray, "T+1 M*p M*p"]
    mse: Float[np.ndarray, "T+1 M"]
    growth: Float[np.ndarray, " M"]
    limit: Float[np.ndarray, " M"]
    mean: Float[np.ndarray, "T+1 M p"] | None = None
    asymptotic: bool = False
    normal: bool = False
    allowance: Float[np.ndarray, "#T+1 #M"] | float = 0.0
    left_out: Float[np.ndarray, "#T+1 #M"] | float = 0.0
    mse_complete: bool = True
    small_samples: SmallSampleBias | str = ""
    pooled: float | None = None
    views: tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "M p p"]] | None = None
    functionals: Mapping[str, Float[np.ndarray, "T+1 M"]] = field(default_factory=dict)
    versions: tuple[Prediction, ...] = ()
    credible: Bool[np.ndarray, "#T+1 #M"] | bool = True
    longer: Callable[[int], Prediction | None] | None = None
    validity: Validity | None = None
    leading: Prediction | None = None
    next_order: Callable[[], Prediction | str] | None = None

    def _summary(self) -> Summary:
        times, models = self.mse.shape
        title = f"Prediction by {self.law or 'a law'}: {how_many(models, 'model')}"
        last = times - 1
        rows = (
            (f"model {i}", f"mse {number(self.mse[last, i])} at generation {last}", self.fate(i))
            for i in range(models)
        )
        return Summary(f"{title}, {self.kind}", rows, models)

    @property
    def kind(self) -> str:
        """Kind of the law: ``exact`` or ``asymptotic``."""
        return "exact" if self.exact else "asymptotic"

    def fate(self, model: int) -> str:
        """Return what the law predicts for a model in the long run, as text."""
        if self.growth[model] == math.inf:
            return "explodes"
        if math.isfinite(self.growth[model]):
            return f"grows {number(self.growth[model], 3)}/gen."
        if math.isfinite(self.limit[model]):
            return f"settles at {number(self.limit[model], 3)}"
        return "no long-run prediction"

    @classmethod
    def of(
        cls,
        covariance: Float[np.ndarray, "T+1 M*p M*p"],
        models: int,
        mean: Float[np.ndarray, "T+1 M p"] | None = None,
        *,
        mse: Float[np.ndarray, "T+1 M"] | None = None,
        growth: Float[np.ndarray, " M"] | None = None,
        limit: Float[np.ndarray, " M"] | None = None,
        asymptotic: bool = False,
        normal: bool = False,
        allowance: Float[np.ndarray, "#T+1 #M"] | float = 0.0,
        mse_complete: bool = True,
        pooled: float | None = None,
        functionals: Mapping[str, Float[np.ndarray, "T+1 M"]] | None = None,
        versions: Sequence[Prediction] = (),
        credible: Bool[np.ndarray, "#T+1 #M"] | bool = True,
        validity: Validity | None = None,
        leading: Prediction | None = None,
        reference: str = "",
    ) -> Prediction:
        """Build a prediction from the covariance, filling in whatever follows from it.

        Parameters
        ----------
        covariance : ndarray, shape (T + 1, M p, M p)
            Covariance of the stacked errors.
        models : int
            M.
        mean : ndarray, shape (T + 1, M, p), optional
            Mean of the errors; defaults to no bias.
        mse : ndarray, shape (T + 1, M), optional
            Defaults to the trace of each model's covariance plus its squared mean.
        growth, limit : ndarray, shape (M,), optional
            Default to nan, which says nothing about the long run.
        asymptotic, normal, allowance, mse_complete, pooled, functionals : optional
            See :class:`Prediction`.
        versions, credible, validity, leading, reference : optional
            See :class:`Prediction`.
        """
        if mse is None:
            mse = mean_squares(covariance, models, mean)
        nothing = np.full(models, np.nan)
        return cls(
            law="",
            reference=reference,
            exact=False,
            covariance=covariance,
            mse=mse,
            growth=nothing if growth is None else growth,
            limit=nothing if limit is None else limit,
            mean=mean,
            asymptotic=asymptotic,
            normal=normal,
            allowance=allowance,
            mse_complete=mse_complete,
            pooled=pooled,
            functionals=functionals or {},
            versions=tuple(versions),
            credible=credible,
            validity=validity,
            leading=leading,
        )

    def error_of(self, number: Callable[[Prediction], Any]) -> Float[np.ndarray, "*shape"]:
        """Return the standard error of a number, or of an array, over the draws of the law.

        ``number`` computes it from a prediction. The error is 0 for a law in closed form, and
        infinite where the number is not finite in all versions.
        """
        if not self.versions:
            return np.zeros(np.shape(number(self)))
        error = jackknife_error(np.array([number(version) for version in self.versions], float))
        return np.where(np.isnan(error), np.inf, error)

    def deviations(self, number: Callable[[Prediction], Any]) -> Float[np.ndarray, " K *shape"]:
        """Return the deviations of a number over the draws of the law.

        Products of the deviations of two numbers, summed over K, are their covariance; K is 0 for a
        law in closed form. See :func:`mcjax.laws.jackknife.jackknife_deviations`.
        """
        if not self.versions:
            return np.zeros((0, *np.shape(number(self))))
        return jackknife_deviations(np.array([number(version) for version in self.versions], float))

    @cached_property
    def standard_error(self) -> Float[np.ndarray, "T+1 M"]:
        """Standard errors of the mean squared errors over the draws of the law."""
        return self.error_of(lambda law: law.mse)

    @cached_property
    def finer(self) -> Prediction | str:
        """The prediction that tells how far finite samples depart from this one.

        It is the next order's, or the law itself if it states its own validity. A sentence says why
        there is none; it is empty for a law that has none by nature.
        """
        if self.validity is not None:
            return self
        return "" if self.next_order is None else self.next_order()

    @property
    def p(self) -> int:
        """Number of parameters of each model."""
        return int(self.covariance.shape[1] // self.mse.shape[1])

    @property
    def bias(self) -> Float[np.ndarray, "T+1 M p"]:
        """Mean of each model's error, zero for a law without bias."""
        return np.zeros((*self.mse.shape, self.p)) if self.mean is None else self.mean

    @property
    def centre_errors(self) -> Float[np.ndarray, "T+1 M p"]:
        """Mean of each model's error, less its part of order 1/n where that is known apart."""
        known = self.small_samples
        return self.bias if isinstance(known, str) else self.bias - known.mean

    @property
    def own_covariances(self) -> Float[np.ndarray, "T+1 M p p"]:
        """Covariance of each model's own errors."""
        times, models = self.mse.shape
        blocks = self.covariance.reshape(times, models, self.p, models, self.p)
        return np.asarray(np.einsum("tiaib->tiab", blocks))

    @property
    def rank(self) -> Int[np.ndarray, "T+1 M"]:
        """Rank of each model's covariance, with a unit diagonal; p where it is not finite."""
        blocks = self.own_covariances
        finite = np.isfinite(blocks).all((-2, -1))
        safe = np.where(finite[..., None, None], blocks, np.eye(self.p))
        values = np.linalg.eigvalsh(scaled(safe))
        return np.asarray((values > SMALLEST * values[..., -1:]).sum(-1))

    @property
    def relative_error(self) -> Float[np.ndarray, "T+1 M"]:
        """Standard errors of the mean squared errors over these."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a law may predict an error of 0
            return np.asarray(self.standard_error / self.mse)

    @property
    def relative_spread(self) -> Float[np.ndarray, "T+1 M"]:
        """Standard deviation of one chain's ``||e||^2`` over its mean, for normal errors.

        For ``e ~ N(m, C)`` the variance of ``||e||^2`` is ``2 tr(C^2) + 4 m'Cm``.
        """
        blocks = self.own_covariances
        variance = 2 * np.einsum("tiab,tiab->ti", blocks, blocks)
        if self.mean is not None:
            variance += 4 * np.einsum("tia,tiab,tib->ti", self.mean, blocks, self.mean)
        return np.asarray(np.sqrt(variance) / self.mse)


def mean_squares(
    covariance: Float[np.ndarray, "*T M*p M*p"],
    models: int,
    mean: Float[np.ndarray, "*T M p"] | None = None,
) -> Float[np.ndarray, "*T M"]:
    """Return ``E ||e||^2`` of each of M models, from the covariance and the mean of the errors.

    Without a mean there is no bias.
    """
    diagonal = np.diagonal(covariance, axis1=-2, axis2=-1)
    squares = diagonal.reshape(*diagonal.shape[:-1], models, -1)
    with np.errstate(over="ignore"):  # infinite where an explosion leaves the range of numbers
        mse: np.ndarray = (squares if mean is None else squares + mean**2).sum(-1)
    return mse


@dataclass(frozen=True, repr=False)
class Predictions(Summarised):
    """The predictions of all laws for one condition.

    Attributes
    ----------
    laws : dict of str to Prediction
        Laws of the errors that apply, by name.
    inapplicable : dict of str to str
        Why other laws do not apply, by name; laws that nobody would look for are left out.
    functionals : dict of str to FunctionalPrediction
        Laws of functionals that apply, by name.
    """

    laws: dict[str, Prediction]
    inapplicable: dict[str, str]
    functionals: dict[str, FunctionalPrediction] = field(default_factory=dict)

    def _summary(self) -> Summary:
        rows = [(name, law.kind, _ends(law)) for name, law in self.laws.items()]
        rows += [
            (name, "functionals", few(law.values, len(law.values)))
            for name, law in self.functionals.items()
        ]
        rows += [(name, "does not apply", reason) for name, reason in self.inapplicable.items()]
        applying = len({*self.laws, *self.functionals})
        return Summary(f"Predictions of {how_many(applying, 'law')}", rows, len(rows), "law")


def _ends(law: Prediction) -> str:
    """Return the last mean squared errors of the first models, as text."""
    last = law.mse[-1]
    shares = few((number(value) for value in last), len(last))
    return f"mse at generation {len(law.mse) - 1}: {shares}"
