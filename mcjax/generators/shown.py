"""Examples of generated rows: texts or pictures, as a generator shows them."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from mcjax.errors import InputError
from mcjax.faults import users_code, where
from mcjax.generators.generator import SHOW, Generator

SHOWN = 2
"""Rows of each model and generation that reports show."""

Shown = Shaped[np.ndarray, "t+1 M 2 ..."]


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
