"""Rows of files, which chains draw with replacement.

A row of a file is chosen by one random word of its place in the sample, as a normal covariate is
made of two. Files are no part of a lane: all chains gather from one copy on the device.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int32, UInt32

from mcjax.draws.samplers import place_below
from mcjax.draws.streams import ROW, row_words
from mcjax.estimators.predictor import Words


class FileArrays(NamedTuple):
    """All files that a condition draws from, and who draws from which.

    Attributes
    ----------
    x : array
        Covariates of all rows, one file after the other, shape (n, q).
    y : array
        Labels of all rows, shape (n,).
    begin, size : array
        First row of each file, and its number of rows, uint32, shape (K,).
    file : array
        The file of the covariates of models, then of each real source, int32, shape (1 + S,); -1
        if they are normal.
    labelled : array
        Whether labels are those of the rows as well, shape (1 + S,).
    mean : array, optional
        Means of normal covariates, shape (1 + S, q); None if all covariates are rows of a file.
    """

    x: Float[Any, "n q"]
    y: Float[Any, " n"]
    begin: UInt32[Any, " K"]
    size: UInt32[Any, " K"]
    file: Int32[Any, " 1+S"]
    labelled: Bool[Any, " 1+S"]
    mean: Float[Any, "1+S q"] | None = None

    def origins(self, origin: Int32[Array, " N"], models: int) -> Int32[Array, " N"]:
        """Return the entry of ``file`` for origins, of which those from ``models`` on are real."""
        return jnp.where(origin < models, 0, 1 + origin - models)

    def places(
        self, keys: Words, pairs: UInt32[Array, " H"], origins: Int32[Array, " 2*H"]
    ) -> Int32[Array, " 2*H"]:
        """Draw the row of ``x`` and ``y`` for each row of H pairs, even ones first.

        Parameters
        ----------
        keys : tuple of Array
            Stream keys, two words of shape (H,).
        pairs : Array
            Number of each pair in its sample, shape (H,).
        origins : Array
            Entry of ``file`` for each row, shape (2 H,).
        """
        word = jnp.concatenate(row_words(keys, pairs, jnp.uint32(ROW)))
        file = jnp.maximum(jnp.asarray(self.file)[origins], 0)
        chosen = place_below(word, jnp.asarray(self.size)[file])
        return (jnp.asarray(self.begin)[file] + chosen).astype(jnp.int32)
