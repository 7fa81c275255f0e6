"""The network as data: built from Python, networkx, a file or by name. Imports no JAX."""

from mcjax.network.graphs import from_networkx
from mcjax.network.influence import influence
from mcjax.network.network import REAL, Feed, Network, network

__all__ = ["REAL", "Feed", "Network", "from_networkx", "influence", "network"]
