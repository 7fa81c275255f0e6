"""The network as data: built from Python, networkx, a file or by name. Imports no JAX."""

from mcjax.network import topologies
from mcjax.network.build import build_network
from mcjax.network.data_mediated import data_mediated
from mcjax.network.drawn import Drawn
from mcjax.network.feed import REAL, Feed
from mcjax.network.generation import Generation
from mcjax.network.graphs import from_networkx
from mcjax.network.groups import grouped
from mcjax.network.memory import Accumulate, Memory, Replace, Subsample
from mcjax.network.network import Network
from mcjax.network.source import Source
from mcjax.network.timeline import Growing, Series, Timeline, cycle

__all__ = [
    "REAL",
    "Accumulate",
    "Drawn",
    "Feed",
    "Generation",
    "Growing",
    "Memory",
    "Network",
    "Replace",
    "Series",
    "Source",
    "Subsample",
    "Timeline",
    "build_network",
    "cycle",
    "data_mediated",
    "from_networkx",
    "grouped",
    "topologies",
]
