"""Judged results as labelled arrays: an xarray Dataset.

The dimensions are condition, generation, model, quantity and law, and also parameter for simulated
means. Models that a condition does not have, and places without a cell, hold nan or an empty text.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.arguments import checked
from mcjax.engine.environment import environment
from mcjax.engine.outcome import Outcome
from mcjax.engine.routes import route_of
from mcjax.errors import InputError
from mcjax.laws.prediction import Predictions
from mcjax.study.identity import identity
from mcjax.study.quantities import name_of
from mcjax.study.study import Condition, Study
from mcjax.verdicts.frames import cell_columns
from mcjax.verdicts.quantities.registry import units_of

if TYPE_CHECKING:
    import xarray

    from mcjax.verdicts.judge import Verification

Axes = dict[str, dict[Any, int]]
"""Position of every label, by dimension and label."""
Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]

LONG_NAMES = {
    "empirical": "observed mean over chains",
    "standard_error": "standard error of empirical, from the spread of the chains",
    "predicted": "predicted by the law",
    "ratio": "empirical over predicted, if the quantity is judged as a ratio",
    "low": "lower end of the confidence interval",
    "high": "upper end of the confidence interval",
    "verdict": "verdict on the cell, empty if there is no cell",
    "chains": "chains that contribute to the cell",
    "lost": "chains without an estimate in the cell",
    "chains_needed": "chains that would decide an inconclusive cell",
    "note": "why the cell is not judged",
    "mse": "simulated mean squared error of a model",
    "mse_error": "standard error of mse",
    "mean_error": "simulated mean of estimate minus truth",
    "mean_error_error": "standard error of mean_error",
    "chains_counted": "chains with an estimate",
    "predicted_growth": "predicted growth of mse per generation, for a model that collapses",
    "predicted_limit": "predicted limit of mse, for a model that does not collapse",
    "measured": "mean over chains of what is measured on held-out rows",
    "measured_error": "standard error of measured",
    "inapplicable": "why the law does not apply",
    "theta": "true parameters",
    "scale": "factor of the sample counts",
    "interval_of": "unit of low and high",
}


@checked
def dataset(
    study: Study,
    predictions: Sequence[Predictions],
    outcomes: Sequence[Outcome],
    verification: Verification,
    about: Mapping[str, str | float] | None = None,
) -> xarray.Dataset:
    """Return all results of a study as one xarray Dataset.

    The cells are variables over (condition, generation, model, quantity, law). Simulated moments
    (``mse``, ``mean_error``, ...) have neither quantity nor law. A ladder of sample sizes is a
    condition of its own if it was judged.

    Parameters
    ----------
    study : Study
        The study.
    predictions : sequence of Predictions
        Predictions for each condition.
    outcomes : sequence of Outcome
        Outcome of each condition.
    verification : Verification
        The judged study.
    about : mapping of str to str or float, optional
        Further attributes.

    Raises
    ------
    InputError
        If the verification is of another study.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> predictions = mcjax.predict(study)
    >>> outcomes = [tally.outcome for tally in mcjax.simulate(study)]
    >>> verification = mcjax.judge(study, predictions, outcomes)
    >>> results = mcjax.dataset(study, predictions, outcomes, verification)
    >>> results["verdict"].sel(law="first_order", generation=2, quantity="mse").item()
    'verified'
    """
    import xarray  # heavy, and for labelled results alone

    axes = _axes(study, predictions, verification)
    rows = _rows(study, axes["condition"])
    variables = (
        _cells(verification, axes)
        | _simulated(study.conditions, outcomes, axes)
        | _predicted(study.conditions, predictions, axes)
        | _measured(verification, axes)
    )
    coordinates = _coordinates(rows, axes, units_of(study))
    if verification.measured:
        coordinates["measure"] = list(dict.fromkeys(m.measure for m in verification.measured))
    labelled = xarray.Dataset(variables, coordinates, _provenance(study, verification, about or {}))
    for name, variable in labelled.variables.items():
        if str(name) in LONG_NAMES:
            variable.attrs["long_name"] = LONG_NAMES[str(name)]
        if variable.dtype.kind == "f":
            variable.attrs["units"] = "1"  # parameters are dimensionless, hence everything is
    return labelled


def _axes(study: Study, predictions: Sequence[Predictions], verification: Verification) -> Axes:
    conditions = study.conditions
    labels: dict[str, list[Any]] = {
        "condition": [c.name for c in conditions] + [x.condition for x in verification.ladders],
        "generation": list(range(study.generations + 1)),
        "model": [model for c in conditions for model in c.network.models],
        "quantity": [
            *map(name_of, study.quantities),
            *(cell.quantity for cell in verification.cells),
        ],
        # also laws that apply to no condition, so that there is a place for the reason
        "law": [law for p in predictions for law in p.laws]
        + [law for p in predictions for law in (*p.functionals, *p.inapplicable)],
    }
    return {
        name: {label: i for i, label in enumerate(dict.fromkeys(axis))}
        for name, axis in labels.items()
    }


def _rows(study: Study, names: Mapping[str, int]) -> list[Condition]:
    """Return the conditions in order; a ladder is represented by a rung without its scale."""
    ladders = {
        c.ladder: dataclasses.replace(c, label=c.ladder, scale=math.nan)
        for c in study.conditions
        if c.ladder is not None
    }
    known = ladders | {c.name: c for c in study.conditions}
    return [_look_up(known, name) for name in names]


def _look_up(known: Mapping[Any, Any], label: Any) -> Any:
    if label not in known:
        raise InputError("verification", f"is of another study: it has {label!r}")
    return known[label]


def _cells(verification: Verification, axes: Axes) -> Variables:
    columns = cell_columns(verification.cells)
    shape = tuple(map(len, axes.values()))
    index = [[_look_up(axis, label) for label in columns.pop(name)] for name, axis in axes.items()]
    places = np.ravel_multi_index(tuple(np.array(index, int)), shape)
    variables = {}
    for name, values in columns.items():
        text = name in ("verdict", "note")
        grid = np.full(shape, "" if text else math.nan, object if text else float)
        # chains_needed may be None, which becomes nan
        grid.flat[places] = np.array(values, grid.dtype)
        variables[name] = tuple(axes), grid
    return variables


def _simulated(
    conditions: Sequence[Condition], outcomes: Sequence[Outcome], axes: Axes
) -> Variables:
    """Return the simulated moments; a mean over no chains is nan."""
    shape = tuple(len(axes[name]) for name in ("condition", "generation", "model"))
    longer = (*shape, max(len(c.theta) for c in conditions))
    mse, mse_error, counted = (np.full(shape, math.nan) for _ in range(3))
    mean, mean_error = (np.full(longer, math.nan) for _ in range(2))
    for k, (condition, outcome) in enumerate(zip(conditions, outcomes, strict=True)):
        models = [axes["model"][model] for model in condition.network.models]
        p = len(condition.theta)
        squared, error = outcome.moments.squared, outcome.moments.error
        mse[k][:, models] = np.where(squared.chains > 0, squared.mean, math.nan)
        mse_error[k][:, models] = squared.standard_error()
        counted[k][:, models] = squared.chains
        mean[k][:, models, :p] = np.where(error.chains > 0, error.mean, math.nan)
        mean_error[k][:, models, :p] = error.standard_error()
    dims = ("condition", "generation", "model")
    return {
        "mse": (dims, mse),
        "mse_error": (dims, mse_error),
        "chains_counted": (dims, counted),
        "mean_error": ((*dims, "parameter"), mean),
        "mean_error_error": ((*dims, "parameter"), mean_error),
    }


def _measured(verification: Verification, axes: Axes) -> Variables:
    """Return what was measured on held-out rows, if anything was."""
    if not verification.measured:
        return {}
    names = list(dict.fromkeys(one.measure for one in verification.measured))
    shape = len(names), *(len(axes[name]) for name in ("condition", "generation", "model"))
    mean, error = np.full(shape, math.nan), np.full(shape, math.nan)
    for one in verification.measured:
        place = axes["condition"][one.condition], one.generation, axes["model"][one.model]
        mean[names.index(one.measure), *place] = one.mean
        error[names.index(one.measure), *place] = one.standard_error
    dims = ("measure", "condition", "generation", "model")
    return {"measured": (dims, mean), "measured_error": (dims, error)}


def _predicted(
    conditions: Sequence[Condition], predictions: Sequence[Predictions], axes: Axes
) -> Variables:
    dims = ("condition", "model", "law")
    growth, limit = (np.full([len(axes[name]) for name in dims], math.nan) for _ in range(2))
    reasons = np.full((len(axes["condition"]), len(axes["law"])), "", object)
    for k, (condition, predicted) in enumerate(zip(conditions, predictions, strict=True)):
        models = [axes["model"][model] for model in condition.network.models]
        for name, law in predicted.laws.items():
            growth[k][models, axes["law"][name]] = law.growth
            limit[k][models, axes["law"][name]] = law.limit
        for name, reason in predicted.inapplicable.items():
            reasons[k, axes["law"][name]] = reason
    return {
        "predicted_growth": (dims, growth),
        "predicted_limit": (dims, limit),
        "inapplicable": (("condition", "law"), reasons),
    }


def _coordinates(rows: Sequence[Condition], axes: Axes, units: Mapping[str, str]) -> dict[str, Any]:
    theta = np.full((len(rows), max(len(c.theta) for c in rows)), math.nan)
    for k, row in enumerate(rows):
        theta[k, : len(row.theta)] = row.theta

    def by_condition(value: Any) -> tuple[str, list[Any]]:
        return "condition", [value(row) for row in rows]

    def network(row: Condition) -> str:
        return "" if math.isnan(row.scale) else json.dumps(row.network.described())

    return {name: list(labels) for name, labels in axes.items()} | {
        "label": by_condition(lambda c: c.label),
        "family": by_condition(lambda c: c.model.name),
        "network": by_condition(network),
        "design": by_condition(lambda c: c.design),
        "ladder": by_condition(lambda c: c.ladder or ""),
        "scale": by_condition(lambda c: c.scale),
        "seed": ("condition", np.array([row.seed for row in rows], np.uint64)),
        "theta": (("condition", "parameter"), theta),
        "interval_of": ("quantity", [_look_up(units, name) for name in axes["quantity"]]),
    }


def _provenance(
    study: Study, verification: Verification, about: Mapping[str, str | float]
) -> dict[str, str | float]:
    """Return what is needed to identify and to repeat a run."""
    here = environment()
    known = {}
    with suppress(InputError):  # an estimator that nothing tells from others
        known["identity"] = identity(study)
    return {
        "title": "Interacting models: simulated errors against laws",
        "verdict": verification.verdict,
        "failures": json.dumps(verification.failures),
        "tolerance": study.tolerance,
        "confidence": study.confidence,
        "chains": verification.chains,
        "precision": study.precision,
        "solver": study.solver,
        "sampling": study.sampling,
        "path": ", ".join(sorted({route_of(c, study).path for c in study.conditions})),
        "seed": ", ".join(str(seed) for seed in sorted({c.seed for c in study.conditions})),
        **known,
        "versions": ", ".join(f"{name} {number}" for name, number in here["versions"].items()),
        "python": here["python"],
        "device": here["device"],
        **about,
    }
