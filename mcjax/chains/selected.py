"""Rows of feeds of which readers keep a selection.

A selection (:class:`mcjax.selections.selection.Selection`) makes rows out of *attempts*. Attempt k
of a row is what its origin generates for it from random words of its own: those of the row itself
for k = 0, otherwise words of the stream key hashed with k. So a row of a model that is kept at once
is the row that would have been read without the selection. A selected sample of ``real`` is one of
its own, also where real data are reused, if generation 0 reads the usual one whole (see ``copy`` of
:class:`mcjax.chains.layout.Feeds`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, UInt32

from mcjax.draws.streams import ATTEMPT
from mcjax.draws.threefry import threefry
from mcjax.estimators.predictor import Params, Words
from mcjax.models.model import Model

MOST_ATTEMPTS = 10_000
"""Attempts after which a row counts as not to be had. They end by themselves much earlier, unless
less than about one row in a thousand is kept."""


class Attempt(NamedTuple):
    """Covariates of N rows, and the random words of their labels.

    Attributes
    ----------
    x : Array
        Covariates, shape (q, N).
    words : tuple of Array
        The two words of each label, shape (N,).
    spare : tuple of Array
        Two further words for each row, shape (N,).
    given : Array, optional
        Labels of the rows of files that were drawn, shape (N,); None if there are no files.
    """

    x: Float[Array, "q N"]
    words: Words
    spare: Words
    given: Float[Array, " N"] | None = None


class Drawn(NamedTuple):
    """Rows as a reader gets them.

    Attributes
    ----------
    x, y : Array
        Covariates, shape (q, N), and labels, shape (..., N); NaN where no attempt was accepted.
    kept : Array
        Whether the row is one that the reader fits, shape (N,).
    """

    x: Float[Array, "q N"]
    y: Float[Array, "*label N"]
    kept: Bool[Array, " N"]


class Rows(NamedTuple):
    """N rows that are to be drawn.

    Attributes
    ----------
    model : Model
        The model that generates them.
    theta : Array
        Parameters of each row's origin, shape (p, N).
    params : dict
        Numbers of the model; its noise scale has shape (N,) if it differs between sources.
    attempt : callable
        ``k -> Attempt``, for k = 0, 1, ...
    label : callable
        ``(attempt, theta, params) -> y``, labels of an attempt at these parameters and numbers.
    wanted : Array
        Whether a row is wanted, shape (N,); attempts do not wait for others.
    origins : Array
        Parameters of the origins of B groups of rows, shape (p, B).
    of_rows : callable
        Maps an array (..., B) to one (..., N), so that ``of_rows(origins)`` is ``theta``.
    """

    model: Model
    theta: Float[Array, "p N"]
    params: Params
    attempt: Callable[[Any], Attempt]
    label: Callable[[Attempt, Array, Params], Array]
    wanted: Bool[Array, " N"]
    origins: Float[Array, "p B"]
    of_rows: Callable[[Array], Array]

    def labels(self, attempt: Attempt) -> Array:
        """Return the labels that the origins generate in an attempt."""
        return self.label(attempt, self.theta, self.params)

    def until(self, accepts: Callable[[Attempt, Array], Bool[Array, " N"]]) -> Drawn:
        """Return the first attempt of each row that is accepted.

        Parameters
        ----------
        accepts : callable
            ``(attempt, y) -> bool``, shape (N,).
        """

        def once_more(state: tuple[Array, Drawn]) -> tuple[Array, Drawn]:
            k, drawn = state
            new = self.tried(k, accepts)
            merged = Drawn(
                *(jnp.where(drawn.kept, old, now) for old, now in zip(drawn, new, strict=True))
            )
            return k + 1, merged._replace(kept=drawn.kept | new.kept)

        def unfinished(state: tuple[Array, Drawn]) -> Array:
            k, drawn = state
            return (k < MOST_ATTEMPTS) & (self.wanted & ~drawn.kept).any()

        begin = jnp.uint32(1), self.tried(jnp.uint32(0), accepts)
        x, y, kept = lax.while_loop(unfinished, once_more, begin)[1]
        return Drawn(x, jnp.where(kept, y, jnp.nan), jnp.ones_like(kept))

    def tried(self, k: Any, accepts: Callable[[Attempt, Array], Bool[Array, " N"]]) -> Drawn:
        """Return one attempt of each row, and whether it is accepted."""
        attempt = self.attempt(k)
        y = self.labels(attempt)
        return Drawn(attempt.x, y, accepts(attempt, y))


def attempt_keys(keys: Words, k: UInt32[Array, ""]) -> Words:
    """Return the stream keys of an attempt; those of the first are those of the stream."""
    zero = jnp.zeros_like(keys[0])
    later = threefry(keys, (zero + k, zero + jnp.uint32(ATTEMPT)))
    first, second = (jnp.where(k == 0, key, new) for key, new in zip(keys, later, strict=True))
    return first, second
