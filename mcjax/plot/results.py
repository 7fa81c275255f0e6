"""Judged results as plots need them, from memory or from a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.judge import WITHOUT_STUDY, Verification
from mcjax.verdicts.ladder import limit_of

if TYPE_CHECKING:
    import xarray

CELL = ("condition", "generation", "model", "quantity", "law")
NUMBERS = ("empirical", "standard_error", "predicted", "ratio", "low", "high")
MOST_NAMED = 6
"""Largest number of names in an error."""


class Results(NamedTuple):
    """Judged results.

    Attributes
    ----------
    cells : tuple of Cell
        The cells.
    tolerance : float
        Relative departure that counts as agreement.
    scales : dict of str to dict of str to float
        By ladder and condition, the factor of the sample counts.
    """

    cells: tuple[Cell, ...]
    tolerance: float
    scales: dict[str, dict[str, float]]

    def conditions(self, quantity: str) -> list[str]:
        """Return the conditions that have cells of a quantity."""
        return list(dict.fromkeys(c.condition for c in self.cells if c.quantity == quantity))

    def chosen(self, condition: str | None, quantity: str, law: str | None) -> list[Cell]:
        """Return the cells of a quantity in one condition by one law.

        Parameters
        ----------
        condition : str or None
            None for the only condition.
        quantity : str
            The quantity.
        law : str or None
            None for the first law that was judged.

        Raises
        ------
        InputError
            If there is no such cell, or more than one condition to choose from.
        """
        cells = _named("quantity", quantity, self.cells)
        if condition is None:
            names = list(dict.fromkeys(cell.condition for cell in cells))
            if len(names) > 1:
                raise InputError("condition", f"is missing; name one of {_listed(names)}")
            condition = names[0]
        cells = _named("condition", condition, cells)
        return _named("law", cells[0].law if law is None else law, cells)

    def limits(self, condition: str | None, quantity: str, law: str | None) -> list[Cell]:
        """Return the cells about the limits of a quantity on a ladder.

        Parameters are those of :meth:`chosen`; ``condition`` is the name of the ladder.

        Raises
        ------
        InputError
            If there is no such ladder, or more than one to choose from.
        """
        limit = limit_of(quantity)
        names = self.conditions(limit)
        if not names:
            problem = f"has no limit of {quantity!r} on a ladder"
            raise InputError("data", f"{problem}; give scale three or more values in [grid]")
        if condition is not None and condition not in names:
            hint = did_you_mean(condition, names)
            problem = f"{condition!r} is not a ladder, as {_listed(names)} is{hint}"
            raise InputError("condition", problem)
        return self.chosen(condition, limit, law)


def results_of(data: Verification | xarray.Dataset) -> Results:
    """Return what plots need to know of a verification, or of a Dataset of results.

    Raises
    ------
    InputError
        If there is no cell, or ``data`` lacks what a Dataset of results has.
    """
    found = _of_verification(data) if isinstance(data, Verification) else _of_dataset(data)
    if not found.cells:
        raise InputError("data", "has no judged cell, so there is nothing to plot")
    return found


def first_models(cells: Iterable[Cell], most: int) -> tuple[list[str], str]:
    """Return the first models, and a text that says so if there are more."""
    names = list(dict.fromkeys(cell.model for cell in cells))
    return names[:most], f"first {most} of {len(names)} models" if len(names) > most else ""


def _of_verification(verification: Verification) -> Results:
    study = verification.study
    if study is None:
        raise InputError("data", f"{WITHOUT_STUDY}; plot its Dataset from mcjax.dataset")
    scales = _scales((c.ladder or "", c.name, c.scale) for c in study.conditions)
    return Results(verification.cells, study.tolerance, scales)


def _of_dataset(data: Any) -> Results:
    try:
        whole = data.expand_dims([name for name in CELL if name not in data.dims])
        whole = whole.transpose(*CELL, ...)
        arrays = {
            name: whole[name].transpose(*CELL).values
            for name in (*NUMBERS, "verdict", "chains", "lost", "note")
        }
        labels = [whole[name].values.tolist() for name in CELL]
        names = np.atleast_1d(whole["condition"].values).tolist()
        rungs = [np.atleast_1d(whole[name].values).tolist() for name in ("ladder", "scale")]
        tolerance = float(data.attrs["tolerance"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = "is no Verification and no Dataset of results; give one of these"
        raise InputError("data", problem) from error
    cells = []
    for place in np.argwhere(arrays["verdict"] != ""):
        at = tuple(place)
        values: dict[str, Any] = {
            field: label[k] for field, label, k in zip(CELL, labels, at, strict=True)
        }
        values |= {name: float(arrays[name][at]) for name in NUMBERS}
        values |= {name: int(arrays[name][at]) for name in ("chains", "lost")}
        values |= {name: arrays[name][at] for name in ("verdict", "note")}
        interval = values.pop("low"), values.pop("high")
        cells.append(Cell(interval=interval, chains_needed=None, **values))
    return Results(tuple(cells), tolerance, _scales(zip(rungs[0], names, rungs[1], strict=True)))


def _scales(rows: Iterable[tuple[str, str, float]]) -> dict[str, dict[str, float]]:
    """Return scales by ladder and condition; nan marks the row of a whole ladder."""
    scales: dict[str, dict[str, float]] = {}
    for ladder, condition, scale in rows:
        if scale == scale:
            scales.setdefault(ladder, {})[condition] = float(scale)
    return scales


def _named(field: str, name: str, cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells with a name in a field."""
    found = [cell for cell in cells if getattr(cell, field) == name]
    if not found:
        names = list(dict.fromkeys(str(getattr(cell, field)) for cell in cells))
        hint = did_you_mean(name, names)
        known = "leave it out" if names == [""] else f"give one of {_listed(names)}{hint}"
        raise InputError(field, f"{name!r} was not judged; {known}")
    return found


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(repr, names[:MOST_NAMED])) + rest
