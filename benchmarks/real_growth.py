"""Held-out losses that grow, and others that settle, on the data sets of the built-in study.

    python benchmarks/real_growth.py [--cases engel ...] [--network flipped] [--out RESULT.json]

The networks, models and data are those of `mcjax verify --builtin real-data`, over as many
generations as growth takes to show where real data are noisier than what models generate, and with
as many chains as its verdict takes. What errors add to the held-out loss is judged, its growth and
whether it grows or settles, by the law of the network and by that of the other one; of stackloss,
which holds no rows out, the same of mean squared errors. Reported are all claims, and the means of
what is measured on held-out rows by generation. Cases that are not run keep the results that the
file has.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.laws.law import Reason
from mcjax.laws.prediction import Prediction
from mcjax.study.held_out import EXCESS
from mcjax.study.load import builtin_file, load_study
from mcjax.study.study import Condition
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.quantities.held_out import law_within

jax.config.update("jax_enable_x64", True)

TOLERANCE, POINTS = 0.25, 8
NETWORKS = ("flipped", "anchored")
MEASURES = ("loss", "accuracy")
OTHER = "of the other network"


class Runs(NamedTuple):
    """Generations and chains of one condition."""

    generations: int
    chains: int


CASES = {  # on the flipped network, and on the anchored one
    "engel": (Runs(24, 6144), Runs(16, 3072)),
    "stackloss": (Runs(16, 4608), Runs(12, 2304)),
    "randhie": (Runs(24, 1344), Runs(16, 512)),
    "anes96": (Runs(12, 1408), Runs(12, 512)),
    "digits": (Runs(16, 1856), Runs(12, 768)),
}


class OfAnother:
    """The law of another condition, judged as that of this one, without an allowance.

    Parameters
    ----------
    name : str
        Name of the law.
    other : Condition
        The condition whose law it is.
    """

    reference = "the law of another network"
    exact = False

    def __init__(self, name: str, other: Condition):
        self.name, self._other = name, other

    def applies(self, condition: Condition) -> Reason | None:
        """Return None: it is asked where it is wrong."""
        return None

    def predict(self, condition: Condition, generations: int) -> Prediction:
        """Return what the law of the rows predicts for the other condition."""
        [found] = mcjax.predict(mcjax.Study((self._other,), generations=generations))
        law = found.laws["first_order"]
        return replace(law, asymptotic=False, allowance=0.0, next_order=None)


def conditions() -> Iterator[tuple[str, str, Condition, Condition]]:
    """Return data set, network and condition, and the condition of the other network."""
    of: dict[tuple[str, str], Condition] = {}
    for condition in load_study(builtin_file("real-data")).conditions:
        assert condition.data is not None, "all of the study have rows"
        network = condition.label.partition(",")[0].removeprefix("network=")
        of[condition.data.source.partition(":")[2], network] = condition
    for (data, network), condition in of.items():
        [other] = set(NETWORKS) - {network}
        yield data, network, condition, of[data, other]


def curves(condition: Condition, found: Verification) -> dict[str, Any]:
    """Return what is measured on held-out rows by measure, model and generation."""
    assert condition.held_out is not None, "it has been asked"
    outcome, law = found.outcomes[0], found.predictions[0].laws["first_order"]
    moments = outcome.moments.functional
    names = [functional.name for functional in condition.functionals]
    truth = condition.held_out.at_truth()
    excess = law_within(condition.held_out, condition, law).mse
    last = len(excess) - 1
    times = sorted({round(last * k / POINTS) for k in range(POINTS + 1)})
    shown: dict[str, Any] = {"generations": times}
    for name in (EXCESS, *MEASURES):
        if name not in names:
            continue
        k, errors = names.index(name), moments.standard_error()
        shown[name] = {"at the truth": rounded(truth[name])}
        for i, model in enumerate(condition.network.models):
            shown[name][model] = {
                "mean": rounded(*moments.mean[times, i, k]),
                "standard_error": rounded(*errors[times, i, k]),
            }
            if name == EXCESS:
                shown[name][model]["predicted"] = rounded(*excess[times, i])
    return shown


def rounded(*values: float) -> list[float | None] | float | None:
    """Return one number or several with six digits, and None for those that are not finite."""
    found = [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]
    return found if len(found) > 1 else found[0]


def claim(cell: Cell) -> dict[str, Any]:
    """Return the numbers of a claim."""
    return {
        "law": cell.law,
        "quantity": cell.quantity,
        "model": cell.model,
        "simulated": rounded(cell.empirical),
        "standard_error": rounded(cell.standard_error),
        "predicted": rounded(cell.predicted),
        "verdict": cell.verdict,
        "chains_needed": cell.chains_needed,
        "note": cell.note,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results: dict[str, Any] = {"tolerance": TOLERANCE}
    if given.out is not None and given.out.is_file():
        results = json.loads(given.out.read_text())["results"]
    for data, network, condition, other in conditions():
        if data not in given.cases or network not in given.network:
            continue
        runs = CASES[data][NETWORKS.index(network)]
        asked = ("growth", "collapse")
        if condition.held_out is not None:
            asked = ("held_out_growth", "held_out_collapse")
        study = mcjax.Study(
            (condition,),
            generations=runs.generations,
            chains=runs.chains,
            tolerance=TOLERANCE,
            quantities=asked,
        )
        begin = time.process_time()
        found = mcjax.verify(study, laws=[OfAnother(OTHER, other)])
        results[f"{data}, {network}"] = {
            "generations": runs.generations,
            "chains": runs.chains,
            "processor_seconds": round(time.process_time() - begin),
            "failed_fits": found.failures,
            "claims": [claim(cell) for cell in found.cells],
            "measured": {} if condition.held_out is None else curves(condition, found),
        }
        print(f"{data}, {network}", results[f"{data}, {network}"]["processor_seconds"], "s")
        for cell in found.cells:
            print(" ", *claim(cell).values(), flush=True)
        if given.out is not None:
            keep(given.out, results)


if __name__ == "__main__":
    main()
