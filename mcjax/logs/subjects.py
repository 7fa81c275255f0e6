"""Workflows with their losses, and the laws by which they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float, Int

from mcjax.errors import InputError, did_you_mean
from mcjax.logs.claims import LossClaim
from mcjax.logs.digits import Rows, rows_of
from mcjax.logs.fit import fit
from mcjax.logs.further import GrowthLaw
from mcjax.logs.growth import RULES, growth_of, split_law
from mcjax.logs.scatter import FEWEST, Design, Scatter, design_of, scatter_of
from mcjax.logs.table import Losses
from mcjax.numbers import how_many

GIVEN = "given"
"""Name of a law whose growth is given as numbers."""


@dataclass(frozen=True)
class Subject:
    """A workflow that is judged.

    Attributes
    ----------
    name, law : str
        Its name, and that of its law.
    growth : callable
        Growth of the law.
    fits : ndarray of int, shape (N,)
        Number of fits, t, at each row: 1 for a model that was fitted to real data alone.
    losses : ndarray of shape (N,)
        Losses.
    """

    name: str
    law: str
    growth: GrowthLaw
    fits: Int[np.ndarray, " N"]
    losses: Float[np.ndarray, " N"]

    @cached_property
    def scatter(self) -> Scatter:
        """The scatter of the losses around curves that hold the law of the workflow."""
        return self._scatter(self.growth)

    def _scatter(self, growth: GrowthLaw) -> Scatter:
        known = growth(int(self.fits.max()))
        assert known is not None, "checked when the law was read"
        rows = self._rows
        return scatter_of(design_of(rows.fits, known), rows.losses, rows.noise, rows.equal)

    @cached_property
    def _rows(self) -> Rows:
        return rows_of(self.fits, self.losses)

    def claim(self, law: str) -> LossClaim:
        """Return the claim that the losses follow a law, with an L0 and a V of their own."""
        own = law == self.law
        scatter = self.scatter if own else self._scatter(partial(growth_of, law))
        note = unfit(scatter.design)
        return LossClaim((self.name,), law, None if note else fit([scatter]), note=note)


def unfit(design: Design) -> str:
    """Return why a law cannot be judged by rows at these generations; empty if it can."""
    generations = how_many(len(np.unique(design.generations)), "generation")
    if design.freedom < FEWEST:
        rows = how_many(len(design.generations), "row")
        return (
            f"{rows} at {generations}: too few to tell noise from departures; log further"
            " generations, each with several seeds"
        )
    if design.curves.shape[1] <= 2:
        return f"any losses at {generations} are fitted by some L0 and V; log further generations"
    return ""


def subjects_of(
    losses: Losses, laws: Mapping[str, str | Sequence[float]], first: int
) -> list[Subject]:
    """Return the workflows of a table, each with its law.

    Raises
    ------
    InputError
        If a workflow has no law, or a generation comes before the first fit or is not covered by a
        growth that is given as numbers.
    """
    for name in laws:
        if name not in losses.rows:
            hint = did_you_mean(name, losses.rows) or f"; there are {', '.join(losses.rows)}"
            raise InputError("law", f"names {name!r}, which is not a workflow{hint}")
    subjects = []
    for name, (generations, values) in losses.rows.items():
        if generations.min() < first:
            problem = (
                f"{generations.min()} of {name!r} comes before that of the first fit, {first}; give"
                f" --first {generations.min()}, or first={generations.min()} in Python"
            )
            raise InputError("generation", problem)
        fits = generations - first + 1
        law, growth = _law_of(name, laws.get(name, name))
        if growth(int(fits.max())) is None:
            problem = f"of {name!r} ends before generation {generations.max()}; give all of them"
            raise InputError("growth", problem)
        subjects.append(Subject(name, law, growth, fits=fits, losses=values))
    return subjects


def _law_of(workflow: str, law: str | Sequence[float]) -> tuple[str, GrowthLaw]:
    """Return the name of a law, and its growth."""
    if isinstance(law, str):
        if law == workflow and law.partition(":")[0] not in RULES:
            hint = did_you_mean(law, RULES)
            problem = f"{workflow!r} is not the name of a law{hint}; give its law, as in"
            raise InputError("workflow", f"{problem} {workflow}=replace")
        split_law(law)
        return law, partial(growth_of, law)
    given = np.asarray(law, float)
    if given.ndim != 1 or not (np.isfinite(given) & (given >= 0)).all():
        problem = f"of {workflow!r} is no list of numbers of at least 0; give M_1, M_2 and so on"
        raise InputError("growth", problem)
    return GIVEN, lambda fits: given[:fits] if len(given) >= fits else None
