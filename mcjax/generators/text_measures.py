"""Measures of text that need no other model: how many n-grams there are, and how alike texts are.

Rows are sequences of tokens, which are numbers from 0 on.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Integer

Tokens = Integer[Array, "N L"]


def distinct_ngrams(rows: Tokens, n: int = 2) -> Array:
    """Return how many different n-grams rows of tokens have; none crosses the end of a row.

    Parameters
    ----------
    rows : array
        Tokens, shape (N, L).
    n : int
        Length of an n-gram, at most L.

    Returns
    -------
    array
        The number, int32.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from mcjax.generators.text_measures import distinct_ngrams
    >>> int(distinct_ngrams(jnp.array([[0, 1, 0, 1], [1, 1, 0, 1]])))  # 01, 10 and 11
    3
    """
    starts = rows.shape[1] - n + 1
    columns = jax.lax.sort([rows[:, k : k + starts].ravel() for k in range(n)], num_keys=n)
    new = jnp.stack([column[1:] != column[:-1] for column in columns]).any(0)
    return 1 + new.sum(dtype="int32")
