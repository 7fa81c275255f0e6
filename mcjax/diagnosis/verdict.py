"""The verdict on a network and on each of its models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mcjax.diagnosis.cures import Edge
from mcjax.diagnosis.dangers import Danger
from mcjax.diagnosis.explosion import FiniteSample
from mcjax.diagnosis.failure import Anchor, Explosion
from mcjax.diagnosis.plain import members_json, verdict_json, with_cases, worth_json
from mcjax.diagnosis.worth import Worth
from mcjax.laws.collapse.components import Member, Vertex
from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.numbers import how_many
from mcjax.summaries import Summarised, Summary, few
from mcjax.text import json_pieces, number


class PhaseVerdict(NamedTuple):
    """The verdict on a model in one phase of feeds that come and go, or in a network that is drawn.

    Attributes
    ----------
    phase : int
        z, from 0 to L - 1: the generations t >= 1 with ``(t - 1) mod L = z``; the number of the
        network if it is drawn.
    collapses : bool or None
        Whether the variance of its estimates in this phase grows without bound; None if that is not
        known.
    growth, limit : float or None
        As in :class:`ModelVerdict`, of the estimates in this phase.
    """

    phase: int
    collapses: bool | None
    growth: float | None
    limit: float | None


class Deciding(NamedTuple):
    """A feed of unknown data that alone decides whether a model collapses.

    Attributes
    ----------
    reader : str
        The model that reads it.
    share : float
        Its share of the rows that this model fits.
    """

    reader: str
    share: float


@dataclass(frozen=True)
class ModelVerdict:
    """The verdict on one model; if feeds come and go, that of its worst phase.

    If feeds are drawn, growth and limit are those of the mean square over chains.

    Attributes
    ----------
    noise : bool or None
        Whether noise accumulates, so that the variance of its estimate grows without bound; None if
        that is not known.
    forgets : bool
        Whether the centre of its estimates does not tend to the truth.
    explodes : bool
        Whether a component of spectral radius above 1 reaches it, or its centre has no bounded
        limit.
    radius : float or None
        Spectral radius of the transition A of errors on its strongly connected component; None for
        a model in no cycle, and nan where it is not known.
    growth : float or None
        Slope of ``c_ii`` per generation; None for a stable model, and for one that explodes.
    limit : float or None
        Limit of ``c_ii`` as t -> infinity; None for a model that collapses. Both are None where it
        is not known whether noise accumulates. Either number is nan if
        double precision cannot resolve it, see :mod:`mcjax.laws.first_order.limits`.
    sources : tuple of tuple of str or Vertex
        Members of each collapse origin that reaches the model.
    anchors : tuple of Anchor
        The false anchors that reach the model.
    explosions : tuple of tuple of str
        Members of each exploding component that reaches the model.
    path : tuple of str or Vertex
        A shortest path along the data flow from a member of a collapse origin, or of an exploding
        component, to the model. The path of a member holds the member alone, that of a stable model
        is empty.
    frozen : bool
        Whether the model has no feeds in the long run, and so keeps its estimate.
    phases : sequence of PhaseVerdict
        The verdict on each phase, if feeds come and go, or in each network that is drawn.
    certain : bool
        Whether the verdict is the same wherever unknown data come from. Growth and limit are then
        those of the worst case. Otherwise ``noise`` is None if that is what depends on them, and
        other numbers are those of the best case.
    deciding : Deciding or None
        The smallest feed of unknown data that alone decides whether noise accumulates in the model;
        None where nothing unknown decides, or readers keep a selection.
    relative : tuple of float
        ``c_ii`` in generations 1, 5 and 20 and as t -> infinity over that at generation 0; infinite
        in the limit of a model that collapses, and nan where it is not known.
    doubles, tenfold : int or None
        The first generation at which ``c_ii`` is twice, or ten times, that at generation 0; None if
        there is none, or it is not known.
    """

    noise: bool | None
    forgets: bool
    explodes: bool
    radius: float | None
    growth: float | None
    limit: float | None
    sources: tuple[tuple[Member, ...], ...]
    anchors: tuple[Anchor, ...]
    explosions: tuple[tuple[Member, ...], ...]
    path: tuple[Member, ...]
    frozen: bool
    phases: Sequence[PhaseVerdict] = ()
    certain: bool = True
    deciding: Deciding | None = None
    relative: tuple[float, ...] = (math.nan,) * 4
    doubles: int | None = None
    tenfold: int | None = None

    @property
    def fate(self) -> tuple[str, str]:
        """Fate of the model: whether it collapses, and how, in a few words each."""
        forgets = "forgets the truth" if self.forgets else ""
        if self.explodes:
            return "collapses", "; ".join(filter(None, ("errors explode", forgets)))
        if self.noise is None:
            return "not known" if self.certain else "depends on unknown data", forgets
        rate = f"{number(self.growth)} per generation" if self.noise else ""
        limit = "" if self.noise else f"{number(self.limit)} in the limit"
        told = "; ".join(filter(None, (rate, limit, forgets)))
        return ("collapses" if self.noise else "stable"), told

    @property
    def collapses(self) -> bool | None:
        """True if the variance of its estimate grows without bound; None if that is not known."""
        return self.explodes or self.noise


class Counts(NamedTuple):
    """Numbers of models that fail, whether they are asked for or not.

    Attributes
    ----------
    models : int
        Number of models of the network.
    collapse, unknown, forget : int
        Numbers of those that collapse, of which that is not known, and that forget the truth.
    depends : int
        Number of those of which it depends on unknown data whether they collapse, or forget.
    """

    models: int
    collapse: int
    unknown: int
    forget: int
    depends: int = 0

    @classmethod
    def of(cls, verdicts: Iterable[ModelVerdict]) -> Counts:
        """Return how many of some models fail."""
        rows = [
            (v.collapses is True, v.collapses is None and v.certain, v.forgets, not v.certain)
            for v in verdicts
        ]
        return cls(len(rows), *(sum(column) for column in zip(*rows, strict=True)))


UNCOUNTED = Counts(0, 0, 0, 0)
"""Stands for the counts of the verdicts themselves."""


@dataclass(frozen=True, repr=False)
class Diagnosis(Summarised):
    """The verdict on a network.

    Attributes
    ----------
    models : mapping of str to ModelVerdict
        The verdict on each model, in the order of the network; if models were asked for, on these.
    unstable_sources : tuple of CollapseOrigin
        The collapse origins of the network.
    explosions : tuple of Explosion
        The components of the network that explode.
    repairs : tuple of Edge
        A smallest set of new real feeds after which no origin is left of ``unstable_sources``; to
        models in a phase, if feeds come and go.
    flips : tuple of Edge
        Every single new feed that makes a stable model collapse, other than by an explosion; none
        is looked for where fits are penalised or take steps, readers keep a selection, or feeds
        come and go.
    inapplicable : str
        Why ``radius`` is not known, explosion was not examined, and ``noise`` may be unknown; empty
        where they are known.
    finite_sample : FiniteSample or str, optional
        The exact law for linear regressions at the network's sample counts, or the reason why it
        does not apply; None if the number of parameters was not given.
    drawn : bool
        Whether feeds are drawn, so that phases are networks and rates are of mean squares.
    in_any_order : bool
        Whether it is known that nothing collapses in whatever order the networks come that take
        turns or are drawn.
    dangers : tuple of Danger
        The most harmful new feeds, also of large networks, the worst first: those after which the
        error of their reader doubles soonest, and of these such that make most models collapse.
        A feed is taken to have as many rows as its reader reads.
    flips_sought : bool
        Whether ``flips`` were looked for.
    note : str
        Of models whose fits take steps from a start: by what verdicts are; empty for others.
    groups : dict of str to tuple of str
        The members of those of ``models`` that are groups.
    worst_case, best_case : Diagnosis or None
        If the network reads data of unknown origin, its diagnosis if they come from a closed loop,
        and if they are real; see :mod:`mcjax.network.unknown`.
    counts : Counts
        How many models of the network fail.
    rates : bool
        Whether rates were looked for, as they are up to 2,000 models, or for those asked for.
    nearest : tuple of int
        To how many models each collapse origin is the nearest one; empty up to 2,000 models.
    every : mapping of str to ModelVerdict, optional
        The verdicts on all models; defaults to ``models``.
    worth : Worth or None
        What one sample more is worth to stable models, where that is known.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.ring(2, samples=100, initial=100)
    >>> mcjax.diagnose(network)
    Diagnosis: 2 of 2 models collapse; smallest cure: real -> 0
      0  collapses  0.01 per generation
      1  collapses  0.01 per generation
    """

    models: Mapping[str, ModelVerdict]
    unstable_sources: tuple[CollapseOrigin, ...]
    explosions: tuple[Explosion, ...]
    repairs: tuple[Edge, ...]
    flips: tuple[Edge, ...]
    inapplicable: str = ""
    finite_sample: FiniteSample | str | None = None
    drawn: bool = False
    in_any_order: bool = False
    flips_sought: bool = False
    dangers: tuple[Danger, ...] = ()
    note: str = ""
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    worst_case: Diagnosis | None = None
    best_case: Diagnosis | None = None
    counts: Counts = UNCOUNTED
    rates: bool = True
    nearest: tuple[int, ...] = ()
    every: Mapping[str, ModelVerdict] = field(default_factory=dict)
    worth: Worth | None = None

    def __post_init__(self) -> None:
        if self.counts is UNCOUNTED:
            object.__setattr__(self, "counts", Counts.of(self.models.values()))
        if not self.every:
            object.__setattr__(self, "every", self.models)

    def _summary(self) -> Summary:
        size, doomed, unknown, _, depends = self.counts
        title = f"Diagnosis: {doomed:,} of {how_many(size, 'model')} collapse"
        if doomed == 1:
            title += "s"
        title += f", {unknown:,} unknown" if unknown else ""
        title += f", of {depends:,} it depends on unknown data" if depends else ""
        if self.repairs:
            cure = (f"{origin} -> {reader}" for origin, reader in self.repairs)
            title += f"; smallest cure: {few(cure, len(self.repairs))}"
        rows = ((name, *verdict.fate) for name, verdict in self.models.items())
        return Summary(title, rows, len(self.models))

    @property
    def collapses(self) -> bool | None:
        """True if any model collapses; None if none is known to, and some may."""
        open_ = self.counts.unknown or self.counts.depends
        return True if self.counts.collapse else None if open_ else False

    @property
    def certain(self) -> bool:
        """True if no verdict depends on the origin of unknown data."""
        return not self.counts.depends

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as plain data, in which a number that is not finite is None."""
        return {key: dict(v) if isinstance(v, Iterator) else v for key, v in self._parts().items()}

    def json_pieces(self, read: str) -> Iterator[str]:
        """Yield the diagnosis as JSON, of many models piece by piece.

        Parameters
        ----------
        read : str
            What was read.
        """
        return json_pieces({"read": read, **self._parts()})

    def _parts(self) -> dict[str, Any]:
        """Return the diagnosis as plain data, the verdicts on its models as an iterator."""
        exact, cases = self.finite_sample, self._cases_json()
        if isinstance(exact, str):
            finite: dict[str, Any] | None = {"inapplicable": exact}
        else:
            finite = None if exact is None else exact.to_json()
        return {
            "collapses": self.collapses,
            "certain": self.certain,
            "models": ((name, with_cases(name, v, cases)) for name, v in self.models.items()),
            **cases,
            **({"groups": self.groups} if self.groups else {}),
            "unstable_sources": [
                {
                    "members": members_json(origin.members),
                    "period": origin.period,
                    "blind": list(origin.blind),
                }
                for origin in self.unstable_sources
            ],
            "explosions": [
                {"members": list(explosion.members), "radius": explosion.radius}
                for explosion in self.explosions
            ],
            "inapplicable": self.inapplicable or None,
            "repairs": [
                {"from": origin, "to": reader.model, "phase": reader.phase}
                if isinstance(reader, Vertex)
                else {"from": origin, "to": reader}
                for origin, reader in self.repairs
            ],
            "flips": [{"from": origin, "to": reader} for origin, reader in self.flips],
            "dangers": [
                {"from": d.origin, "to": d.reader, "harmed": d.harmed, "doubles": d.doubles}
                for d in self.dangers
            ],
            "finite_sample": finite,
            **({"note": self.note} if self.note else {}),
            "drawn": self.drawn,
            "in_any_order": self.in_any_order,
            "counts": self.counts._asdict(),
            "rates": self.rates,
            "worth": None if self.worth is None else worth_json(self.worth, self.models),
        }

    def _cases_json(self) -> dict[str, dict[str, Any]]:
        """Return the verdicts on all models in the worst and the best case, if they differ."""
        cases = {"worst_case": self.worst_case, "best_case": self.best_case}
        return {
            name: {model: verdict_json(v) for model, v in case.models.items()}
            for name, case in cases.items()
            if case is not None and not self.certain
        }
