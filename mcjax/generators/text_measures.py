"""Measures of text that need no other model: how many n-grams there are, and how alike texts are.

Rows are sequences of tokens, which are numbers from 0 on.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Integer

Tokens = Integer[Array, "N L"]


class Likeness(NamedTuple):
    """Likeness of two texts in their pairs of adjacent tokens.

    Attributes
    ----------
    cosine : array
        Cosine of the angle between the numbers of pairs: 1 if they are proportional, 0 if no pair
        is in both.
    divergence : array
        Jensen-Shannon divergence of their distributions in nats, from 0 to log 2.
    """

    cosine: Array
    divergence: Array


def bigram_likeness(rows: Tokens, others: Tokens, symbols: int) -> Likeness:
    """Return how alike two texts are.

    Parameters
    ----------
    rows, others : array
        Tokens below ``symbols``, shapes (N, L).
    symbols : int
        Number of tokens, whose square is the size of a table.

    Returns
    -------
    Likeness
        Two numbers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from mcjax.generators.text_measures import bigram_likeness
    >>> text = jnp.array([[0, 1, 0, 1], [1, 1, 0, 1]])
    >>> [round(float(one), 6) for one in bigram_likeness(text, text, symbols=2)]
    [1.0, 0.0]
    """
    one, other = _shares(rows, symbols), _shares(others, symbols)
    cosine = (one * other).sum() / jnp.sqrt((one**2).sum() * (other**2).sum())
    middle = (one + other) / 2
    parts = [jax.scipy.special.rel_entr(shares, middle).sum() for shares in (one, other)]
    return Likeness(cosine, (parts[0] + parts[1]) / 2)


def _shares(rows: Tokens, symbols: int) -> Float32[Array, " S"]:
    """Return the shares of all pairs of adjacent tokens, shape (symbols ** 2,)."""
    pairs = rows[:, :-1].astype("int32") * symbols + rows[:, 1:].astype("int32")
    counts = jnp.zeros(symbols**2, "float32").at[pairs.ravel()].add(1.0)
    return counts / pairs.size


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
