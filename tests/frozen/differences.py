"""How far two records of one study are apart, and how far they may be.

- Draws, statuses, counts and verdicts are the same.
- Laws: within 1e-12 of the largest entry of an array (of the root of the largest MSE, if it is of
  means), because sums may be taken in another order; those that are Monte Carlo within 1e-9.
- Estimates: within 1e-6 standard errors, 1e-3 in single precision, or rounding. Moments: within
  what follows from that. A standard error is the root of the frozen simulated variance.
- Sentences may be worded anew, which is told; that there is one may not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LAWS, MONTE_CARLO, CELL_LAWS = 1e-12, 1e-9, 1e-9
ESTIMATES = {"float64": 1e-6, "mixed": 1e-6, "float32": 1e-3}
CELLS = 10.0
"""Numbers of cells may be off by so many times what estimates may: an interval reaches several
standard errors."""
ROUNDING = 64.0
"""Estimates without spread may be off by so many units in the last place."""
SHOWN = 6

Record = dict[str, Any]


@dataclass
class Report:
    """What differs.

    Attributes
    ----------
    name: of the study and its condition. violations: what may not differ. wording: sentences.
    apart: the largest differences, by kind. conditions: how many it is about.
    """

    name: str
    violations: list[str] = field(default_factory=list)
    wording: list[str] = field(default_factory=list)
    apart: dict[str, float] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    conditions: int = 0

    def number(self, kind: str, what: str, apart: float, allowed: float) -> None:
        """Take note of a difference."""
        self.apart[kind] = max(self.apart.get(kind, 0.0), apart)
        if not apart <= allowed:
            self.violations.append(f"{what} is off by {apart:.2g}, more than {allowed:.2g}")

    def same(self, kind: str, what: str, old: Any, new: Any) -> None:
        """Take note of whether two things are the same."""
        equal = np.array_equal(old, new) if isinstance(old, np.ndarray) else old == new
        if not equal:
            self.changed.add(kind)
            brief = "" if isinstance(old, np.ndarray) else f": {old!r:.60}, now {new!r:.60}"
            self.violations.append(f"{what} changed{brief}")

    def worded(self, what: str, old: str, new: str) -> None:
        """Take note of a sentence."""
        if bool(old) != bool(new):
            self.same("verdicts", what, old, new)
        elif old != new:
            self.wording.append(f"{what}: {old!r}, now {new!r}")

    def add(self, other: Report) -> None:
        """Add what differs elsewhere."""
        for kind, apart in other.apart.items():
            self.apart[kind] = max(self.apart.get(kind, 0.0), apart)
        self.changed |= other.changed
        self.violations += [f"{other.name}: {text}" for text in other.violations]
        self.wording += other.wording
        self.conditions += other.conditions

    def summary(self) -> str:
        """One line about all conditions."""
        end = f"; {len(self.violations)} violations" if self.violations else ""
        worded = f"; {len(self.wording)} sentences worded anew" if self.wording else ""
        return f"{self.conditions} conditions: {self._numbers()}{end}{worded}"

    def __str__(self) -> str:
        shown = [f"    VIOLATION {text}" for text in self.violations[:SHOWN]]
        if len(self.violations) > SHOWN:
            shown.append(f"    and {len(self.violations) - SHOWN} more")
        shown += [f"    wording {text}" for text in self.wording]
        return "\n".join([f"{self.name}: {self._numbers()}", *shown])

    def _numbers(self) -> str:
        kinds = {
            "laws": "laws within {}",
            "monte carlo": "Monte Carlo laws within {}",
            "estimates": "estimates within {} standard errors",
            "single": "in single precision within {}",
            "moments": "moments within {}",
        }
        told = [
            text.format(f"{self.apart[kind]:.0e}" if self.apart[kind] else "0")
            for kind, text in kinds.items()
            if kind in self.apart
        ]
        found = {k: "differ" if k in self.changed else "identical" for k in ("draws", "verdicts")}
        others = {"statuses": "statuses differ", "cells": "numbers of cells differ"}
        more = [text for kind, text in others.items() if kind in self.changed]
        end = f"verdicts {found['verdicts']}"
        return ", ".join([f"draws {found['draws']}", *told, *more, end])


def compare_studies(name: str, old: Record, new: Record) -> Iterator[Report]:
    """What differs of each condition of a study, and of what its conditions have in common."""
    precision = old["precision"]
    cells: dict[str, list[tuple[Record | None, Record | None]]] = {}
    places = [{place_of(cell): cell for cell in one["cells"]} for one in (old, new)]
    for place in dict.fromkeys([*places[0], *places[1]]):
        pair = places[0].get(place), places[1].get(place)
        cells.setdefault(place[0] if place[0] in old["conditions"] else "", []).append(pair)
    whole = Report(f"{name}, as a whole")
    for key in ("precision", "verdict", "failures", "waiting"):
        whole.same("verdicts", key, old[key], new[key])
    missing = list(new["conditions"]) != list(old["conditions"])
    if missing:
        whole.same("verdicts", "conditions", list(old["conditions"]), list(new["conditions"]))
    for condition in () if missing else old["conditions"]:
        report = Report(f"{name}, {condition}" if condition else name, conditions=1)
        before, after = old["conditions"][condition], new["conditions"][condition]
        _laws(report, before, after)
        _simulated(report, before, after, ESTIMATES[precision], precision)
        _rows(report, before["rows"], after["rows"])
        _cells(report, cells.pop(condition, []), ESTIMATES[precision])
        yield report
    for rest in cells.values():  # of ladders
        _cells(whole, rest, ESTIMATES[precision])
    yield whole


def place_of(cell: Record) -> tuple[Any, ...]:
    """Condition, model, generation, quantity and law."""
    return tuple(cell["place"])


def apart(old: np.ndarray, new: np.ndarray, scale: Any = None) -> float:
    """The largest difference, in units of ``scale``, or else of the largest finite old entry;
    infinite where shapes, or what is not finite, differ."""
    if old.shape != new.shape:
        return np.inf
    finite = np.isfinite(old)
    if (
        not np.array_equal(old[~finite], new[~finite], equal_nan=True)
        or not np.isfinite(new[finite]).all()
    ):
        return np.inf
    difference = np.abs(np.subtract(new, old, where=finite, out=np.zeros(old.shape)))
    unit = np.abs(old[finite]).max(initial=0.0) if scale is None else scale
    unit = np.broadcast_to(unit, old.shape)
    share = np.full(old.shape, np.inf)
    np.divide(difference, unit, out=share, where=unit > 0)
    return float(share[difference > 0].max(initial=0.0))


def _laws(report: Report, old: Record, new: Record) -> None:
    for part in ("laws", "functionals", "inapplicable"):
        report.same("verdicts", f"names of {part}", sorted(old[part]), sorted(new[part]))
    for name in old["laws"].keys() & new["laws"].keys():
        before, after = old["laws"][name], new["laws"][name]
        report.same("verdicts", f"what {name} says of itself", before["flags"], after["flags"])
        report.worded(f"source of {name}", before["source"], after["source"])
        numbers, found = before["numbers"], after["numbers"]
        report.same("verdicts", f"numbers of {name}", sorted(numbers), sorted(found))
        estimated = bool((numbers["standard_error"] > 0).any())
        kind, allowed = ("monte carlo", MONTE_CARLO) if estimated else ("laws", LAWS)
        mse = numbers["mse"][np.isfinite(numbers["mse"])].max(initial=0.0)
        scales = {"mean": np.sqrt(mse), "standard_error": mse}
        for key in numbers.keys() & found.keys():
            off = apart(numbers[key], found[key], scales.get(key))
            report.number(kind, f"{key} of {name}", off, allowed)
    for name in old["functionals"].keys() & new["functionals"].keys():
        before, after = old["functionals"][name], new["functionals"][name]
        report.same("verdicts", f"functionals of {name}", sorted(before), sorted(after))
        for key in before.keys() & after.keys():
            off = apart(before[key], after[key])
            report.number("laws", f"{key} of {name}", off, LAWS)
    for name in old["inapplicable"].keys() & new["inapplicable"].keys():
        sentences = old["inapplicable"][name], new["inapplicable"][name]
        report.worded(f"why {name} does not apply", *sentences)


def _simulated(report: Report, old: Record, new: Record, allowed: float, precision: str) -> None:
    """Estimates of single chains, and moments over all."""
    single = precision == "float32"
    before, after = old["simulated"], new["simulated"]
    for key in ("chains", "count", "functional_count"):
        report.same("statuses", key, before[key], after[key])
    codes = before["fits"].shape[-1]  # statuses that came later count nothing here
    report.same("statuses", "fits", before["fits"], after["fits"][..., :codes])
    report.same("statuses", "later statuses", 0, int(after["fits"][..., codes:].sum()))
    thetas = np.concatenate([run["theta"].ravel() for run in old["replayed"].values()])
    largest = np.abs(thetas[np.isfinite(thetas)]).max(initial=0.0)
    rounding = ROUNDING * np.finfo("float32" if single else "float64").eps * largest
    error = np.maximum(np.sqrt(before["variance"]), rounding / allowed)  # (T + 1, M, p)
    for chain, run in old["replayed"].items():
        found = new["replayed"][chain]
        report.same("statuses", f"statuses of chain {chain}", run["status"], found["status"])
        off = apart(run["theta"], found["theta"], error)
        report.number(
            "single" if single else "estimates", f"estimates of chain {chain}", off, allowed
        )
    size = np.sqrt(before["variance"] + before["mean"] ** 2) + rounding
    if before["product"].ndim == 3:  # of all models together
        pairs = [part.reshape(len(part), -1) for part in (error, size)]
    else:
        pairs = [error, size]
    both = pairs[0][..., :, None] * pairs[1][..., None, :]
    spread = before["functional_variance"]
    scales = {
        "mean": error,
        "variance": 2 * error * np.maximum(error, size),
        "product": both + np.swapaxes(both, -1, -2),
        "mse": 2 * (error * size).sum(-1),
        "functional_mean": np.maximum(np.sqrt(spread), rounding / allowed),
    }
    for key, scale in scales.items():
        off = apart(before[key], after[key], scale)
        report.number("moments", f"simulated {key}", off, allowed)


def _rows(report: Report, old: dict[str, str] | None, new: dict[str, str] | None) -> None:
    if old is None or new is None:
        report.same("draws", "whether there are rows", old is None, new is None)
        return
    for place in dict.fromkeys([*old, *new]):
        report.same("draws", place, old.get(place), new.get(place))


def _cells(
    report: Report, pairs: list[tuple[Record | None, Record | None]], allowed: float
) -> None:
    """Cells of one quantity and law are compared on one scale."""
    groups: dict[tuple[str, str], list[tuple[Record, Record]]] = {}
    for old, new in pairs:
        if old is None or new is None:
            cell = old or new or {}
            report.same("verdicts", f"cell {cell['place']}", old is not None, new is not None)
            continue
        place = " ".join(map(str, old["place"][1:]))
        for key in ("verdict", "counts"):
            report.same("verdicts", f"{key} of {place}", old[key], new[key])
        report.worded(f"note of {place}", old["note"], new["note"])
        groups.setdefault((old["place"][3], old["place"][4]), []).append((old, new))
    for group, members in groups.items():
        numbers = {
            key: [np.array([pair[k][key] for pair in members], float) for k in (0, 1)]
            for key in ("predicted", "empirical", "standard_error", "ratio", "interval")
        }
        error = numbers["standard_error"][0]
        for key, (old_numbers, new_numbers) in numbers.items():
            parts = [old_numbers] if key in ("ratio", "interval") else [old_numbers, error]
            scale = max(np.abs(part[np.isfinite(part)]).max(initial=0.0) for part in parts)
            off = apart(old_numbers, new_numbers, scale)
            limit = CELL_LAWS if key == "predicted" else CELLS * allowed
            if not off <= limit:
                report.changed.add("cells")
                report.violations.append(
                    f"{key} of cells of {' by '.join(group)} is off by {off:.2g}"
                )
