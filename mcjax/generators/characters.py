"""A language model of characters that is trained in a second.

The 8 characters before it predict each character: their embeddings in 16 dimensions feed one hidden
layer of 128 rectified units (Bengio, Ducharme, Vincent & Jauvin, JMLR 2003), which makes 30,577
parameters. A row is a segment of 64 characters. The context of its first ones is filled up with
padding, so that text is generated without a prompt.

Characters are printable ASCII and newlines; others are left out of a text.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float32, UInt8

CONTEXT, EMBEDDED, HIDDEN, LENGTH = 8, 16, 128, 64
SYMBOLS, NEWLINE, PADDING = 97, 95, 96
"""Printable characters from 0 on, then two special ones; padding is never generated."""
DECAY = 0.01
"""Decay of the weights in a fit."""

Params = dict[str, Array]
Segments = UInt8[Array, "N 64"]


def encoded(text: str) -> UInt8[np.ndarray, " L"]:
    """Return the characters of a text as numbers."""
    codes = np.frombuffer(text.encode("ascii", "ignore"), np.uint8)
    codes = codes[(codes == ord("\n")) | ((codes >= 32) & (codes < 127))]
    return np.where(codes == ord("\n"), NEWLINE, codes - 32).astype(np.uint8)


def decoded(rows: UInt8[np.ndarray, "N 64"]) -> list[str]:
    """Return segments as texts."""
    letters = np.array([*map(chr, range(32, 127)), "\n", ""])
    return ["".join(letters[row]) for row in np.asarray(rows)]


def segments(text: UInt8[Array, " L"], key: Array, count: int) -> Segments:
    """Return segments of a text that begin anywhere."""
    starts = jax.random.randint(key, (count,), 0, len(text) - LENGTH + 1)
    return text[starts[:, None] + np.arange(LENGTH)[None, :]]


def random_params(key: Array) -> Params:
    """Return random weights and zero biases."""
    keys = jax.random.split(key, 3)
    inputs = CONTEXT * EMBEDDED
    shapes = {
        "embedding": ((SYMBOLS, EMBEDDED), 0.3),
        "hidden": ((inputs, HIDDEN), (2 / inputs) ** 0.5),
        "output": ((HIDDEN, SYMBOLS), 0.5 * HIDDEN**-0.5),
    }
    weights = {
        name: jax.random.normal(own, shape, "float32") * np.float32(scale)
        for own, (name, (shape, scale)) in zip(keys, shapes.items(), strict=True)
    }
    biases = {"hidden_bias": HIDDEN, "output_bias": SYMBOLS}
    return weights | {name: jnp.zeros(size, "float32") for name, size in biases.items()}


def losses(params: Params, rows: Segments) -> Float32[Array, "N 64"]:
    """Return the negative log-probability of every character, in nats."""
    padded = jnp.pad(rows, ((0, 0), (CONTEXT, 0)), constant_values=PADDING)
    contexts = jnp.stack([padded[:, k : k + LENGTH] for k in range(CONTEXT)], -1)
    inputs = params["embedding"][contexts].reshape(rows.size, CONTEXT * EMBEDDED)
    logits = _logits(params, inputs @ params["hidden"])
    chosen = jnp.take_along_axis(logits, rows.reshape(-1, 1).astype("int32"), -1)[:, 0]
    return (jax.nn.logsumexp(logits, -1) - chosen).reshape(rows.shape)


def sample(key: Array, params: Params, n: int) -> Segments:
    """Return generated segments.

    A uniform number for each character is compared with the distribution function, which costs far
    less than a number for each symbol.
    """
    hidden = params["hidden"].reshape(CONTEXT, EMBEDDED, HIDDEN)
    inputs = jnp.einsum("ve,keh->kvh", params["embedding"], hidden)  # by position and symbol
    upto = np.triu(np.ones((SYMBOLS, SYMBOLS), np.float32))
    printable = (np.arange(SYMBOLS) < PADDING).astype("float32")

    def step(context: Array, uniform: Array) -> tuple[Array, Array]:
        logits = _logits(params, inputs[np.arange(CONTEXT)[None, :], context].sum(1))
        weights = jnp.exp(logits - logits.max(-1, keepdims=True)) * printable[None, :]
        below = weights @ upto
        drawn = (below <= uniform[:, None] * below[:, -1:]).sum(-1)
        drawn = jnp.minimum(drawn, PADDING - 1).astype("uint8")
        return jnp.concatenate([context[:, 1:], drawn[:, None]], 1), drawn

    begin = jnp.full((n, CONTEXT), PADDING, "uint8")
    _, drawn = jax.lax.scan(step, begin, jax.random.uniform(key, (LENGTH, n), "float32"))
    return drawn.T


def train(
    key: Array,
    params: Params,
    rows: Segments,
    weights: Any = None,
    *,
    steps: int,
    batch: int,
    rate: float,
) -> Params:
    """Return the parameters after steps of AdamW.

    Parameters
    ----------
    key : array
        Key of the batches.
    params : dict of array
        Where to begin.
    rows : array
        Segments, shape (N, 64).
    weights : array, optional
        Weights of the segments in the loss, shape (N,): how often they are drawn.
    steps, batch : int
        Steps, and segments of a step, drawn with replacement.
    rate : float
        Learning rate.
    """
    optimiser = optax.adamw(rate, weight_decay=DECAY)
    drawn = _drawn(key, len(rows), weights, (steps, batch))

    def step(state: Any, chosen: Array) -> tuple[Any, None]:
        params, memory = state
        slope = jax.grad(lambda at: losses(at, rows[chosen]).mean())(params)
        with jax.numpy_dtype_promotion("standard"):  # which optax needs
            change, memory = optimiser.update(slope, memory, params)
        return (optax.apply_updates(params, change), memory), None

    (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), drawn)
    return params


def _drawn(key: Array, rows: int, weights: Any, shape: tuple[int, int]) -> Array:
    """Return numbers of rows, drawn with replacement, with probabilities like weights."""
    if weights is None:
        return jax.random.randint(key, shape, 0, rows)
    below = jnp.cumsum(weights)
    uniform = jax.random.uniform(key, shape, below.dtype) * below[-1]
    return jnp.minimum(jnp.searchsorted(below, uniform, side="right"), rows - 1)


def _logits(params: Params, before: Array) -> Array:
    """Return the logits of the next symbol, given what feeds the hidden layer."""
    hidden = jax.nn.relu(before + params["hidden_bias"][None, :])
    return hidden @ params["output"] + params["output_bias"][None, :]
