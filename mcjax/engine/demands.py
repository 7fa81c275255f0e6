"""Check that a machine has the memory, and its numbers the digits, that chains need."""

from __future__ import annotations

import math
import os

import numpy as np

from mcjax.chains.layout import MOST_ROWS, PaddedSizes
from mcjax.chains.program import Dtype, Path
from mcjax.errors import InputError
from mcjax.numbers import how_many
from mcjax.study.settings import PRECISIONS
from mcjax.study.study import Condition, Study

UNIT: dict[Dtype, float] = {"float32": 2.0**-24, "float64": 2.0**-53}
"""Unit roundoff, half the distance of 1 from the next number."""


def check_rows(condition: Condition, shape: PaddedSizes) -> None:
    """Raise an InputError if the rows of one fit are more than the memory of the machine holds."""
    numbers = len(condition.covariance) + 1 if condition.model.covariates != 0 else 1
    size = 2 * shape.pairs * numbers * 4
    memory = _memory()
    if 2 * shape.pairs > MOST_ROWS or size > memory:
        known = f" ({memory / 2**30:.0f} GiB)" if math.isfinite(memory) else ""
        raise InputError(
            "network",
            f"has a fit of {how_many(2 * shape.pairs, 'row')}, which are drawn one by one and"
            " do not fit into"
            f" the memory of this machine{known}; lower the samples, or see what `mcjax predict`"
            " says",
        )


def _memory() -> float:
    """Return the bytes of memory of this machine; infinite where it does not say, as Windows."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def precisions(condition: Condition, study: Study, path: Path) -> tuple[Dtype, Dtype]:
    """Return the precisions of draws and of fits.

    Draws in single precision become draws in double precision where the noise would be lost in
    rounding, if the study leaves the choice; so they do where rows of data are drawn, which keep
    their digits. Without rows nothing is lost in draws.

    Raises
    ------
    InputError
        If the noise would be lost in the precision that the study asks for, or in any.
    """
    draws, fits = PRECISIONS[study.precision]
    finest = _finest(condition)
    if UNIT["float64"] > finest:
        raise InputError(
            "family.theta",
            "is one at which labels lose their noise in rounding, even in double precision; use"
            " another origin or another unit",
        )
    if UNIT[fits] > finest:
        raise InputError(
            "run.precision",
            "is 'float32', in which labels of such a truth lose their noise in rounding; choose"
            " 'mixed' or 'float64'",
        )
    lost = path.draws_rows and (UNIT[draws] > finest or condition.sources.from_files)
    return (fits if lost else draws), fits


def _finest(condition: Condition) -> float:
    """Return the largest unit roundoff at which no noise is lost, over all origins of rows."""
    model, laws, net = condition.model, condition.sources, condition.network
    if model.rounding is None:
        return np.inf
    fed = [sum(feed.samples for feed in table[i]) for table in net.tables for i in range(net.size)]
    rows = max(*net.initial, *fed)
    limits = []
    for s, theta in enumerate(laws.theta):
        params = model.params
        if laws.sigma is not None and model.noise_scale is not None:
            params = params | {model.noise_scale: laws.sigma[s]}
        limits.append(model.rounding(params, theta, laws.covariance[s], rows))
    own = () if condition.own_covariances is None else condition.own_covariances
    limits += [model.rounding(model.params, laws.theta[0], covariance, rows) for covariance in own]
    return min(limits)
