"""The verdicts on the models of a network of constant feeds, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from mcjax.diagnosis.failure import Failures
from mcjax.diagnosis.graph import Origins, Paths, Reaching
from mcjax.diagnosis.rates import Rates
from mcjax.diagnosis.verdict import ModelVerdict
from mcjax.laws.collapse.components import DataFlow, Member
from mcjax.laws.first_order.time_to_harm import generations
from mcjax.network.network import Network


class Verdicts(Mapping[str, ModelVerdict]):
    """The verdicts on the models of a network, in its order.

    Parameters
    ----------
    net : Network
        The network of the generation that stays.
    flow : DataFlow
        Its data flow.
    failures : Failures
        How models fail.
    rates : Rates
        How fast.

    Attributes
    ----------
    paths : Paths
        From where failures begin to the models.
    """

    def __init__(self, net: Network, flow: DataFlow, failures: Failures, rates: Rates):
        self._net, self._failures, self._rates = net, failures, rates
        self._sources = Reaching(flow, failures.origins)
        self._exploding = Reaching(flow, failures.explosions)
        begins: Origins = (*failures.origins, *failures.explosions)
        self.paths = Paths(flow, begins)

    def __iter__(self) -> Iterator[str]:
        return iter(self._net.models)

    def __len__(self) -> int:
        return self._net.size

    @cached_property
    def _frozen(self) -> tuple[bool, ...]:
        return self._net.frozen

    def __getitem__(self, name: str) -> ModelVerdict:
        i, failures, rates = self._net.index[name], self._failures, self._rates
        unknown, explodes = bool(failures.unknown[i]), bool(failures.explodes[i])
        fails = bool(failures.noise[i]) or explodes
        path: tuple[Member, ...] = tuple(self._net.models[k] for k in self.paths(i))
        return ModelVerdict(
            noise=None if unknown else bool(failures.noise[i]),
            forgets=bool(failures.forgets[i]),
            explodes=explodes,
            radius=float(failures.radius[i]) if failures.cyclic[i] else None,
            growth=float(rates.growth[i]) if fails and not explodes else None,
            limit=None if fails or unknown else float(rates.limit[i]),
            sources=self._sources(i),
            anchors=failures.anchors[i],
            explosions=self._exploding(i),
            path=path,
            frozen=self._frozen[i],
            relative=tuple(rates.relative[:, i].tolist()),
            doubles=generations(rates.doubles[i]),
            tenfold=generations(rates.tenfold[i]),
        )
