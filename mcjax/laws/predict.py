"""Ask laws about conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.errors import InputError
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.law import Inapplicable, Law, Reason, reason_against
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.laws.registry import LAWS, ON_REQUEST, Laws, further_laws, is_built_in
from mcjax.laws.user import CheckedLaw
from mcjax.study.followed import followed
from mcjax.study.study import Condition


def predict_condition(
    condition: Condition, generations: int, more: Laws | None = None
) -> Predictions:
    """Return the predictions of every law that applies to a condition.

    Parameters
    ----------
    condition : Condition
        The condition.
    generations : int
        T.
    more : mapping of str to Law, or iterable of Law or str, optional
        A user's laws, and the names of built-in laws on request.

    Raises
    ------
    InputError
        If one of the user's laws fails or returns something else than a prediction.
    """
    laws: dict[str, Prediction] = {}
    functionals: dict[str, FunctionalPrediction] = {}
    inapplicable: dict[str, str] = {}
    further = further_laws(more)
    asked = {law.name: law for law in LAWS if law.name not in ON_REQUEST or law.name in further}
    asked |= {name: CheckedLaw(name, law) for name, law in further.items() if not is_built_in(law)}
    for name, law in asked.items():
        result = apply_law(law, condition, generations)
        if isinstance(result, Reason):
            if not result.obvious:
                inapplicable[name] = result.sentence
            continue
        if isinstance(result, Prediction):
            laws[name] = result
            if not result.functionals:
                continue
            versions = tuple(version.functionals for version in result.versions)
            result = FunctionalPrediction(
                name, result.reference, result.functionals, versions, exact=result.exact
            )
        functionals[name] = result
    if {"first_order", "second_order"} <= laws.keys():  # the same computation
        known = laws["second_order"]
        laws["first_order"] = replace(laws["first_order"], next_order=lambda: known)
    if condition.network.sources:
        views = views_of(condition)
        laws = {name: replace(law, views=views) for name, law in laws.items()}
    return Predictions(laws, inapplicable, functionals)


def apply_law(
    law: Law, condition: Condition, generations: int
) -> Prediction | FunctionalPrediction | Reason:
    """Return a law's prediction for one condition, or the reason why it does not apply."""
    condition = followed(condition, generations)
    reason = reason_against(law, condition)
    if reason is not None:
        return reason
    try:
        result = law.predict(condition, generations)
    except Inapplicable as error:
        return Reason(str(error))
    reference = result.reference or law.reference
    if isinstance(result, FunctionalPrediction):
        return replace(result, law=law.name, reference=reference, exact=law.exact)
    return replace(
        result,
        law=law.name,
        reference=reference,
        exact=law.exact,
        longer=partial(_longer, law, condition),
    )


def _longer(law: Law, condition: Condition, generations: int) -> Prediction | None:
    """Return a law's prediction for another number of generations, or None if it has none."""
    try:
        result = apply_law(law, condition, generations)
    except InputError:  # of a user's law, which may be for the study's generations alone
        return None
    return result if isinstance(result, Prediction) else None


class Applicability(NamedTuple):
    """One law, and for each condition the reason why it does not apply, or None if it does."""

    law: Law
    reasons: tuple[Reason | None, ...]


def applicability(conditions: Sequence[Condition]) -> list[Applicability]:
    """Return to which conditions each built-in law applies, as far as the conditions show it."""
    return [Applicability(law, tuple(reason_against(law, c) for c in conditions)) for law in LAWS]


def views_of(
    condition: Condition,
) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "M p p"]]:
    """Return the ``views`` of a prediction: what all models see, and what each sees in private."""
    return condition.covariance, private_covariances(condition)


def private_covariances(condition: Condition) -> Float[np.ndarray, "M p p"]:
    """Return the mean covariance of the covariates in each model's own real data, (M, p, p)."""
    net, result = condition.network, []
    public = {source.name for source in net.sources if source.public}
    later = net.tables if net.later.rows_vary else net.tables[-1:]
    for tables in zip(net.first_by_reader, *later, strict=True):
        private = [
            feed
            for feeds in tables
            for feed in feeds
            if feed.origin in net.source_index and feed.origin not in public
        ]
        covariances = [
            condition.sources.covariance[net.source_index[feed.origin]] for feed in private
        ]
        weights = [feed.samples for feed in private]
        result.append(
            np.average(covariances, axis=0, weights=weights) if private else condition.covariance
        )
    return np.array(result)
