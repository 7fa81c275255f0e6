"""Verdicts on networks of generators, under one error budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from mcjax.arguments import checked
from mcjax.generators.curve import curve_of
from mcjax.generators.equality import BEGUN, equality_claims
from mcjax.generators.flip import Difference, differences, flip_claims
from mcjax.generators.growth import MEMORY, growth_claims, too_short
from mcjax.generators.shown import Shown, notes_of
from mcjax.generators.simulate import (
    Measured,
    Report,
    Values,
    measures_of,
    own_measures_of,
    simulate,
)
from mcjax.generators.study import GeneratorStudy
from mcjax.numbers import how_many
from mcjax.summaries import Summarised, Summary
from mcjax.verdicts.cells import Cell, settle
from mcjax.verdicts.claims import Claim, unjudged
from mcjax.verdicts.equivalence import Verdict, worst
from mcjax.verdicts.frames import cell_table

if TYPE_CHECKING:
    import pandas

NOT_FINITE = "not_finite"
"""The reason for which chains are lost."""


@dataclass(frozen=True, repr=False)
class GeneratorVerification(Summarised):
    """A judged study of generators.

    Attributes
    ----------
    study : GeneratorStudy
        The study.
    measures : tuple of tuple of str
        Names of the K measures of each condition.
    values : tuple of ndarray
        Measures of every chain, by condition, shape (C, T + 1, M, K).
    cells : tuple of Cell
        Every claim with its verdict. The quantity is ``growth(...)``, ``drift(...)``,
        ``flip(...)`` or ``equal(...)`` of a measure, or ``arrival``.
    differences : tuple of Difference
        How measures differ between paired conditions.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict on all cells together.
    failures : dict of str to int
        Number of models of chains with a measure that is not finite, at any generation.
    notes : tuple of str
        What is not judged, and why, and what real rows are.
    shown : tuple of ndarray or None
        What models of chain 0 of each condition generate, two rows by generation and model, as the
        generator shows them; None where it does not.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> gaussian = mcjax.Generator(
    ...     init=lambda key: 0.0,
    ...     fit=lambda key, params, rows: rows.std(),
    ...     sample=lambda key, params, n: params * jax.random.normal(key, n),
    ...     measure=lambda key, params, rows: {"sd": params},
    ...     real=lambda key, n: jax.random.normal(key, n),
    ...     name="gaussian",
    ... )
    >>> loop = mcjax.topologies.self_loop(samples=10, initial=10)
    >>> study = mcjax.GeneratorStudy((mcjax.GeneratorCondition(loop, gaussian),), chains=256)
    >>> verification = mcjax.verify_generators(study)
    >>> verification.verdict, verification.cells[0].quantity
    ('verified', 'growth(sd)')
    """

    study: GeneratorStudy
    measures: tuple[tuple[str, ...], ...]
    values: tuple[Values, ...]
    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]
    verdict: Verdict
    failures: dict[str, int]
    notes: tuple[str, ...]
    shown: tuple[Shown | None, ...] = ()

    @property
    def chains(self) -> int:
        """Return the least number of chains of a condition, which a folder may hold more of."""
        return min(map(len, self.values))

    def mean(self, condition: int) -> Float[np.ndarray, "T+1 M K"]:
        """Return means over chains with finite measures, by the position of the condition."""
        return _over_chains(self.values[condition], np.mean)

    def standard_error(self, condition: int) -> Float[np.ndarray, "T+1 M K"]:
        """Return the standard errors of :meth:`mean`."""
        return _over_chains(self.values[condition], _error)

    def curve(self, condition: int) -> Float[np.ndarray, "T+1 M K"]:
        """Return where :meth:`mean` would be by the curve law, which is drawn and not judged.

        It takes the ages of the rows behind a model, in fits since real data, and the drift of a
        model of the study that reads itself alone; nan where there is no such model, with as many
        rows in every fit. See the documentation of generators.
        """
        own = [len(names) for names in own_measures_of(self.study)]
        means = [self.mean(i)[..., :count] for i, count in enumerate(own)]
        found = np.full(self.values[condition].shape[1:], np.nan)
        found[..., : own[condition]] = curve_of(self.study, means, condition)
        return found

    def to_dataframe(self) -> pandas.DataFrame:
        """Return the cells as a pandas DataFrame, one row a cell."""
        return cell_table(self.cells).to_pandas()

    def _summary(self) -> Summary:
        counts: dict[tuple[str, str], Counter[str]] = {}
        for cell in self.cells:
            counts.setdefault((cell.quantity, cell.law), Counter())[cell.verdict] += 1
        rows = [
            (*claim, ", ".join(f"{n:,} {verdict}" for verdict, n in counted.items()))
            for claim, counted in counts.items()
        ]
        title = (
            f"GeneratorVerification: {self.verdict}, {how_many(len(self.cells), 'cell')},"
            f" {how_many(self.chains, 'chain')}"
        )
        return Summary(title, rows, len(rows), "claim")


@checked
def verify_generators(study: GeneratorStudy, report: Report | None = None) -> GeneratorVerification:
    """Simulate networks of generators, and judge what holds whatever the generator.

    Parameters
    ----------
    study : GeneratorStudy
        The networks.
    report : callable, optional
        Called after every generation of some chains with the number of these chains, and with all
        measures so far.

    Returns
    -------
    GeneratorVerification
        The verdicts, with the measures of all chains.

    Raises
    ------
    InputError
        If a function of a generator fails, or returns something else than it should.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> gaussian = mcjax.Generator(
    ...     init=lambda key: 0.0,
    ...     fit=lambda key, params, rows: rows.std(),
    ...     sample=lambda key, params, n: params * jax.random.normal(key, n),
    ...     measure=lambda key, params, rows: {"sd": params},
    ...     real=lambda key, n: jax.random.normal(key, n),
    ...     name="gaussian",
    ... )
    >>> loop = mcjax.topologies.self_loop(samples=10, initial=10)
    >>> study = mcjax.GeneratorStudy((mcjax.GeneratorCondition(loop, gaussian),), chains=256)
    >>> mcjax.verify_generators(study).verdict
    'verified'
    """
    return judge_generators(study, simulate(study, report=report))


def judge_generators(study: GeneratorStudy, measured: Measured) -> GeneratorVerification:
    """Judge the measures of all chains, under one error budget."""
    names, values = measures_of(study), measured.values
    single = own_measures_of(study)  # what models have in common is theirs and the others'
    own = [one[..., : len(of)] for one, of in zip(values, single, strict=True)]
    found = list(all_claims(study, own, single))
    judged = [claim for claim, why in found if not why]
    shown = [unjudged(claim, why) for claim, why in found if why]  # no part of the error budget
    cells = settle(judged, study.confidence) + settle(shown, study.confidence)
    abouts = dict.fromkeys(c.generator.about for c in study.conditions if c.generator.about)
    lost = sum(int((~np.isfinite(one)).any((1, 3)).sum()) for one in values)
    return GeneratorVerification(
        study=study,
        measures=names,
        values=values,
        cells=cells,
        differences=differences(study, own, single),
        verdict=worst(np.array([cell.verdict for cell in cells])),
        failures={NOT_FINITE: lost} if lost else {},
        notes=(*too_short(study), *abouts, *notes_of(study.conditions, measured.shown)),
        shown=measured.shown,
    )


def claims_of(
    study: GeneratorStudy, values: Sequence[Values], names: Sequence[Sequence[str]]
) -> list[Claim]:
    """Return the claims on the measures of a study that are judged, and share one error budget."""
    return [claim for claim, why in all_claims(study, values, names) if not why]


def all_claims(
    study: GeneratorStudy, values: Sequence[Values], names: Sequence[Sequence[str]]
) -> Iterator[tuple[Claim, str]]:
    """Yield all claims, each with why the study makes it without a verdict; empty if it has one."""
    for one, own, found in zip(study.conditions, names, values, strict=True):
        why = MEMORY if one.remembers else ""
        yield from ((claim, why) for claim in growth_claims(study, one, found, own))
    yield from ((claim, "") for claim in flip_claims(study, values, names))
    begun = {one.name: "" if one.forgets else BEGUN for one in study.conditions}
    equal = equality_claims(study, values, names)
    yield from ((claim, begun[claim.place.condition]) for claim in equal)


def _over_chains(
    values: Values, reduce: Callable[[Float[np.ndarray, " C"]], float]
) -> Float[np.ndarray, "T+1 M K"]:
    """Reduce measures over the chains in which they are finite."""
    found = np.full(values.shape[1:], np.nan)
    for at in np.ndindex(*found.shape):
        own = values[(slice(None), *at)]
        own = own[np.isfinite(own)]
        if len(own):
            found[at] = reduce(own)
    return found


def _error(values: Float[np.ndarray, " C"]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
