"""The law of second order: M-estimators on a network, to the order after the first.

First-order laws neglect terms of relative order 1/n, which for nonlinear models are several per
cent at 100 rows and compound from generation to generation. This law has them: the mean error to
order 1/n and all second moments to order ``1/n^2``. What it neglects is of relative order
``1/n^2``, and it says itself where that is not small (:mod:`mcjax.laws.second_order.validity`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from mcjax.estimators.penalty import Firth
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import collapse_origins, collapsing
from mcjax.laws.law import GROWING, STOPS, Inapplicable, Reason, altered
from mcjax.laws.prediction import Prediction, mean_squares
from mcjax.laws.second_order.checks import check_expansion
from mcjax.laws.second_order.full_moments import full_leverage, full_moments, full_radii
from mcjax.laws.second_order.moments import (
    ExpandedMoments,
    Generations,
    axis_of,
    expansions,
    generations_of,
    moments_of,
)
from mcjax.laws.second_order.radius import radii_of
from mcjax.laws.second_order.row_tensors import grid_for, noise_axes
from mcjax.laws.second_order.simulated_expansion import with_simulated_expansion
from mcjax.laws.second_order.simulated_tensors import simulated_tensors
from mcjax.laws.second_order.validity import leverage_of, validity_of
from mcjax.laws.validity import Radii, Validity
from mcjax.models.model import Model
from mcjax.models.scores import ScoreMoments
from mcjax.numbers import how_many
from mcjax.study.roots import covariance_root
from mcjax.study.study import Condition

MOST_ENTRIES, MOST_WITHOUT_THIRD = 150, 500
"""Most entries of the state, with third cumulants and without. These take tens of seconds."""
MOST_SIMULATED = 30
"""The same for models whose moments are simulated, because each batch has its own prediction."""
LARGEST = 3e7
"""Most numbers in the tensors of all fits of a generation, which are 240 MB."""
MOST_PARAMETERS = 4
"""Most parameters of a loss of theta as a whole, whose tensors have up to six axes."""


class SecondOrder:
    """Means to order 1/n and second moments to order ``1/n^2`` of the errors of M-estimators."""

    name = "second_order"
    reference = (
        "second-order expansion of M-estimators on a network, derived in"
        " mcjax.laws.second_order.recursion"
    )
    exact = False

    def applies(self, condition: Condition) -> Reason | None:
        """Return why the expansion does not hold, or None."""
        net, model = condition.network, condition.model
        vector = model.predictor is None and model.scores is None
        if model.covariates == 0 and not (vector and model.generative is None):
            return Reason("the law is for models of a linear predictor", obvious=True)
        if not condition.minimises:
            return STOPS
        if vector and len(condition.theta) > MOST_PARAMETERS:
            return Reason(
                f"{model.name} has {len(condition.theta)} parameters, and at most"
                f" {MOST_PARAMETERS} are feasible for a loss of theta as a whole; write its loss as"
                ' loss(eta, y), if it is one, and set its predictor to "linear"'
            )
        if model.scores is not None and not _has_expansion(model):
            return Reason(
                f"{model.name} does not state the derivatives of the moments of its score, which"
                " the law needs"
            )
        if not isinstance(model.penalty, Firth | None):
            return Reason("fits are penalised, which draws them away from the truth")
        if condition.design == "fixed":
            return Reason("designs are fixed, and the law is for rows that are drawn anew")
        if not net.memory.current_only:
            return Reason(f"memory is {net.memory.name!r}; the law is for fits to the last data")
        if net.later.exponent:
            return GROWING
        if any(source.theta is not None or source.shift is not None for source in net.sources):
            return Reason("real sources have truths of their own, and the law is for one truth")
        if (condition.sources.covariance != condition.covariance).any():
            return Reason("real sources have covariates of their own, and the law is for one")
        other = altered(condition)
        if other is not None:
            return other
        rows, p = _fewest_rows(condition), len(condition.theta)
        if rows <= p:
            return Reason(
                f"a fit has {how_many(rows, 'row')} for {how_many(p, 'parameter')}, too few"
                " for an expansion"
            )
        return None

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Predict the errors at generations 0 to T, and limits of models that do not collapse.

        Raises
        ------
        Inapplicable
            If the information is singular or not finite, the network is too large, or the
            correction exceeds the first-order law.
        """
        found = expansion(condition, generations)
        if not _semidefinite(found.covariance):
            raise Inapplicable(
                "corrections exceed the first-order law, so that no expansion describes the errors;"
                " give more samples"
            )
        return found


def corrections(condition: Condition, generations: int) -> Prediction | str:
    """Return the expansion of a condition, even where it describes no errors, or why there is none.

    It says how far errors may depart from the first-order law. Where its covariance is not one, its
    indicator is large.
    """
    reason = SecondOrder().applies(condition)
    if reason is not None:
        return reason.sentence
    try:
        return expansion(condition, generations)
    except Inapplicable as error:
        return str(error)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused
def expansion(condition: Condition, generations: int) -> Prediction:
    """Return the moments of the errors at generations 0 to T, to the order after the first.

    Raises
    ------
    Inapplicable
        If the information is singular or not finite, or the network is too large.
    """
    if condition.model.predictor is None:
        return _simulated(condition, generations)
    gamma = axis_of(condition).gamma
    if condition.model.scores is not None:
        rows = expansions(condition, grid_for(gamma), gamma)
        check_expansion(condition.model, rows[0], gamma)
        return _expanded(condition, generations)
    _check_size(condition, generations_of(condition, generations))
    known, *without = (
        _expanded(replace(condition, model=model), generations)
        for model in with_simulated_expansion(condition.model, gamma)
    )
    return _with_error(known, without)


def _with_error(known: Prediction, without: list[Prediction]) -> Prediction:
    """Return a prediction with its versions without one batch of draws each."""
    law = replace(known, versions=tuple(without))
    error, directed = law.error_of(
        lambda each: [_validity(each).indicator, _validity(each).directed]
    )
    validity = _validity(law)._replace(error=error, directed_error=directed)
    return _allowing(replace(law, validity=validity))


def _validity(law: Prediction) -> Validity:
    assert law.validity is not None, "the law states it"
    return law.validity


def _allowing(law: Prediction) -> Prediction:
    """Return a prediction with the allowance that its validity states."""
    assert law.leading is not None, "the law states it"
    return replace(law, allowance=_validity(law).remainder * law.leading.mse / law.mse)


def _expanded(condition: Condition, generations: int) -> Prediction:
    """Return the moments of the errors under a model that states its expansion."""
    p, gamma = len(condition.theta), axis_of(condition).gamma
    grid = grid_for(gamma)
    rows = expansions(condition, grid, gamma)
    stable, read = _stable(condition), _read(condition, generations)
    _check_size(condition, read)
    return _predicted(
        condition,
        generations,
        moments=moments_of(condition, read, stable),
        leverage=leverage_of(read, rows, grid, size=condition.network.size, p=p),
        radii=partial(radii_of, condition),
    )


def _simulated(condition: Condition, generations: int) -> Prediction:
    """Return the moments of the errors of a model of theta as a whole, by simulation."""
    size, read, stable = condition.network.size, _read(condition, generations), _stable(condition)
    _check_size(condition, read)
    root = covariance_root(condition.covariance)
    predictions = []
    for generated, real in zip(
        *simulated_tensors(condition.model, condition.theta, root), strict=True
    ):
        tensors = dict.fromkeys(range(size), generated)
        tensors |= {size + s: real for s in range(1 + len(condition.network.sources))}
        predictions.append(
            _predicted(
                condition,
                generations,
                moments=full_moments(condition, read, tensors, stable),
                leverage=full_leverage(read, tensors, size),
                radii=partial(full_radii, condition, read, tensors),
            )
        )
    return _with_error(predictions[0], predictions[1:])


def _read(condition: Condition, generations: int) -> Generations:
    """Return what generations 0 to T read, and those until feeds stay if models settle."""
    if _stable(condition) is not None:
        generations = max(generations, len(condition.network.later.generations))
    return generations_of(condition, generations)


def _predicted(
    condition: Condition,
    generations: int,
    moments: ExpandedMoments,
    leverage: Float[np.ndarray, "T+1 M"],
    radii: Callable[[], Radii | None],
) -> Prediction:
    """Return the prediction that consists of these moments; their limit is the last."""
    net = condition.network
    shown = moments.at(slice(generations + 1))
    covariance = shown.leading + shown.following
    covariance = (covariance + np.swapaxes(covariance, 1, 2)) / 2
    if not np.isfinite(covariance).all():
        raise Inapplicable("errors are too large for a number")
    validity = validity_of(shown, leverage[: generations + 1], _fewest_rows(condition), radii)
    limit = None
    if _stable(condition) is not None:
        end = moments.at(slice(-1, None))
        limit = mean_squares(end.leading + end.following, net.size, end.mean)[0]
    return _allowing(
        Prediction.of(
            covariance,
            net.size,
            shown.mean,
            limit=limit,
            validity=validity,
            leading=Prediction.of(shown.leading, net.size),
        )
    )


def _has_expansion(model: Model) -> bool:
    return isinstance(model.scores, ScoreMoments) and model.scores.expansion is not None


def _stable(condition: Condition) -> Bool[np.ndarray, " M"] | None:
    """Return which models settle, None if there is no long run or nothing settles."""
    net = condition.network
    if net.later.lasting is None:
        return None
    settled = net.settled
    stable = ~collapsing(data_flow(settled), collapse_origins(settled))
    return stable if stable.any() else None


def _fewest_rows(condition: Condition) -> int:
    """Return the rows of the smallest fit."""
    tables = (condition.network.first_by_reader, *condition.network.tables)
    return min(sum(f.samples for f in feeds) for table in tables for feeds in table if feeds)


def _check_size(condition: Condition, read: Generations) -> None:
    """Raise Inapplicable if the recursion would take too long, or hold too many numbers."""
    size, p = condition.network.size, len(condition.theta)
    p = p if condition.model.predictor is None else min(p, 3)
    noise, scores = noise_axes(p).size, condition.model.scores
    # targets bend unless the loss is of a difference, and in the noise of real data used again
    straight = isinstance(scores, ScoreMoments) and scores.location and not read.kept
    most = MOST_WITHOUT_THIRD if straight else MOST_ENTRIES
    most = MOST_SIMULATED if scores is None else most
    entries = size * p + len(read.kept) * noise
    if entries > most:
        raise Inapplicable(
            f"the network is too large: its state has {how_many(entries, 'entry')} ({p} for a"
            f" model, {noise}"
            f" for real data that are used again), and at most {most} are feasible"
        )
    for samples in read.samples:
        width = np.zeros(size)  # of the errors that each fit depends on
        for sample in samples:
            for i in sample.shares:
                width[i] += p if sample.origin < size else 0
                width[i] += noise if sample.kept is not None else 0
        pairs = {(i, k) for sample in samples for i in sample.shares for k in sample.shares}
        numbers = p * (width**3).sum()
        numbers += sum(p**2 * (width[i] + width[k]) ** 2 for i, k in pairs if i <= k)
        if numbers > LARGEST:
            raise Inapplicable(
                f"models read too many others: tensors would hold {numbers:.0e} numbers, and at"
                f" most {LARGEST:.0e} are feasible"
            )


def _semidefinite(covariance: Float[np.ndarray, "T+1 n n"]) -> bool:
    """Return whether matrices are positive semi-definite, up to rounding."""
    size = np.abs(covariance).max((1, 2), keepdims=True)
    try:
        np.linalg.cholesky(covariance + 1e-10 * size * np.eye(covariance.shape[1]))
    except np.linalg.LinAlgError:
        return False
    return True
