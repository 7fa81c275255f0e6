"""The network as data: built from Python, networkx, a file or by name. Imports no JAX."""

from mcjax.network import topologies
from mcjax.network.data_mediated import data_mediated
from mcjax.network.graphs import from_networkx
from mcjax.network.memory import Accumulate, Memory, Replace, Subsample
from mcjax.network.network import REAL, Feed, Network, build_network
from mcjax.network.source import Source

__all__ = [
    "REAL",
    "Accumulate",
    "Feed",
    "Memory",
    "Network",
    "Replace",
    "Source",
    "Subsample",
    "build_network",
    "data_mediated",
    "from_networkx",
    "topologies",
]
