"""All laws on one condition."""

from __future__ import annotations

from collections.abc import Mapping

from mcjax.laws import finite_sample, first_order, fixed_design, simulated_moments
from mcjax.laws.design_moments import POOLED, unusual_feeds
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.laws.user import Law
from mcjax.study.study import Condition

LAWS: dict[str, Law] = {
    first_order.NAME: first_order.first_order,
    finite_sample.NAME: finite_sample.finite_sample,
    simulated_moments.NAME: simulated_moments.finite_sample_monte_carlo,
    fixed_design.NAME: fixed_design.fixed_design,
}


def predict_condition(
    condition: Condition, generations: int, more: Mapping[str, Law] | None = None
) -> Predictions:
    """Every law that applies, ``more`` of the user's own, and why others do not that might be
    looked for."""
    laws: dict[str, Prediction] = {}
    inapplicable: dict[str, str] = {}
    for name in _candidates(condition):
        try:
            laws[name] = LAWS[name](condition, generations)
        except Inapplicable as reason:
            inapplicable[name] = str(reason)
    for name, law in (more or {}).items():
        laws[name] = law(condition, generations)
    return Predictions(laws, inapplicable)


def _candidates(condition: Condition) -> list[str]:
    """The first-order law, and that for every sample size which the designs call for."""
    if condition.design == "fixed":
        return [first_order.NAME, finite_sample.NAME, fixed_design.NAME]
    found = [first_order.NAME, finite_sample.NAME]
    reason = unusual_feeds(condition.network)
    if condition.family.noise_variances is not None and reason not in ("", POOLED):
        found.append(simulated_moments.NAME)
    return found
