"""Show predictions as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcjax.laws.prediction import Prediction, Predictions
from mcjax.laws.validity import ACCURATE, Validity
from mcjax.report.console import label, numbers, show_table
from mcjax.report.tables import show_inapplicable
from mcjax.study.study import Condition, Study
from mcjax.text import number

SHOWN_GENERATIONS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Generations of a table of predictions, beside the last."""
ROUNDING = 1e-12
"""Distance from the truth, over its length, up to which a centre is at it."""


def show_predictions(console: Console, study: Study, predictions: Sequence[Predictions]) -> None:
    """Print the predicted MSE of every model at a few generations, and its fate."""
    times = [t for t in SHOWN_GENERATIONS if t < study.generations] + [study.generations]
    headings = [f"t = {t}" for t in times]
    for condition, predicted in zip(study.conditions, predictions, strict=True):
        for name, law in predicted.laws.items():
            title = _title(condition, f"{name} ({law.kind}), predicted MSE")
            table = Table("model", *map(numbers, headings), "fate", title=title)
            for i, model in enumerate(condition.network.models):
                values = [number(law.mse[t, i]) for t in times]
                table.add_row(label(model), *values, law.fate(i))
            show_table(console, table)
            if law.validity is not None:
                _show_validity(console, condition, law, law.validity)
            known = not isinstance(law.small_samples, str)
            if known or not law.mse_complete:  # of errors around centres that leave the truth
                _show_centres(console, condition, law, times)
        for name, functionals in predicted.functionals.items():
            title = _title(condition, f"{name} ({functionals.kind}), predicted means")
            table = Table("functional", "model", *map(numbers, headings), title=title)
            for functional, means in functionals.values.items():
                for i, model in enumerate(condition.network.models):
                    means_shown = (number(means[t, i]) for t in times)
                    table.add_row(functional, label(model), *means_shown)
            show_table(console, table)
    show_inapplicable(
        console,
        {c.name: p.inapplicable for c, p in zip(study.conditions, predictions, strict=True)},
    )


def _show_validity(
    console: Console, condition: Condition, law: Prediction, validity: Validity
) -> None:
    """Print from which generation on a law does not trust itself, and how many rows make it do."""
    if law.law in validity.accurate_from(1.0):
        _show_accuracy(console, law.law, validity)
    if not validity.note:
        return
    outside = ~validity.judged
    models = [label(condition.network.models[i]).plain for i in np.flatnonzero(outside.any(0))]
    first = int(np.argmax(outside.any(1)))
    where = f"{', '.join(models)} from t = {first}"
    console.print(label(f"Not judged: {where}; {validity.note}"), style="dim", soft_wrap=True)


def _show_accuracy(console: Console, name: str, validity: Validity) -> None:
    """Print with how many rows laws are accurate, and whether errors explode with those given."""
    rough, fine = (validity.accurate_from(tolerance) for tolerance in ACCURATE)
    console.print(
        f"With {rough['first_order']:,} rows in the smallest fit, and all sample counts in"
        f" proportion, first_order is accurate to {ACCURATE[0]:.0%}; with"
        f" {fine[name]:,}, {name} to {ACCURATE[1]:.0%}.",
        style="dim",
        soft_wrap=True,
        highlight=False,
    )
    radii = validity.radii()
    if radii is not None and radii.explode:
        console.print(
            "With so few samples errors may explode: to second order, variances grow by a factor"
            f" {radii.second_order:.4g} every generation in the long run; to first order, by"
            f" {radii.first_order:.4g}.",
            style="dim",
            soft_wrap=True,
            highlight=False,
        )


def _show_centres(
    console: Console, condition: Condition, law: Prediction, times: Sequence[int]
) -> None:
    """Print how far centres are from the truth, and the variance and the bias around them."""
    if not law.mse_complete:
        console.print(
            "A term of the order of the variance is missing from these; judge bias and covariance.",
            style="dim",
        )
    known = law.small_samples
    away = np.linalg.norm(law.centre_errors, axis=-1)
    away[away <= ROUNDING * np.linalg.norm(condition.theta)] = 0.0
    rows = {
        "distance from the truth": away,
        "variance around the centre": np.trace(law.own_covariances, axis1=-2, axis2=-1),
    }
    if not isinstance(known, str):
        rows["bias of small samples"] = np.linalg.norm(known.mean, axis=-1)
    headings = [numbers(f"t = {t}") for t in times]
    table = Table("model", "predicted", *headings, title=_title(condition, "centres of estimates"))
    for i, model in enumerate(condition.network.models):
        for what, values in rows.items():
            table.add_row(label(model), what, *(number(values[t, i]) for t in times))
    show_table(console, table)


def _title(condition: Condition, text: str) -> Text:
    return label(f"{condition.name}: {text}" if condition.name else text)
