"""An allocation of real rows to models, with what it brings and what stays at risk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from mcjax.design.aims import Aim
from mcjax.design.exact import ExactErrors
from mcjax.design.offers import Offer
from mcjax.design.robust import Robustness
from mcjax.design.weighting import Weighted
from mcjax.diagnosis.cures import Edge
from mcjax.network.network import Network


class Objective(NamedTuple):
    """The quantity that a design minimises, and its values.

    Attributes
    ----------
    aim : Aim
        What it is.
    before : float
        Its value in the file, infinite where an error grows without bound.
    after : float
        Its value at the best allocation.
    bound : float or None
        What no allocation undercuts; None if that is not known.
    rows : float
        Its value at whole rows.
    """

    aim: Aim
    before: float
    after: float
    bound: float | None
    rows: float


class Share(NamedTuple):
    """The real rows of a model in each generation, and its error in the long run.

    Attributes
    ----------
    before : int
        Rows in the file.
    after : float
        Rows of the best allocation.
    rows : int
        Whole rows.
    cost : float
        Cost of the rows of the best allocation.
    value : float
        By how much a unit of cost more, spent here, would lower the objective.
    errors : tuple of float
        Errors before, after, and at whole rows; infinite where they grow without bound.
    """

    before: int
    after: float
    rows: int
    cost: float
    value: float
    errors: tuple[float, float, float]


class Risk(NamedTuple):
    """Changes that would make a model collapse after all.

    Attributes
    ----------
    lost : tuple of Edge or None
        Single feeds whose loss would; None if there are too many feeds to ask.
    added : tuple of Edge or None
        Single feeds between models that would if they were added; None if there are too many.
    explodes : tuple of str
        Linear regressions whose errors explode by the exact law, because fits have few rows.
    holds : dict of str to bool
        For each kind of change, whether nothing collapses after it
        (:mod:`mcjax.design.robust`).
    """

    lost: tuple[Edge, ...] | None
    added: tuple[Edge, ...] | None
    explodes: tuple[str, ...]
    holds: dict[str, bool]


@dataclass(frozen=True)
class Allocation:
    """An allocation of real rows to the models of a network.

    Attributes
    ----------
    objective : Objective
        What is made small.
    budget : float
        What rows may cost; infinite with targets.
    given : str
        What is given, in a sentence.
    share : float or None
        With feeds of one size, of what the best feeds beyond a smallest cure take off, the share
        that these take off at least; None without.
    shares : dict of str to Share
        The rows and errors of each model.
    cures : tuple of Offer
        The cheapest feeds that end the collapse of the file's network.
    robust : Robustness or None
        After which changes nothing was to collapse.
    bought : tuple of Offer
        The real feeds that see to that, each of at least a row.
    weighted : Weighted or None
        The best weights of the feeds, if that was asked.
    doubt : str
        Why the optimum is a local one, and without a bound; empty if it is the optimum.
    risk : Risk
        What would make a model collapse after all.
    network : Network
        The network with the whole rows, and with the weights if there are any.
    exact : ExactErrors or None
        Of linear regressions the errors by the exact law, where that is known; without the weights.
    """

    objective: Objective
    budget: float
    given: str
    share: float | None
    shares: dict[str, Share]
    cures: tuple[Offer, ...]
    robust: Robustness | None
    bought: tuple[Offer, ...]
    weighted: Weighted | None
    doubt: str
    risk: Risk
    network: Network
    exact: ExactErrors | None

    @property
    def gap(self) -> float | None:
        """Largest relative gap between the best allocation and the optimum; None if not known."""
        _, _, after, bound, _ = self.objective
        if bound is None:
            return None
        if after <= bound:
            return 0.0
        return after / bound - 1 if bound > 0 else math.inf

    def to_json(self) -> dict[str, Any]:
        """Return the allocation as plain data, in which a number that is not finite is infinite."""
        return {
            "objective": {
                **self.objective._asdict(),
                "aim": self.objective.aim.name,
                "gap": self.gap,
            },
            "budget": self.budget,
            "certified": not self.doubt,
            "guarantee": self.share,
            "doubt": self.doubt or None,
            "real": {
                name: {key: getattr(share, key) for key in Share._fields[:-1]}
                for name, share in self.shares.items()
            },
            "mse": {
                name: dict(zip(("before", "after", "rows"), share.errors, strict=True))
                for name, share in self.shares.items()
            },
            "cures": _offers(self.cures),
            "robust": {
                "asked": self.robust and self.robust.name,
                "feeds": _offers(self.bought),
                "price": sum(offer.price for offer in self.bought),
                "holds": self.risk.holds,
                "lost": None if self.risk.lost is None else _edges(self.risk.lost),
                "added": None if self.risk.added is None else _edges(self.risk.added),
            },
            "weights": None if self.weighted is None else self.weighted.to_json(),
            "explodes": list(self.risk.explodes),
            "exact": None if self.exact is None else self._exact_json(self.exact),
        }

    def _exact_json(self, exact: ExactErrors) -> dict[str, dict[str, float]]:
        pairs = zip(exact.before.tolist(), exact.rows.tolist(), strict=True)
        named = zip(self.shares, pairs, strict=True)
        return {name: {"before": before, "rows": rows} for name, (before, rows) in named}


def _offers(offers: tuple[Offer, ...]) -> list[dict[str, Any]]:
    return [{"from": one.origin, "to": one.reader, "cost": one.price} for one in offers]


def _edges(edges: tuple[Edge, ...]) -> list[dict[str, str]]:
    return [{"from": origin, "to": str(reader)} for origin, reader in edges]
