"""Examples of generated rows: texts or pictures, as a generator shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from mcjax.errors import InputError
from mcjax.faults import users_code, where
from mcjax.generators.generator import SHOW, Generator
from mcjax.generators.study import GeneratorCondition

SHOWN = 2
"""Rows of each model and generation that reports show."""
EXPECTATIONS = "expectations of rows, which no model reads"
"""Words for what a generator with ``expected`` shows."""

Shown = Shaped[np.ndarray, "t+1 M 2 ..."]


def notes_of(
    conditions: Sequence[GeneratorCondition], shown: Sequence[Shown | None]
) -> Iterator[str]:
    """Yield what has to be said of what is shown, and of what is not."""
    pairs = list(zip(conditions, shown, strict=False))
    if any(rows is not None and c.generator.expected is not None for c, rows in pairs):
        yield f"Samples are {EXPECTATIONS}"
    lost = [c.name for c, rows in pairs if rows is None and c.generator.show is not None]
    if lost:
        where = f" of {', '.join(lost)}" if any(lost) else ""
        yield (
            f"No samples{where} are shown, because the folder is of an earlier version of mcjax,"
            " which did not keep them; a new folder will have them"
        )


def shown_of(generator: Generator, rows: Any) -> Shaped[np.ndarray, "2 ..."]:
    """Return texts or pictures of rows.

    Raises
    ------
    InputError
        If the generator's function fails, or returns something else than one for each row.
    """
    assert generator.show is not None
    rows = jax.tree.map(np.asarray, rows)
    with users_code("family.show", generator.show):
        found = np.asarray(generator.show(rows))
    if found.shape[:1] != (SHOWN,) or found.dtype.kind not in "biufU":
        problem = f"returned {found.dtype}{list(found.shape)} for {SHOWN} rows"
        remedy = f"let {SHOW} return a list of texts, or an array of numbers for each"
        raise InputError("family.show", f"{problem}{where(generator.show)}; {remedy}")
    return found
