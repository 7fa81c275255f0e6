"""Check by draws at theta that the loss of a user's model is smallest there."""

from __future__ import annotations

from collections.abc import Callable

from mcjax.checks.case import Case
from mcjax.errors import InputError
from mcjax.faults import is_users
from mcjax.laws.first_order.monte_carlo_information import draw_moments, draw_slopes
from mcjax.laws.first_order.score_tests import (
    BatchMeans,
    infinite_variance,
    kinked,
    moves_of,
    no_slope,
    not_convex,
    not_finite,
    not_smallest,
)
from mcjax.study.roots import covariance_root

RARE = 1e-3
"""Share of rows without finite derivatives from which on few fits could do without them."""


def finite(case: Case) -> str | None:
    """Check that loss and derivatives are finite, but for rare rows."""

    def wrong(drawn: BatchMeans, _: bool) -> str:
        return not_finite(drawn) if drawn.finite.mean() < 1 - RARE else ""

    remedy = (
        "keep arguments of jnp.sqrt, jnp.log and divisions within their range, also in the branch"
        " of jnp.where that is not taken"
    )
    return _asked(case, wrong, remedy, "loss and derivatives are finite at theta")


def slope(case: Case) -> str | None:
    """Check that the loss has a derivative that is not zero everywhere."""
    remedy = (
        "jnp.round, jnp.sign, jnp.argmin, comparisons and stop_gradient have none; use a smooth"
        " function"
    )
    return _asked(
        case, lambda drawn, _: no_slope(drawn), remedy, "the derivative in theta is not zero"
    )


def gradient(case: Case) -> str | None:
    """Check that the mean gradient at theta is zero, as far as its variance tells."""

    def wrong(drawn: BatchMeans, _: bool) -> str:
        unknown = not_finite(drawn) or infinite_variance(drawn)
        return "" if unknown else not_smallest(drawn, case.condition.theta)

    remedy = (
        "sample at theta what the loss is fitted to, or give as theta what it aims at; only laws of"
        " your own can do without"
    )
    return _asked(case, wrong, remedy, "the mean gradient at theta is zero")


def curvature(case: Case) -> str | None:
    """Check that the mean loss curves upwards at theta in all directions."""
    if is_users(case.estimator):
        return None
    strength = float(case.model.shrinkage)

    def unknown(drawn: BatchMeans) -> str:
        return not_finite(drawn) or no_slope(drawn) or not_smallest(drawn, case.condition.theta)

    def kinks(drawn: BatchMeans, real: bool) -> str:
        theta = case.condition.theta
        if unknown(drawn) or infinite_variance(drawn):
            return ""
        moves = moves_of(drawn, theta)
        root = covariance_root(case.condition.covariance)
        return kinked(drawn, moves, draw_slopes(case.model, theta, root, real=real, moves=moves))

    def wrong(drawn: BatchMeans, _: bool) -> str:
        return "" if unknown(drawn) else not_convex(drawn, strength)

    remedy = (
        "it has kinks, as |y - x'theta| has, whose curvature derivatives do not show: use the"
        " family `quantile`, which mcjax.quantile makes, or a loss with a continuous slope, such as"
        " Huber's, without stop_gradient"
    )
    _asked(case, kinks, remedy, "")
    remedy = (
        "minimise a loss that has its only minimum there, such as a negative log-likelihood, with"
        " covariates that determine every parameter"
    )
    return _asked(case, wrong, remedy, "the mean Hessian at theta is positive definite")


def information(case: Case) -> str | None:
    """Check that the score has a variance, which laws need."""

    def wrong(drawn: BatchMeans, _: bool) -> str:
        return not_finite(drawn) or infinite_variance(drawn)

    remedy = (
        "the first-order law does not apply; bound the loss, as Huber's does, or sample lighter"
        " tails"
    )
    return _asked(case, wrong, remedy, "the score has a finite variance")


def _asked(
    case: Case, wrong: Callable[[BatchMeans, bool], str], remedy: str, good: str
) -> str | None:
    """Ask draws of real and of generated labels what is wrong."""
    if not case.functions or not case.condition.minimises:
        return None
    condition = case.condition
    root = covariance_root(condition.covariance)
    for real, name in ((False, "sample"), (True, "sample_real")):
        if real and case.model.sample_real is None:
            continue
        drawn = draw_moments(condition.model, condition.theta, root, real)
        problem = wrong(drawn, real)
        if problem:
            place = case.place("loss") or case.place(name)
            raise InputError("family.loss", f"under `{name}` {problem}{place}; {remedy}")
    return good
