"""Draw all labelled networks of three models: predictions of the collapse law against chains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from mcjax import api
from mcjax.figures.files import save
from mcjax.numbers import how_many
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.study.survey import Survey
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.equivalence import REFUTED
from mcjax.verdicts.quantities.collapse import BOUNDARY
from mcjax.verdicts.survey import SurveyVerdict

MODELS = 3
REGIMES = {False: ("settles", PALETTE[0], MARKERS[0]), True: ("collapses", PALETTE[1], MARKERS[1])}


def every_network(folder: Path, chains: int | None) -> list[Path]:
    """Draw simulated against predicted growth and limits of all models of all networks of three.

    A histogram shows how far apart the two regimes are.
    """
    survey = Survey(models=MODELS, chains=chains or 2560)
    pieces = [piece for _, piece in api.survey_pieces(survey)]
    verdict = api.judge_pieces(survey, pieces)
    with figure(1, 3, 2.7) as (fig, panels):
        _regimes(panels[0, 0], _cells(verdict, "collapse"))
        for axes, quantity in zip(panels[0, 1:], ("growth", "limit"), strict=True):
            _scatter(axes, _cells(verdict, quantity))
        fig.suptitle(
            f"{how_many(len(verdict.codes), 'network')} of {MODELS} linear models,"
            f" {how_many(survey.chains, 'chain')} each: {(verdict.networks == REFUTED).sum()}"
            " refuted",
            fontsize=9,
        )
        about = "Growth or limit of every model of all labelled networks of a few models"
        columns = {
            "condition": "number of the network, in binary who feeds whom and who reads real data",
            "collapses": "whether the law says so",
            "share": "growth over the late generations as a share of the error",
        }
        return save(fig, folder, "every-network", rows=_rows(verdict), about=about, columns=columns)


def _cells(verdict: SurveyVerdict, quantity: str) -> list[Cell]:
    return [cell for cell in verdict.cells if cell.quantity == quantity]


def _regimes(axes: Axes, cells: list[Cell]) -> None:
    """Draw a histogram of growth as a share of the level."""
    bins = np.linspace(-0.4, 1.3, 69).tolist()
    for collapses, (label, colour, _) in REGIMES.items():
        shares = [cell.empirical for cell in cells if bool(cell.predicted) == collapses]
        axes.hist(shares, bins, color=colour, label=label, alpha=0.8)
    axes.axvline(BOUNDARY, ymax=0.85, color="0.3", linestyle="--", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_title("growth as a share of the error")
    axes.set_xlabel("simulated")
    axes.set_ylabel("models")
    axes.set_ylim(top=4e4)  # room for the legend
    axes.legend(loc="upper right", ncols=2, columnspacing=1, handlelength=1)


def _scatter(axes: Axes, cells: list[Cell]) -> None:
    kind = cells[0].quantity == "growth"
    _, colour, marker = REGIMES[kind]
    observed, error, predicted = (
        1000 * np.array([getattr(cell, name) for cell in cells])
        for name in ("empirical", "standard_error", "predicted")
    )
    ends = np.array([predicted.min() * 0.7, predicted.max() * 1.4])
    axes.plot(ends, ends, color="0.3", linewidth=0.8)
    axes.errorbar(
        predicted,
        observed,
        1.96 * error,
        color=colour,
        marker=marker,
        markersize=1.5,
        linestyle="",
        elinewidth=0.3,
        alpha=0.4,
        rasterized=True,  # thousands of points; axes and text stay vectors
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = (0.05, 0.1, 0.2, 0.5, 1) if kind else (0.3, 0.5, 1, 2, 4)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_title(
        "1,000 \N{MULTIPLICATION SIGN} growth per generation"
        if kind
        else "1,000 \N{MULTIPLICATION SIGN} limit of the error"
    )
    axes.set_xlabel("by the law")
    axes.set_ylabel("simulated")


def _rows(verdict: SurveyVerdict) -> list[dict[str, Any]]:
    codes = {verdict.survey.name(int(code)): int(code) for code in verdict.codes}
    shares = {(c.condition, c.model): c.empirical for c in _cells(verdict, "collapse")}
    return [
        {"condition": codes[cell.condition], "model": int(cell.model)}
        | {"generation": cell.generation, "law": cell.law, "quantity": cell.quantity}
        | {"collapses": cell.quantity == "growth"}
        | {"share": f"{shares[cell.condition, cell.model]:.4g}"}
        | {n: f"{getattr(cell, n):.4g}" for n in ("empirical", "standard_error", "predicted")}
        for cell in verdict.cells
        if cell.quantity != "collapse"
    ]
