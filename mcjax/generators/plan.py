"""Plans of studies of generators: how many fits there are, and what chains can tell.

No law says how much a measure varies over chains, so that no number of chains can be announced.
What can be said before any chain runs is how large a mean must be, in standard deviations over
chains, to be told from 0. Contrasts are taken to be normal.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from scipy.optimize import bisect

from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.generators.chains import compiled, readings
from mcjax.generators.contrasts import FEWEST
from mcjax.generators.flip import ARRIVAL
from mcjax.generators.generator import Generator
from mcjax.generators.histories import History, histories
from mcjax.generators.judge import all_claims
from mcjax.generators.keys import FIT, INIT, MEASURE, fit_keys, sample_keys
from mcjax.generators.simulate import COPIES, block_size, measures_of, own_measures_of
from mcjax.generators.study import GeneratorStudy
from mcjax.generators.traced import outline_of
from mcjax.network import REAL
from mcjax.verdicts.skewed_means import p_above, p_below, shape_of

RUNGS = (4, 8, 16, 32, 64)
"""Numbers of chains that a plan tells of, beside that of the study."""

DRAWS, MOST_DRAWN = 2000, 1024
"""Draws behind a power, and largest number of chains that are drawn; the power of more is that of
these with smaller standard errors."""

FARTHEST = 1e6
"""Largest mean, in standard deviations, that is tried."""


class Fits(NamedTuple):
    """Fits of one number of rows.

    Attributes
    ----------
    generator : Generator
        What is fitted.
    rows : int
        Rows of a fit.
    fits : int
        Number of fits in all chains that run.
    steps : int or None
        How often the outermost loops of a fit turn; None if that depends on the data.
    """

    generator: Generator
    rows: int
    fits: int
    steps: int | None


class Told(NamedTuple):
    """Means that some chains tell, in standard deviations over chains.

    Attributes
    ----------
    chains : int
        Number of chains.
    difference : float
        The least mean slope or paired difference that is told from 0.
    margin : float
        The least tolerated change within which a mean of 0 is verified to lie.
    """

    chains: int
    difference: float
    margin: float


class GeneratorPlan(NamedTuple):
    """A plan of a study of generators.

    Attributes
    ----------
    claims : dict of (str, str) to int
        Number of claims that share the error budget, by kind and law.
    told : list of Told
        What numbers of chains tell, with the power that was asked for, one claim at a time.
    fits : list of Fits
        The fits, with those of chains that only fill a block.
    block : int
        Chains that run together.
    bytes : int
        Approximate size of the rows and parameters of a block.
    kept : int
        Size of the measures that are kept.
    """

    claims: dict[tuple[str, str], int]
    told: list[Told]
    fits: list[Fits]
    block: int
    bytes: int
    kept: int


def plan_generators(study: GeneratorStudy, power: float) -> GeneratorPlan:
    """Return the plan of a study; nothing is simulated."""
    claims = _claims(study)
    budget = sum(count for (kind, _), count in claims.items() if kind != ARRIVAL)
    level = (1 - study.confidence) / max(budget, 1)
    size, shapes = block_size(study), zip(study.conditions, measures_of(study), strict=True)
    fits = _fits(study, size * math.ceil(study.chains / size))
    largest = max(outline_of(one.generator, one.rows, own=False).bytes for one in fits)
    numbers = sum(condition.network.size * len(names) for condition, names in shapes)
    return GeneratorPlan(
        claims=claims,
        told=[
            told_by(chains, level, power)
            for chains in sorted({*RUNGS, study.chains})
            if budget and chains >= FEWEST
        ],
        fits=fits,
        block=size,
        bytes=size * COPIES * largest,
        kept=8 * study.chains * (study.generations + 1) * numbers,
    )


def _claims(study: GeneratorStudy) -> dict[tuple[str, str], int]:
    """Return how many claims are judged; which they are does not depend on what is measured."""
    names, draws = own_measures_of(study), np.random.default_rng(0)
    drawn: dict[History, np.ndarray] = {}  # models with common draws measure the same
    values = []
    for condition, own in zip(study.conditions, names, strict=True):
        rows = histories(condition, study.generations)
        for history in (history for models in rows for history in models):
            if history not in drawn:
                drawn[history] = draws.normal(size=(FEWEST, len(own)))
        measured = np.array([[drawn[history] for history in models] for models in rows])
        values.append(measured.transpose(2, 0, 1, 3))
    judged = (claim.place for claim, why in all_claims(study, values, names) if not why)
    return dict(Counter((place.quantity.partition("(")[0], place.law) for place in judged))


def _fits(study: GeneratorStudy, chains: int) -> list[Fits]:
    counts: Counter[tuple[Generator, int]] = Counter(
        (condition.generator, sum(read.rows for read in incoming))
        for condition in study.conditions
        for reads in readings(condition.network, study.generations)
        for incoming in reads
        if incoming
    )
    return [
        Fits(generator, rows, chains * count, outline_of(generator, rows, own=False).steps)
        for (generator, rows), count in counts.items()
    ]


def told_by(chains: int, level: float, power: float) -> Told:
    """Return what some chains tell at a level, by the intervals that verdicts have.

    The mean of ``difference`` is told from 0 with the power. A mean of 0 is verified to lie within
    ``margin`` with it, which takes both ends.

    Notes
    -----
    Intervals are widened by the skewness that is estimated, also of normal contrasts, so that the
    power with few chains is less than that of Student's test. It is found by :data:`DRAWS` draws.
    """
    drawn = min(chains, MOST_DRAWN)
    draws = np.random.default_rng(0).normal(size=(drawn, DRAWS))
    mean, error, freedom = draws.mean(0), draws.std(0, ddof=1) / math.sqrt(drawn), drawn - 1
    shape = shape_of(draws)
    mirrored = shape._replace(skewness=-shape.skewness)

    def differs(size: float) -> float:
        t = (mean + size) / error
        return float((2 * p_above(t, freedom, shape) < level).mean())

    def settles(size: float) -> float:
        ends = ((mean - size) / error, shape), ((-mean - size) / error, mirrored)
        beyond = [p_below(t, freedom, own) for t, own in ends]
        return float((2 * np.maximum(*beyond) < level).mean())

    scale = math.sqrt(drawn / chains)
    return Told(chains, scale * _least(differs, power), scale * _least(settles, power))


def _least(share: Callable[[float], float], power: float) -> float:
    """Return where a share that grows to 1 reaches the power; infinite if nowhere."""
    if share(0.0) >= power:
        return 0.0
    most = 1.0
    while share(most) < power:
        most *= 2
        if most > FARTHEST:
            return math.inf
    return float(bisect(lambda size: share(size) - power, 0.0, most, xtol=1e-4 * most))


class Timed(NamedTuple):
    """Seconds that compiling and running the functions of a fit take, for a block of chains."""

    compiling: float
    running: float


def time_of(generator: Generator, rows: int, chains: int) -> Timed:
    """Fit, measure and draw rows for a block of chains, twice, and return how long that takes."""
    run, keys = compiled(generator), chain_keys(0, 0, np.arange(chains, dtype=np.uint32))
    weights: Sequence[object] = (np.ones((chains, rows), np.float32),) if generator.weighs else ()

    def once() -> float:
        began = time.perf_counter()
        drawn = run.joined([run.real((rows, REAL), sample_keys(keys, 0, 0))])
        start = run.init(fit_keys(keys, 0, 0, INIT))
        params = run.fit(fit_keys(keys, 0, 0, FIT), start, drawn, *weights)
        found = run.measure(fit_keys(keys, 0, 0, MEASURE), params, drawn)
        jax.block_until_ready((found, run.sample(rows, sample_keys(keys, 1, 0), params)))
        return time.perf_counter() - began

    with own_settings():
        first, second = once(), once()
    return Timed(max(0.0, first - second), second)
