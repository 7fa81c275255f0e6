"""Counts of a study that are too small for a fit, or too large for memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcjax.errors import InputError
from mcjax.network import Network
from mcjax.network.checks import MOST_SIMULATED
from mcjax.numbers import how_many

if TYPE_CHECKING:
    from mcjax.models.model import Model
    from mcjax.study.study import Condition

MOST_NUMBERS = 2**30
"""Largest number of covariances that the laws of a condition keep."""


def check_rows(network: Network, model: Model, p: int) -> None:
    """Raise InputError for too many models, or if one has too few rows for p parameters."""
    if network.size + len(network.sources) > MOST_SIMULATED:
        raise InputError(
            "network.models",
            f"are {network.size:,}; a study takes at most {MOST_SIMULATED:,}, and"
            " `mcjax.diagnose(network)` takes more",
        )
    least = p + 1 if model.least_rows is None else model.least_rows
    for i, reader in enumerate(network.models):
        rows = {"network.initial": network.initial[i]}
        fed = [sum(f.samples for f in table[i]) for table in network.tables if table[i]]
        if fed and (network.memory.current_only or network.memory.selects):
            rows["network.feeds"] = min(fed)
        for field, count in rows.items():
            if count < least:
                raise InputError(
                    field,
                    f"gives model {reader!r} {how_many(count, 'sample')} for"
                    f" {how_many(p, 'parameter')}; it needs more than {least - 1}",
                )


def check_size(made: Condition, generations: int) -> None:
    """Raise InputError for a condition whose laws no memory holds."""
    models, p = made.network.size, len(made.theta)
    numbers = max((models * p) ** 2, (generations + 1) * models * p * (p + 2))
    if numbers > MOST_NUMBERS:
        raise InputError(
            "run",
            f"has {how_many(models, 'model')} of {how_many(p, 'parameter')} over"
            f" {how_many(generations, 'generation')}, which take"
            f" {8 * numbers / 2**30:.0f} GiB and more; lower one of these",
        )
