"""Homogenisation: how similar the errors of the models are at the last generation.

There are up to four claims about model i, where e_i is its error and E the mean over chains.

``spread``: ``E ||e_i - mean over models||^2``, as a ratio to the law's. In data-mediated
interaction with equal designs, its sum over models shrinks by ``(1 - alpha)^2`` per generation
(:mod:`mcjax.laws.mediated.interaction`).

``cosine``: the mean over the other models k of ``E e_i'G e_k / sqrt(E e_i'G e_i E e_k'G e_k)`` with
G = I. ``public_cosine``: the same for the errors of predictions, where G is the covariance of the
study's covariates. ``private_cosine``: the same where G is the covariance of the covariates in
model i's own real data. Each cosine must be within the tolerance of the law's. Its standard error
is that of the mean of its influence function, with ``m_ik = E e_i'G e_k`` and the cosine c,

    (e_i'G e_k - m_ik) / sqrt(m_ii m_kk) - c / 2 (e_i'G e_i / m_ii + e_k'G e_k / m_kk - 2) ,

over the chains whose errors are kept (:class:`mcjax.engine.outcome.Outcome`). Simulated errors are
seen through the covariates of the study, predicted ones through those that the law assumes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.laws.predict import views_of
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.verdicts.claims import Claim, mean_claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.estimates import Estimate, estimate_mean
from mcjax.verdicts.planning import NormalCells, SquareCells
from mcjax.verdicts.power import Amplification, Chance, mean_chances
from mcjax.verdicts.quadratic_forms import Contribution, contribution, cumulants_of_form
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.skewed_means import Tails
from mcjax.verdicts.tails import HEAVY, dominated

TOO_FEW_CHAINS = "fewer than 2 chains have an estimate of every model"
KINDS = {
    "spread": "observed / predicted",
    "cosine": "from the predicted cosine",
    "public_cosine": "from the predicted cosine",
    "private_cosine": "from the predicted cosine",
}
"""Units of intervals by the kind of claim."""
NO_COSINE = "the cosine is undefined, because an error is zero or not finite"


class Homogenisation(Quantity):
    """Claims about similarity: four for each model, or two if all see the same covariates."""

    name = "homogenisation"
    unit = "observed / predicted, or from the predicted cosine"
    of_squares = True
    of_all_models = True

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether there are several models to compare."""
        return prediction.mse.shape[1] > 1

    def silence(self, comparison: Comparison) -> str:
        """Return that there is nothing to compare, or an empty string."""
        return "" if self.speaks(comparison.prediction) else "there is no other model to compare"

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the unit of each kind of claim."""
        return KINDS

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that spreads and cosines at the last generation are the predicted ones."""
        prediction, last, tolerance = comparison.prediction, comparison.last, comparison.tolerance
        size = comparison.condition.network.size
        sample = outcome.sample[np.isfinite(outcome.sample).all((1, 2))].astype(float)
        count = count_chains(len(sample), len(outcome.sample), tolerance)
        if len(sample) < 2:
            # there is no mean and no spread; the note keeps these cells from being judged
            count = count.unless(TOO_FEW_CHAINS)
            sample = np.full((2, *outcome.sample.shape[1:]), math.nan)
        count = count.unless(HEAVY if dominated(outcome)[last].any() else "")
        second = second_moments(prediction)
        views = None if prediction.views is None else views_of(comparison.condition)
        allowance = _allowance(comparison)
        spread_error = prediction.error_of(lambda law: spread_of(second_moments(law)))
        for i in range(size):
            spread = spread_of(second)[i]
            yield comparison.ratio_claim(
                "spread",
                last,
                i,
                observed=estimate_mean(((sample[:, i] - sample.mean(1)) ** 2).sum(1)),
                predicted=Estimate(spread, spread_error[i]),
                count=count,
                tails=Tails.SQUARES,
                allowance=float(allowance[i, 0]),
            )
            by_name = metrics(prediction.views, prediction.p, i).items()
            for number, (name, metric) in enumerate(by_name, 1):
                cosine, influence = _cosine(sample, metrics(views, prediction.p, i)[name], i)
                expected = cosine_of(second, metric, i)
                law_error = float(prediction.error_of(partial(_predicted_cosine, metric, i)))
                observed = estimate_mean(influence)._replace(value=cosine)
                judged = observed.plus(-expected, law_error, len(prediction.versions))
                defined = math.isfinite(cosine + expected)
                yield mean_claim(
                    comparison.place(name, last, i),
                    observed=Estimate(cosine, judged.error),
                    predicted=expected,
                    judged=judged,
                    margin=(-tolerance, tolerance),
                    count=count if defined else count.unless(NO_COSINE),
                    allowance=float(allowance[i, number]),
                    tails=Tails.MEASURED,
                )

    def planned(self, comparison: Comparison) -> list[NormalCells]:
        """Plan a cell for each kind of claim and model."""
        prediction = comparison.prediction
        one, error = chain_contributions(prediction), _law_error(prediction)
        allowance = _allowance(comparison)
        cells: list[NormalCells] = []
        for k, name in enumerate(_kinds(prediction)):
            columns = one.spread[:, k], error[:, k], allowance[:, k]
            if name == "spread":
                skewness = np.nan_to_num(one.skewness[:, k])  # 0 where nothing varies
                cells.append(SquareCells(name, *columns, skewness, tails=Tails.SQUARES))
            else:
                cells.append(NormalCells(name, *columns, tails=Tails.MEASURED))
        return cells

    def chances(
        self,
        comparison: Comparison,
        truth: Prediction,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        prediction = comparison.prediction
        told, true = (_numbers(law, prediction) for law in (prediction, truth))
        one, error = chain_contributions(truth), _law_error(prediction)
        beyond = np.abs(true - told) - comparison.tolerance - _allowance(comparison)
        chances = []
        for k, name in enumerate(_kinds(prediction)):
            ratio = true[:, k] if name == "spread" else 1.0
            chances += mean_chances(
                level,
                beyond=beyond[:, k],
                side=np.sign(true - told)[:, k],
                spread=one.spread[:, k] * ratio,
                error=error[:, k] * ratio,
                skewness=one.skewness[:, k],
                kurtosis=one.kurtosis[:, k],
                tails=Tails.SQUARES if name == "spread" else Tails.MEASURED,
            )
        return chances


@np.errstate(all="ignore")  # a law may predict an error of 0
def _allowance(comparison: Comparison) -> Float[np.ndarray, "M k"]:
    """Return how far the k numbers of each model may depart because samples are finite."""
    prediction, base = comparison.prediction, comparison.base
    shape = base.mse.shape[1], len(_kinds(prediction))
    rule = np.broadcast_to(comparison.allowance[-1][:, None], shape)
    if comparison.finer is None:
        return rule
    # all models matter; a spread is the smaller a part of the errors, the more alike these are
    unknown = comparison.remainder[-1] * base.mse[-1]
    remainder = np.full(shape, comparison.remainder[-1].max())
    remainder[:, 0] = unknown.max() / spread_of(second_moments(base))
    return comparison.allowed(
        lambda law: _numbers(replace(law, views=prediction.views), base),
        remainder=remainder,
        otherwise=rule,
    )


def _law_error(prediction: Prediction) -> Float[np.ndarray, "M k"]:
    """Return the standard errors of a law's own numbers, in the units of their claims."""
    return prediction.error_of(
        lambda law: _numbers(replace(law, views=prediction.views), prediction)
    )


def _kinds(prediction: Prediction) -> list[str]:
    """Return the names of the k kinds of claim about every model."""
    return ["spread", *metrics(prediction.views, prediction.p, 0)]


def _numbers(law: Prediction, judged: Prediction) -> Float[np.ndarray, "M k"]:
    """Return what a law says of each claim; a spread is relative to that of the judged law."""
    second = second_moments(law)
    columns = [spread_of(second) / spread_of(second_moments(judged))]
    by_model = [metrics(law.views, law.p, i) for i in range(law.mse.shape[1])]
    for name in by_model[0]:
        columns.append(np.array([cosine_of(second, of[name], i) for i, of in enumerate(by_model)]))
    return np.stack(columns, axis=1)


def metrics(
    views: tuple[np.ndarray, np.ndarray] | None, p: int, model: int
) -> dict[str, Float[np.ndarray, "p p"]]:
    """Return the matrix G of each cosine of a model, by the name of the cosine."""
    by_name = {"cosine": np.eye(p)}
    if views is not None:
        public, private = views
        by_name |= {"public_cosine": public, "private_cosine": private[model]}
    return by_name


def second_moments(prediction: Prediction) -> Float[np.ndarray, "M M p p"]:
    """Return ``E e_i e_k'`` at the last generation, shape (M, M, p, p)."""
    size, p = prediction.mse.shape[1], prediction.p
    blocks = np.einsum("iakb->ikab", prediction.covariance[-1].reshape(size, p, size, p))
    mean = prediction.bias[-1]
    return blocks + mean[:, None, :, None] * mean[None, :, None, :]


def spread_of(second: Float[np.ndarray, "M M p p"]) -> Float[np.ndarray, " M"]:
    """Return ``E ||e_i - mean over models||^2`` from second moments (M, M, p, p), shape (M,)."""
    trace = np.einsum("ikaa->ik", second)
    return np.diagonal(trace) - 2 * trace.mean(1) + trace.mean()


def cosine_of(
    second: Float[np.ndarray, "M M p p"], metric: Float[np.ndarray, "p p"], model: int
) -> float:
    """Return the mean cosine of a model's error with those of the others, from second moments."""
    inner = np.einsum("ikab,ab->ik", second, metric)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = inner[model] / np.sqrt(inner[model, model] * np.diagonal(inner))
    return float(np.delete(cosines, model).mean())


def _predicted_cosine(
    metric: Float[np.ndarray, "p p"], model: int, prediction: Prediction
) -> float:
    return cosine_of(second_moments(prediction), metric, model)


def chain_contributions(prediction: Prediction) -> Contribution:
    """Return how one chain's contribution to each claim varies, shape (M, k)."""
    covariance, centre = prediction.covariance[-1], prediction.bias[-1].ravel()
    second = second_moments(prediction)
    found = []
    for i in range(len(second)):  # the forms of all models together take too much memory
        forms = _quadratic_forms(second, metrics(prediction.views, prediction.p, i), i)
        means = np.broadcast_to(centre, forms.shape[:-1])
        found.append(cumulants_of_form(covariance, means, forms))
    return contribution(np.stack(found, axis=1))


def _quadratic_forms(
    second: Float[np.ndarray, "M M p p"], by_name: Mapping[str, np.ndarray], i: int
) -> Float[np.ndarray, "k M*p M*p"]:
    """Return the matrix H of each quadratic form ``e'He`` of the stacked errors, for model i."""
    size, _, p, _ = second.shape
    unit = np.eye(size)[i]
    apart = np.outer(unit - 1 / size, unit - 1 / size)
    forms = [np.kron(apart, np.eye(p)) / spread_of(second)[i]]
    for metric in by_name.values():
        inner = np.einsum("ikab,ab->ik", second, metric)
        form = np.zeros((size, size))
        for k in set(range(size)) - {i}:
            scale = np.sqrt(inner[i, i] * inner[k, k])
            form[[i, k], [k, i]] += 0.5 / scale
            form[[i, k], [i, k]] -= inner[i, k] / scale / 2 / inner[[i, k], [i, k]]
        forms.append(np.kron(form / (size - 1), metric))
    return np.array(forms)


def _cosine(sample: np.ndarray, metric: np.ndarray, i: int) -> tuple[float, np.ndarray]:
    """Return a model's mean cosine, and each chain's influence on it, shape (C,).

    ``sample`` has shape (C, M, p).
    """
    products = np.einsum("ca,ab,ckb->ck", sample[:, i], metric, sample)
    squares = np.einsum("cka,ab,ckb->ck", sample, metric, sample)
    inner, size = products.mean(0), squares.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(size[i] * size)
        cosines = inner / scale
        influence = (products - inner) / scale - cosines / 2 * (
            squares[:, i : i + 1] / size[i] + squares / size - 2
        )
    return float(np.delete(cosines, i).mean()), np.delete(influence, i, 1).mean(1)


QUANTITY = Homogenisation()
