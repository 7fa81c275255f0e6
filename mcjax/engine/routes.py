"""Choice of the path on which the chains of a condition run, and the reason for it."""

from __future__ import annotations

from typing import NamedTuple

from mcjax.chains.fast import reason_against
from mcjax.chains.program import Path
from mcjax.engine.fine_tuning import fittings_of, predictors_of, solver_of
from mcjax.estimators.chord import fits_by_chords
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.newton import Newton
from mcjax.estimators.newton_rows import MOST
from mcjax.estimators.sufficient_statistics import SufficientStatistics
from mcjax.study.roots import whitener
from mcjax.study.settings import Solver
from mcjax.study.study import Condition, Study

OWN_COVARIATES = "models generate rows with covariates of their own"
FILES = "rows of data are drawn"
INTERCEPT = "the first covariate is an intercept"


class Route(NamedTuple):
    """Path on which the chains of a condition run.

    Attributes
    ----------
    path : Path
        The path on which they run.
    reason : str
        Why they cannot run on a faster path, or an empty string.
    """

    path: Path
    reason: str = ""


def estimator_of(condition: Condition, solver: Solver = "auto") -> Estimator:
    """Return the estimator that fits the models of a condition.

    Parameters
    ----------
    condition : Condition
        The condition.
    solver : {"auto", "newton", "lbfgs"}
        The study's choice for models without an estimator of their own.

    Returns
    -------
    Estimator
        The condition's estimator if it has one, of most models if they differ, otherwise the
        default for its model and memory.
    """
    model = condition.model
    if condition.chosen_estimator is not None:
        return fittings_of(condition)[0].later
    if model.statistics is not None and condition.network.memory.adds_up:
        return SufficientStatistics()  # sums of generations add up, so rows need not be drawn again
    return solver_of(condition, solver)


def route_of(condition: Condition, study: Study) -> Route:
    """Return how the chains of a condition run in a study, and why."""
    reason = _reason_for_rows(condition, study)
    if not reason:
        return Route(Path.STATISTICS)
    if condition.model.least_squares is None:
        reason = ""
    if study.path == "reference":
        return Route(Path.REFERENCE, "the study asks for the reference path")
    estimator = estimator_of(condition, study.solver)
    if _by_products(condition, estimator):
        return Route(Path.PRODUCTS, reason)
    if predictors_of(condition) and _by_newton(condition, estimator):
        return Route(Path.PREDICTORS, reason)
    against = reason_against(
        condition.model,
        len(condition.theta),
        estimator,
        condition.network.memory,
        selections=condition.network.selections,
    )
    if not against and condition.own_covariances is not None:
        against = OWN_COVARIATES
    if not against and condition.sources.from_files:
        against = FILES
    if not against and condition.intercept:
        against = INTERCEPT
    if not against and condition.starts is not None:
        against = "fits differ between models"
    if not against and not condition.network.plain:
        against = "there are several real sources, or weights by generation"
    return Route(Path.REFERENCE, against) if against else Route(Path.FAST, reason)


def _by_products(condition: Condition, estimator: Estimator) -> bool:
    """Return whether Newton fits of so many parameters are quicker by products of matrices."""
    if len(condition.theta) <= MOST or not fits_by_chords(condition.model):
        return False
    return _by_newton(condition, estimator)


def _by_newton(condition: Condition, estimator: Estimator) -> bool:
    """Return whether all fits are by Newton's method, with its limit of steps."""
    if condition.chosen_estimator is None:
        return estimator == Newton()
    return all(way.first == way.later == Newton() for way in fittings_of(condition))


def _reason_for_rows(condition: Condition, study: Study) -> str:
    """Return why chains must draw rows, or an empty string if sufficient statistics suffice."""
    net, squares = condition.network, condition.model.least_squares
    for reason, holds in (
        ("the model is not least squares with normal noise", not (squares and squares.normal)),
        ("the study asks for rows", study.sampling != "auto"),
        (
            "the condition or the model has an estimator of its own",
            condition.chosen_estimator is not None,
        ),
        ("designs are fixed", condition.design != "random"),
        ("there are several real sources, or weights by generation", not net.plain),
        ("readers keep selections of their feeds", bool(net.selections)),
        (OWN_COVARIATES, condition.own_covariances is not None),
        (FILES, condition.sources.from_files),
        (INTERCEPT, condition.intercept),
        ("fits use a pool of rows", not (net.memory.current_only or net.memory.adds_up)),
        (
            "covariates do not determine every parameter",
            not whitener(condition.covariance).any(),
        ),
    ):
        if holds:
            return reason
    return ""
