"""Check what a model states about its score before the law relies on it.

Derivations by hand go wrong, and automatic differentiation goes wrong in two ways without a
warning: through a sampler of discrete labels it gives 0, and at a kink of the loss it misses a
point mass. Both are found by comparing the stated expansion with the moments that the model states
as well.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model
from mcjax.models.score_expansion import ScoreExpansion, inconsistent_order
from mcjax.models.scores import ScoreMoments

STEP = 1e-3
"""Step of differences, relative to the scale of the moments."""
CLOSE = 1e-3
"""Largest departure of an expansion from differences, relative to its largest term."""


def check_expansion(model: Model, expansion: ScoreExpansion, gamma: float) -> None:
    """Check the expansion of a model's score.

    Parameters
    ----------
    model : Model
        The model, with its moments.
    expansion : ScoreExpansion
        Its expansion, for data that models generate, at many predictors.
    gamma : float
        Standard deviation of the predictors.

    Raises
    ------
    Inapplicable
        If the score does not vanish on average along the truth, or the expansion is not that of
        the moments.
    """
    scores = model.scores
    assert isinstance(scores, ScoreMoments), "the law has asked"
    assert scores.expansion is not None, "the law has asked"
    order = inconsistent_order(expansion)
    if order is not None:
        raise Inapplicable(
            f"the expansion of {model.name} is inconsistent at order {order}: the mean score at the"
            " truth does not stay 0 as the truth moves"
        )
    scale = 1.0 if scores.scale is None else float(model.params[scores.scale])
    for real in (False, True):
        eta = gamma * np.array([-1.0, 0.0, 0.7])
        wrong = _differs(model, eta, step=scale * STEP, real=real)
        if wrong:
            raise Inapplicable(
                f"the expansion of {model.name} is not that of its moments: {wrong} differs; at a"
                " kink of the loss, differentiate the expectation and not the loss"
            )


def _differs(model: Model, eta: np.ndarray, step: float, real: bool) -> str:
    """Return which derivative differs from a difference of moments, or an empty string."""
    scores = model.scores
    assert isinstance(scores, ScoreMoments), "the law has asked"
    assert scores.expansion is not None, "the law has asked"
    expansion = scores.expansion(model.params, eta, real)

    def slope(reader: float, parent: float) -> np.ndarray:
        at = eta + reader, eta + parent
        return scores.mean(model.params, *at, real).by_reader

    def product(first: float, second: float, parent: float) -> np.ndarray:
        readers = eta + first, eta + second
        return scores.product(model.params, readers, eta + parent, real)

    def differences(h: float) -> dict[str, np.ndarray]:
        """Return differences of the moments with the step h."""
        ways = [(1, 1), (-2, 0), (1, -1)]
        return {
            "the second derivative of E r1": (slope(h, 0) - slope(-h, 0)) / (2 * h),
            "the third derivative of E r1": _sum(w * slope(at * h, 0) for w, at in ways) / h**2,
            "E r3 r1": _sum(w * product(at * h, 0, 0) for w, at in ways) / h**2,
            "E r2^2": _sum(a * b * product(a * h, b * h, 0) for a in (1, -1) for b in (1, -1))
            / (4 * h**2),
            "the curvature of E r1^2 in the parent": _sum(
                w * product(0, 0, at * h) for w, at in ways
            )
            / h**2,
        }

    stated = {
        "E r2": expansion.mean_term(1, 0),
        "E r1^2": expansion.product_term(0, 0, 0),
        "the second derivative of E r1": expansion.mean_term(2, 0),
        "the third derivative of E r1": expansion.mean_term(3, 0),
        "E r3 r1": expansion.product_term(2, 0, 0),
        "E r2^2": expansion.product_term(1, 1, 0),
        "the curvature of E r1^2 in the parent": expansion.product_term(0, 0, 2),
    }
    far, near = differences(step), differences(step / 2)
    # a jump of a third derivative, as at a kink of a loss, adds a term in proportion to the step
    seen = {name: 2 * near[name] - far[name] for name in far}
    seen |= {"E r2": slope(0, 0), "E r1^2": product(0, 0, 0)}
    size = max(float(np.abs(np.asarray(value, float)).max()) for value in stated.values())
    for name, value in stated.items():
        if np.abs(seen[name] - value).max() > CLOSE * size:
            return name
    return ""


def _sum(terms: Iterable[np.ndarray]) -> np.ndarray:
    return np.sum(list(terms), axis=0)
