"""Say of which networks the real data can be designed."""

from __future__ import annotations

from mcjax.design.demand import Aim
from mcjax.diagnosis.long_run import Facts, alike
from mcjax.errors import InputError
from mcjax.network.network import Network

MOST_MODELS = 1_000
MOST_LIMITED = 100
"""Largest numbers of models: with a sum of errors, and with a largest error or targets."""


def check_network(net: Network, facts: Facts, aim: Aim) -> None:
    """Raise InputError for a network whose real data cannot be designed.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model.
    aim : {"mean", "max", "weights", "cost"}
        What is made small.
    """
    most = MOST_MODELS if aim in ("mean", "weights") else MOST_LIMITED
    remedy = "a part of the network" if aim in ("mean", "weights") else "a budget for their mean"
    if net.size > most:
        problem = f"are {net.size:,}, and such a design takes at most {most:,}"
        raise InputError("network.models", f"{problem}; give {remedy}")
    if not net.memory.current_only:
        problem = f"is {net.memory.name!r}, and a design is for data that are replaced"
        raise InputError("network.memory", f"{problem}; give 'replace'")
    if not net.later.constant or net.later.random:
        problem = "change with time, and a design is for feeds that stay"
        raise InputError("network.feeds", f"{problem}; give those of the long run")
    if net.reuses_real:
        problem = "is 'reused': real rows are then those of generation 0, and their number is fixed"
        raise InputError("network.real", f"{problem}; give 'fresh'")
    if facts.steps:
        problem = "takes steps from a start, and a design is for fits to the minimum"
        raise InputError("estimator", f"{problem}; leave [estimator] out")
    own = any(s.theta is not None or s.shift is not None for s in net.sources)
    again = any(not net.renews(source.name) for source in net.sources)
    if own or again or not alike(net, facts):
        problem = (
            "are of several laws, or penalised, selected or used again, and a design is for whole,"
            " fresh samples of one law"
        )
        raise InputError("network", f"has data that {problem}; leave that out")
