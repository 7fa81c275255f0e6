"""Studies of generators: which networks to simulate, for how long and how often."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.errors import InputError, did_you_mean
from mcjax.generators.generator import Generator
from mcjax.network import Network
from mcjax.network.checks import MOST_SIMULATED
from mcjax.numbers import check_between, check_share, how_many
from mcjax.summaries import Summarised, Summary

Start = Literal["scratch", "base", "own"]
"""Start of fits after generation 0: ``init`` anew, the model's parameters of generation 0, or its
last."""
BEGINS: dict[Start, Callable[[int], int | None]] = {
    "scratch": lambda generation: None,
    "base": lambda generation: 0,
    "own": lambda generation: generation - 1,
}
"""The generation at whose parameters fits of a generation from 1 on begin; None for ``init``."""
LAWS = ("theta", "shift", "covariance", "noise", "data")
"""Fields of sources that are for statistical models."""
UNWEIGHTED = (
    "a weight, of which fit(key, params, rows) knows nothing; give samples instead, or define"
    " fit(key, params, rows, weights)"
)


@explained
@dataclass(frozen=True, repr=False)
@checked_fields
class GeneratorCondition(Summarised):
    """A network of generators.

    Attributes
    ----------
    network : Network
        Who feeds whom. Models fit the data of one generation. Feeds have weight 1 unless fits take
        weights, and real sources are those of the generator.
    generator : Generator
        What every model is.
    name : str
        Unique in a study.
    label : str
        Together with the seed, determines the random draws. Conditions that differ in their
        networks alone are paired: they have all draws in common until their data differ.
    seed : int
        Seed of the draws, from 0 to 2**64 - 1.
    start : {"scratch", "base", "own"}
        Where fits after generation 0 begin: at ``init``, at the model's parameters of generation
        0, or at its last parameters.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> gaussian = mcjax.Generator(
    ...     init=lambda key: 0.0,
    ...     fit=lambda key, params, rows: rows.mean(),
    ...     sample=lambda key, params, n: params + jax.random.normal(key, n),
    ...     measure=lambda key, params, rows: {"mean": params},
    ...     real=lambda key, n: jax.random.normal(key, n),
    ...     name="gaussian",
    ... )
    >>> ring = mcjax.topologies.ring(3, samples=100, initial=100)
    >>> mcjax.GeneratorCondition(ring, gaussian)
    GeneratorCondition: gaussian
      network  3 models, 3 feeds
      seed     0
      start    scratch
    """

    network: Network
    generator: Generator
    name: str = ""
    label: str = ""
    seed: int = 0
    start: Start = "scratch"

    def __post_init__(self) -> None:
        _check_network(self.network, self.generator)
        if self.start not in get_args(Start):
            hint = did_you_mean(self.start, get_args(Start))
            known = ", ".join(map(repr, get_args(Start)))
            raise InputError("estimator.start", f"is {self.start!r}, not one of {known}{hint}")
        check_between("run.seed", self.seed, 0, 2**64 - 1)

    def _summary(self) -> Summary:
        rows = [("network", self.network.heading), ("seed", str(self.seed)), ("start", self.start)]
        name = f" {self.name!r}" if self.name else ""
        return Summary(f"GeneratorCondition{name}: {self.generator.name}", rows, len(rows))

    def begins_at(self, generation: int) -> int | None:
        """Return the generation at whose parameters fits begin; None if at those of ``init``."""
        return BEGINS[self.start](generation) if generation else None

    @property
    def remembers(self) -> bool:
        """True if a fit begins at what the model learned in the generation before."""
        return self.begins_at(2) == 1

    @property
    def forgets(self) -> bool:
        """True if a fit knows nothing but its rows."""
        return self.begins_at(1) is None

    def described(self) -> dict[str, Any]:
        """Return what the numbers of its chains depend on, as plain data."""
        return {
            "label": self.label,
            "seed": self.seed,
            "network": self.network.described(),
            "generator": {"name": self.generator.name, "digest": self.generator.digest},
            "start": self.start,
        }


def _check_network(net: Network, generator: Generator) -> None:
    """Check that a network asks nothing of a generator that its functions cannot do."""
    tables = (net.first, *(g.feeds for g in net.later.generations))
    weighted = any(feed.weight != 1 for feeds in tables for feed in feeds)
    without = sorted({source.name for source in net.sources} - set(generator.sources))
    named = ", ".join(map(repr, without))
    known = f" (it has {', '.join(map(repr, generator.sources))})" if generator.sources else ""
    lawful = any(getattr(source, field) is not None for source in net.sources for field in LAWS)
    for wrong, problem in (
        (not net.memory.current_only, "a memory of earlier data; take memory 'replace'"),
        (without, f"sources that the generator has not: {named}{known}; give it sources, by name"),
        (lawful, f"a source with {', '.join(LAWS)}, which only statistical models have; drop it"),
        (bool(net.selections), "a feed with keep; leave it out"),
        (net.later.random, "feeds that are drawn; leave out their probabilities"),
        (weighted and not generator.weighs, UNWEIGHTED),
        (net.size > MOST_SIMULATED, f"{net.size:,} models; give at most {MOST_SIMULATED:,}"),
    ):
        if wrong:
            raise InputError("network", f"has, for generators, {problem}")


@explained
@dataclass(frozen=True, repr=False)
@checked_fields
class GeneratorStudy(Summarised):
    """Networks of generators, simulated under common settings.

    Attributes
    ----------
    conditions : tuple of GeneratorCondition
        The networks.
    generations : int
        Number T of generations after generation 0.
    chains : int
        Number C of chains of each condition.
    tolerance : float
        Share of a measure's whole change that still counts as none.
    confidence : float
        Confidence level of all verdicts together.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> gaussian = mcjax.Generator(
    ...     init=lambda key: 0.0,
    ...     fit=lambda key, params, rows: rows.mean(),
    ...     sample=lambda key, params, n: params + jax.random.normal(key, n),
    ...     measure=lambda key, params, rows: {"mean": params},
    ...     real=lambda key, n: jax.random.normal(key, n),
    ...     name="gaussian",
    ... )
    >>> ring = mcjax.topologies.ring(3, samples=100, initial=100)
    >>> mcjax.GeneratorStudy((mcjax.GeneratorCondition(ring, gaussian, name="ring"),), chains=64)
    GeneratorStudy: 1 condition, 10 generations, 64 chains
      ring  gaussian  3 models, 3 feeds
    """

    conditions: tuple[GeneratorCondition, ...]
    generations: int = 10
    chains: int = 64
    tolerance: float = 0.2
    confidence: float = 0.99

    def __post_init__(self) -> None:
        if not self.conditions:
            raise InputError("grid", "has no condition")
        for name, count in Counter(c.name for c in self.conditions).items():
            if count > 1:
                raise InputError("grid", f"makes the condition {name!r} twice; drop one")
        check_between("run.generations", self.generations, 0, 1_000_000)
        check_between("run.chains", self.chains, 2, 2**32 - 1)
        for field in ("tolerance", "confidence"):
            check_share(f"run.{field}", getattr(self, field))

    def _summary(self) -> Summary:
        counts = (
            how_many(len(self.conditions), "condition"),
            how_many(self.generations, "generation"),
            how_many(self.chains, "chain"),
        )
        rows = ((c.name, c.generator.name, c.network.heading) for c in self.conditions)
        return Summary(f"GeneratorStudy: {', '.join(counts)}", rows, len(self.conditions))

    def described(self) -> dict[str, Any]:
        """Return what the numbers depend on as plain data; the number of chains may change."""
        return {
            "generations": self.generations,
            "conditions": [condition.described() for condition in self.conditions],
        }

    @property
    def identity(self) -> str:
        """A digest of :meth:`described`."""
        text = json.dumps(self.described(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
