"""Real images as probabilities of black pixels, and what binary images are compared by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

COMPONENTS = 16
"""Principal components in which images are compared."""


class Images(NamedTuple):
    """Images as probabilities of black, and what their binary versions are compared by.

    Attributes
    ----------
    population, held_out : ndarray
        Images as rows of their pixels, shapes (N, P) and (H, P).
    shape : tuple of int
        Height and width.
    axes : ndarray
        Principal components of the population, shape (P, 16).
    mean, covariance : ndarray
        Moments of binary images of the population in these components.
    about : str
        What they are, for people; empty if the name of the generator says it.
    digest : str
        What tells images of one name apart.
    """

    population: Float32[np.ndarray, "N P"]
    held_out: Float32[np.ndarray, "H P"]
    shape: tuple[int, int]
    axes: Float32[np.ndarray, "P 16"]
    mean: Float32[np.ndarray, " 16"]
    covariance: Float32[np.ndarray, "16 16"]
    about: str = ""
    digest: str = ""


def compared(images: np.ndarray, held_out: int) -> Images:
    """Return images of grey values from 0 to 1, some of which are held out.

    Parameters
    ----------
    images : ndarray
        Images, shape (n, h, w).
    held_out : int
        How many are held out; always the same, at random.
    """
    _, *shape = images.shape
    rows = images.reshape(len(images), -1)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    kept, population = rows[:held_out], rows[held_out:]
    mean = population.mean(0)
    grey = np.cov(population.T, bias=True)
    axes = np.linalg.eigh(grey)[1][:, ::-1][:, :COMPONENTS]
    noise = np.diag((population * (1 - population)).mean(0))
    covariance = axes.T @ (grey + noise) @ axes
    return Images(
        population.astype(np.float32),
        kept.astype(np.float32),
        shape=(shape[0], shape[1]),
        axes=axes.astype(np.float32),
        mean=(mean @ axes).astype(np.float32),
        covariance=covariance.astype(np.float32),
    )
