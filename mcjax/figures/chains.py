"""Compare mean and variance of simulated estimates with those of the first-order law."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.laws.prediction import Prediction
from mcjax.study.study import Condition, Study

LAW = "first_order"
COLUMNS = {
    "quantity": "mean: of estimates; variance: trace of their covariance, times the rows of a fit;"
    " mse: mean squared error",
}
"""Descriptions of columns for :func:`mcjax.figures.files.save`."""


class Series(NamedTuple):
    """One number by generation.

    Attributes
    ----------
    condition, model : str
        Of whom.
    quantity : str
        What the number is.
    observed, error, predicted : ndarray, shape (T + 1,)
        The number from chains, its standard error, and the number by the law.
    """

    condition: str
    model: str
    quantity: str
    observed: Float[np.ndarray, " T+1"]
    error: Float[np.ndarray, " T+1"]
    predicted: Float[np.ndarray, " T+1"]

    def until(self, end: int) -> Series:
        """Return the series of the generations before one."""
        return self._replace(
            observed=self.observed[:end], error=self.error[:end], predicted=self.predicted[:end]
        )


class Estimates(NamedTuple):
    """The estimates of the first model of a condition.

    Attributes
    ----------
    name, model : str
        Of the condition and of the model.
    theta : ndarray, shape (C, T + 1, p)
        Estimates of the chains that have one in every generation.
    centre : ndarray, shape (T + 1, p)
        Their mean by the law.
    covariance : ndarray, shape (T + 1, p, p)
        Their covariance by the law.
    truth : ndarray, shape (p,)
        What they estimate.
    """

    name: str
    model: str
    theta: Float[np.ndarray, "C T+1 p"]
    centre: Float[np.ndarray, "T+1 p"]
    covariance: Float[np.ndarray, "T+1 p p"]
    truth: Float[np.ndarray, " p"]

    def mean(self, k: int = 0) -> Series:
        """Return the mean of a parameter."""
        values = self.theta[:, :, k]
        error = values.std(0, ddof=1) / np.sqrt(len(values))
        name = "mean" if len(self.truth) == 1 else f"mean {k + 1}"
        return self._series(name, observed=values.mean(0), error=error, predicted=self.centre[:, k])

    def variance(self, rows: int) -> Series:
        """Return the trace of the covariance, times the rows of a fit."""
        away = ((self.theta - self.theta.mean(0)) ** 2).sum(-1)
        count = len(away)
        error = rows * away.std(0, ddof=1) / np.sqrt(count)
        trace = rows * np.trace(self.covariance, axis1=-2, axis2=-1)
        observed = rows * away.sum(0) / (count - 1)
        return self._series("variance", observed=observed, error=error, predicted=trace)

    def variance_of(self, k: int, rows: int) -> Series:
        """Return the variance of a parameter, times the rows of a fit."""
        away = (self.theta[:, :, k] - self.theta[:, :, k].mean(0)) ** 2
        count = len(away)
        return self._series(
            f"variance {k + 1}",
            observed=rows * away.sum(0) / (count - 1),
            error=rows * away.std(0, ddof=1) / np.sqrt(count),
            predicted=rows * self.covariance[:, k, k],
        )

    def mean_square(self) -> Series:
        """Return the mean squared error."""
        squares = ((self.theta - self.truth) ** 2).sum(-1)
        error = squares.std(0, ddof=1) / np.sqrt(len(squares))
        spread = np.trace(self.covariance, axis1=-2, axis2=-1)
        law = ((self.centre - self.truth) ** 2).sum(-1) + spread
        return self._series("mse", observed=squares.mean(0), error=error, predicted=law)

    def _series(self, quantity: str, **numbers: np.ndarray) -> Series:
        return Series(condition=self.name, model=self.model, quantity=quantity, **numbers)


def estimates(conditions: Sequence[Condition], generations: int, chains: int) -> list[Estimates]:
    """Simulate conditions, and predict their estimates by the first-order law."""
    study = Study(tuple(conditions), generations, chains)
    compiled = compile_study(study)
    parts: list[list[np.ndarray]] = [[] for _ in conditions]
    for program in compiled.programs:
        for place, trajectory in compiled.trajectories(program, range(chains)):
            parts[place].append(trajectory.theta[:, :, 0])
    found = []
    for one, part, laws in zip(conditions, parts, api.predict(study), strict=True):
        theta = np.concatenate(part)
        law: Prediction = laws.laws[LAW]
        found.append(
            Estimates(
                name=one.name,
                model=one.network.models[0],
                theta=theta[np.isfinite(theta).all((1, 2))],
                centre=law.centre_errors[:, 0] + one.theta,
                covariance=law.own_covariances[:, 0],
                truth=one.theta,
            )
        )
    return found


def draw(axes: Axes, series: Series, colour: str, marker: str = "o") -> None:
    """Draw the law as a line, and what chains say as points with bars of 95%."""
    at = np.arange(len(series.observed))
    axes.plot(at, series.predicted, color=colour, linewidth=1.2, zorder=2)
    axes.errorbar(
        at,
        series.observed,
        1.96 * series.error,
        fmt=marker,
        color=colour,
        markersize=3.2,
        elinewidth=0.9,
        zorder=3,
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def label(axes: Axes, series: Series, text: str, colour: str) -> None:
    """Write a text beside the end of a line."""
    end = len(series.predicted) - 1, series.predicted[-1]
    how: Any = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
    axes.annotate(text, end, (6, 0), color=colour, **how)


def key(axes: Axes, *more: Line2D, law: str = "first-order law", **how: Any) -> None:
    """Draw a legend for points and lines, and for ``more`` lines, which have labels."""
    points = Line2D([], [], color="0.3", marker="o", linestyle="", markersize=3.2)
    points.set_label("simulated, 95% bars")
    line = Line2D([], [], color="0.3", linewidth=1.2, label=law)
    axes.legend(handles=[points, line, *more], **how)


def rows(panel: str, series: Series) -> Iterator[dict[str, Any]]:
    """Return a row of the table for each generation."""
    for t, (observed, error, predicted) in enumerate(
        zip(series.observed, series.error, series.predicted, strict=True)
    ):
        yield {
            "panel": panel,
            "condition": series.condition,
            "model": series.model,
            "generation": t,
            "law": LAW,
            "quantity": series.quantity,
            "empirical": observed,
            "standard_error": error,
            "predicted": predicted,
        }
