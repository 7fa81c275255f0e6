"""Say of which networks the real data can be designed."""

from __future__ import annotations

from mcjax.design.aims import Aim
from mcjax.diagnosis.long_run import Facts, alike
from mcjax.errors import InputError
from mcjax.network.network import Network
from mcjax.network.unknown import check_known


def check_network(net: Network, facts: Facts, aim: Aim) -> None:
    """Raise InputError for a network whose real data cannot be designed.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model.
    aim : Aim
        What is made small.
    """
    check_known(net)
    if net.size > aim.most:
        problem = f"are {net.size:,}, and such a design takes at most {aim.most:,}"
        raise InputError("network.models", f"{problem}; give {aim.remedy}")
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
