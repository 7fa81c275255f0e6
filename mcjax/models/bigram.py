"""Texts in which every symbol depends on the one before it: smoothed frequencies of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from mcjax.arguments import checked
from mcjax.draws import samplers
from mcjax.errors import InputError
from mcjax.estimators.predictor import Params, Words
from mcjax.estimators.sufficient_statistics import Statistics, Sums
from mcjax.models.generative import SUM
from mcjax.models.model import Functional, Model
from mcjax.models.unigram import LARGEST, SmoothedStatistics
from mcjax.numbers import check_between

LONGEST = 100_000
"""Largest number of symbols of a text."""


@dataclass(frozen=True)
class SmoothedTransitions:
    """A model whose estimate is the smoothed frequencies of symbols after each symbol.

    The model's parameter ``smoothing`` is what a fit adds to the count of every pair.

    Attributes
    ----------
    visits : callable
        ``theta -> (K,)``, how often a text from theta, shape (K^2,), is expected to be at each
        symbol before another follows.
    """

    visits: Callable[[Float[np.ndarray, " p"]], Float[np.ndarray, " K"]]


@checked
def bigram(length: int = 100, smoothing: float = 0.5) -> Model:
    """Return the bigram model: texts of K symbols, with smoothed frequencies of pairs.

    Parameters
    ----------
    length : int
        Symbols of a text. A row is a text; it begins after symbol 0, which marks its boundary.
    smoothing : float
        What every fit adds to the count of every pair, alpha > 0. Counts ``N_cd`` of d after c give
        the estimate ``(N_cd + alpha) / (N_c + alpha K)``.

    Returns
    -------
    Model
        The model. ``theta`` holds the probabilities of all symbols after symbol 0, then after
        symbol 1 and so on, K^2 numbers; a row ``y`` has shape (length,).

    Raises
    ------
    InputError
        If the length or the smoothing is out of range.

    Notes
    -----
    As an M-estimator, its loss is half the squared distance of theta from the unit vector of each
    symbol, summed over the text.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=20, initial=20)
    >>> mcjax.condition(network, mcjax.bigram(length=50), theta=[0.9, 0.1, 0.5, 0.5]).theta
    array([0.9, 0.1, 0.5, 0.5])
    """
    check_between("family.length", length, 1, LONGEST)
    if not 0 < smoothing <= LARGEST:
        raise InputError(
            "family.smoothing", f"is {smoothing!r}; give a number above 0, at most {LARGEST:g}"
        )
    return _model(length, float(smoothing))


def transitions(theta: Float[np.ndarray, "*C p"]) -> Float[np.ndarray, "*C K K"]:
    """Return the probabilities of each symbol, by the one before it."""
    size = math.isqrt(theta.shape[-1])
    return theta.reshape(*theta.shape[:-1], size, size)


@cache  # one model for each length, so that equal models compile once
def _model(length: int, smoothing: float) -> Model:
    visits = partial(_visits, length)

    def pair_error(theta: np.ndarray, truth: np.ndarray) -> np.ndarray:
        error = ((transitions(theta) - transitions(truth)) ** 2).sum(-1)
        return error @ (visits(truth) / length)

    return Model(
        name="bigram",
        params={"smoothing": smoothing},
        variant=f"{length} symbols",
        covariates=0,
        least_rows=1,
        loss=_loss,
        sample=partial(_sample, length),
        estimator=SmoothedStatistics(),
        statistics=Statistics(_summary, _estimate),
        check=_check,
        generative=SmoothedTransitions(visits),
        functionals=(Functional("pair_error", pair_error, "ratio", _largest),),
    )


def _largest(p: int) -> float:
    return 2.0


def _visits(length: int, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, " K"]:
    matrix = transitions(theta)
    now = np.eye(len(matrix))[0]
    total = np.zeros(len(matrix))
    for _ in range(length):
        total, now = total + now, now @ matrix
    return total


def _check(truth: np.ndarray) -> str:
    size = math.isqrt(len(truth))
    wrong = size < 2 or size**2 != len(truth) or (truth < 0).any()
    if wrong or (abs(transitions(truth).sum(1) - 1) > SUM).any():
        return (
            "must be K times K probabilities of two or more symbols, those of all symbols after"
            " the first symbol, after the second and so on, each K of which add up to 1"
        )
    return ""


def _table(theta: Array) -> Array:
    size = math.isqrt(theta.shape[0])
    return theta.reshape(size, size)


def _pairs(y: Array) -> tuple[Array, Array]:
    """Return the symbols of a text, and those before them."""
    symbols = jnp.atleast_1d(y).astype(jnp.int32)
    return symbols, jnp.concatenate([jnp.zeros(1, jnp.int32), symbols[:-1]])


def _loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    symbols, before = _pairs(y)
    seen = jnp.zeros_like(theta[: math.isqrt(len(theta))])

    def one(own: Array, symbol: Array) -> Array:
        return 0.5 * jnp.sum((seen.at[symbol].set(1) - own) ** 2)

    return jax.vmap(one)(_table(theta)[before], symbols).sum()


def _sample(length: int, params: Params, theta: Array, x: Array, words: Words) -> Array:
    """Draw symbol after symbol by inverting cumulative probabilities."""
    ends = jnp.cumsum(_table(theta), axis=1)

    def one(state: tuple[Array, Words], _: None) -> tuple[tuple[Array, Words], Array]:
        before, words = state
        words = samplers.further_words(words)
        own = ends[before]
        u = samplers.uniform(words[0], theta.dtype)
        symbol = jnp.argmax(own > u * own[-1]).astype(jnp.int32)
        return (symbol, words), symbol.astype(theta.dtype)

    _, text = lax.scan(one, (jnp.zeros((), jnp.int32), words), None, length=length)
    return text


def _summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    symbols, before = _pairs(y)
    return jnp.zeros_like(_table(pivot)).at[before, symbols].add(1).ravel()


def _estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    counts = _table(sums.total) + params["smoothing"]
    return (counts / counts.sum(1, keepdims=True)).ravel(), jnp.asarray(True)
