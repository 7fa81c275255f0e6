"""Memory rules: the generations whose data are in the pool that a model is fitted to.

A rule is a frozen dataclass derived from :class:`Memory`. Chains, sufficient statistics and laws
ask it what they need to know; none of them asks for its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mcjax.calls import explained

if TYPE_CHECKING:
    from jaxtyping import Bool, Integer

MemoryName = str
"""The name of a built-in rule; :mod:`mcjax.network.registry` lists them."""


@explained
@dataclass(frozen=True)
class Memory:
    """A rule for the pool of a model.

    Attributes
    ----------
    name : str
        In files, tables and messages.
    current_only : bool
        Whether a fit is of the current generation's data alone. Then there is no pool, real data
        may be reused, and chains may run on the fast path.
    adds_up : bool
        Whether the pool of a generation is that of the generation before and the new data. Then
        sums over rows add up, and a model needs to keep nothing else.
    selects : bool
        Whether a fit is of as many rows as a generation feeds, drawn from the pool without
        replacement.
    vanishing : bool
        Whether the share of one generation's data in a fit goes to zero. Then no network collapses.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import mcjax
    >>> @dataclass(frozen=True)
    ... class LastTwo(mcjax.Memory):
    ...     name = "last two"
    ...     def keeps(self, generation, now):
    ...         return (generation <= now) & (generation > now - 2)
    ...
    >>> mcjax.topologies.self_loop(samples=100, initial=100, memory=LastTwo()).memory
    LastTwo()
    """

    name: ClassVar[str]
    current_only: ClassVar[bool] = False
    adds_up: ClassVar[bool] = False
    selects: ClassVar[bool] = False
    vanishing: ClassVar[bool] = False

    def keeps(self, generation: Integer[Any, "*T"], now: Integer[Any, ""]) -> Bool[Any, "*T"]:
        """Return True for past generations whose data are in the pool of generation ``now``.

        Parameters
        ----------
        generation : array of int
            Generations from 0 to T. Those after ``now`` may be among them; they are never in the
            pool.
        now : int
            The generation that is fitted.

        Returns
        -------
        array of bool
            Of the shape of ``generation``; in JAX for arrays of JAX.
        """
        raise NotImplementedError


@explained
@dataclass(frozen=True)
class Replace(Memory):
    """A model is fitted to the data of the current generation alone.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=100, initial=100, memory=mcjax.Replace())
    >>> mcjax.diagnose(network).models["0"].collapses
    True
    """

    name = "replace"
    current_only = True

    def keeps(self, generation: Integer[Any, "*T"], now: Integer[Any, ""]) -> Bool[Any, "*T"]:
        """Return True for the current generation."""
        return generation == now


@explained
@dataclass(frozen=True)
class Accumulate(Memory):
    """A model is fitted to all data that it was ever fed, its generation-0 sample included.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=100, initial=100, memory=mcjax.Accumulate())
    >>> mcjax.diagnose(network).models["0"].collapses
    False
    """

    name = "accumulate"
    adds_up = True
    vanishing = True

    def keeps(self, generation: Integer[Any, "*T"], now: Integer[Any, ""]) -> Bool[Any, "*T"]:
        """Return True for the current generation and all earlier ones."""
        return generation <= now


@explained
@dataclass(frozen=True)
class Subsample(Memory):
    """A model is fitted to as many rows as a generation feeds, drawn from all it was ever fed.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=100, initial=100, memory=mcjax.Subsample())
    >>> mcjax.diagnose(network).models["0"].collapses
    False
    """

    name = "subsample"
    selects = True
    vanishing = True

    def keeps(self, generation: Integer[Any, "*T"], now: Integer[Any, ""]) -> Bool[Any, "*T"]:
        """Return True for the current generation and all earlier ones."""
        return generation <= now
