"""All laws on one condition."""

from __future__ import annotations

from mcjax.laws import finite_sample, first_order, fixed_design, simulated_moments
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.study.study import Condition

LAWS = {
    first_order.NAME: first_order.first_order,
    finite_sample.NAME: finite_sample.finite_sample,
    simulated_moments.NAME: simulated_moments.finite_sample_monte_carlo,
    fixed_design.NAME: fixed_design.fixed_design,
}


def predict_condition(condition: Condition, generations: int) -> Predictions:
    """Every law that applies, and why the others do not."""
    laws: dict[str, Prediction] = {}
    inapplicable: dict[str, str] = {}
    for name, law in LAWS.items():
        try:
            laws[name] = law(condition, generations)
        except Inapplicable as reason:
            inapplicable[name] = str(reason)
    return Predictions(laws, inapplicable)
