"""Measures on held-out rows, by generation: shown beside verdicts, and not judged.

The excess of the loss, which laws predict, is judged by the quantities ``held_out``,
``held_out_growth`` and ``held_out_collapse``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.study.held_out import EXCESS
from mcjax.study.study import Study


@dataclass(frozen=True)
class Measured:
    """A mean over chains of a number that is computed from held-out rows.

    Attributes
    ----------
    condition, model, measure : str
        Names of the condition, of the model, and of what is measured.
    generation : int
        The generation.
    mean, standard_error : float
        Mean over chains, and its standard error.
    at_truth : float
        The number of the parameters that fit the rows which are not held out.
    chains : int
        Chains with an estimate of which the number is finite.
    """

    condition: str
    model: str
    generation: int
    measure: str
    mean: float
    standard_error: float
    at_truth: float
    chains: int


def measured_of(study: Study, outcomes: Sequence[Outcome]) -> tuple[Measured, ...]:
    """Return what chains measured on held-out rows, by condition, measure, generation, model."""
    found = []
    for condition, outcome in zip(study.conditions, outcomes, strict=True):
        if condition.held_out is None:
            continue
        names = [functional.name for functional in condition.functionals]
        at_truth, moments = condition.held_out.at_truth(), outcome.moments.functional
        errors = moments.standard_error()
        for name, value in at_truth.items():
            if name == EXCESS:
                continue
            for t, i in np.ndindex(*moments.mean.shape[:2]):
                place = t, i, names.index(name)
                chains = int(moments.chains[place])
                found.append(
                    Measured(
                        condition=condition.name,
                        model=condition.network.models[i],
                        generation=t,
                        measure=name,
                        mean=float(moments.mean[place]) if chains else float("nan"),
                        standard_error=float(errors[place]),
                        at_truth=value,
                        chains=chains,
                    )
                )
    return tuple(found)
