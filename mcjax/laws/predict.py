"""All laws on one condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mcjax.estimators.minimum_norm import MinimumNorm
from mcjax.laws import (
    extinction,
    finite_sample,
    first_order,
    fixed_design,
    generative,
    lineage,
    minimum_norm,
    simulated_moments,
)
from mcjax.laws.design_moments import POOLED, unusual_feeds
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import FunctionalPrediction, Prediction, Predictions
from mcjax.laws.user import Law
from mcjax.study.study import Condition

LAWS: dict[str, Law] = {
    first_order.NAME: first_order.first_order,
    finite_sample.NAME: finite_sample.finite_sample,
    simulated_moments.NAME: simulated_moments.finite_sample_monte_carlo,
    fixed_design.NAME: fixed_design.fixed_design,
    minimum_norm.NAME: minimum_norm.minimum_norm,
    generative.NAME: generative.generative,
}

STOPS = "the estimator does not minimise the loss, and the law is of estimates that do"
FunctionalLaw = Callable[[Condition, int], FunctionalPrediction]
_CLASSES: dict[str, FunctionalLaw] = {
    generative.NAME: generative.heterozygosity,
    extinction.NAME: extinction.wright_fisher,
}
FUNCTIONAL_LAWS: dict[str, dict[str, FunctionalLaw]] = {
    "gaussian": {generative.NAME: generative.gaussian_moments, lineage.NAME: lineage.lineage},
    "categorical": _CLASSES,
    "bernoulli": _CLASSES,
    "poisson_mean": {extinction.NAME: extinction.poisson_extinction},
}
"""Of functionals, by the family that has them."""


def predict_condition(
    condition: Condition, generations: int, more: Mapping[str, Law] | None = None
) -> Predictions:
    """Every law that applies, ``more`` of the user's own, and why others do not that might be
    looked for."""
    laws: dict[str, Prediction] = {}
    inapplicable: dict[str, str] = {}
    for name in _candidates(condition):
        if not condition.minimises:
            inapplicable[name] = STOPS
            continue
        try:
            laws[name] = LAWS[name](condition, generations)
        except Inapplicable as reason:
            inapplicable[name] = str(reason)
    for name, law in (more or {}).items():
        laws[name] = law(condition, generations)
    functionals: dict[str, FunctionalPrediction] = {}
    for name, of in FUNCTIONAL_LAWS.get(condition.model.name, {}).items():
        if not condition.model.functionals:  # a user's family of that name
            break
        try:
            functionals[name] = of(condition, generations)
        except Inapplicable as reason:
            inapplicable[name] = str(reason)
    if condition.network.sources:
        views = condition.covariance, private_covariances(condition)
        laws = {name: replace(law, views=views) for name, law in laws.items()}
    return Predictions(laws, inapplicable, functionals)


def private_covariances(condition: Condition) -> np.ndarray:
    """Mean covariance of the covariates in each model's own real data, (M, p, p)."""
    net, found = condition.network, []
    public = {source.name for source in net.sources if source.public}
    for feeds in zip(net.first_by_reader, net.feeds_by_reader, strict=True):
        own = [f for part in feeds for f in part if f.origin in net.source_index]
        own = [feed for feed in own if feed.origin not in public]
        covariances = [condition.sources.covariance[net.source_index[f.origin]] for f in own]
        weights = [feed.samples for feed in own]
        found.append(
            np.average(covariances, axis=0, weights=weights) if own else condition.covariance
        )
    return np.array(found)


def _candidates(condition: Condition) -> list[str]:
    """The first-order law, and those for every sample size which designs and family call for."""
    if condition.model.covariates == 0:
        moments = condition.model.name != "gaussian"
        return [first_order.NAME, *([generative.NAME] if moments else [])]
    found = [first_order.NAME, finite_sample.NAME]
    if condition.model.estimator == MinimumNorm():
        found.append(minimum_norm.NAME)
    if condition.design == "fixed":
        return [*found, fixed_design.NAME]
    reason = unusual_feeds(condition.network)
    if condition.model.least_squares is not None and reason not in ("", POOLED):
        found.append(simulated_moments.NAME)
    return found
