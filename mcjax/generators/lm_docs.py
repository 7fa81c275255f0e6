"""A language model of text that ships with Python, as an example of a learned generator.

Real rows are segments of the topics of ``help()``, drawn anew for every fit. Every fit begins at a
common base, which has learned documentation strings of the standard library, and takes steps of
AdamW. The model is that of :mod:`mcjax.generators.characters`.

Measures:

``loss``
    Mean negative log-probability of the last 15% of the topics, which are held out, in nats a
    character.
``bigrams``
    Different pairs of characters in 400 generated segments.
``entropy``
    Mean negative log-probability of a quarter of these segments, in nats a character.
"""

from __future__ import annotations

from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import UInt8

from mcjax.data.python_text import python_text
from mcjax.draws.settings import own_settings
from mcjax.generators.characters import (
    Params,
    Segments,
    decoded,
    encoded,
    losses,
    random_params,
    sample,
    segments,
    train,
)
from mcjax.generators.generator import Generator
from mcjax.generators.text_measures import distinct_ngrams
from mcjax.numbers import check_between

KEPT = 0.85
"""Share of a text that is not held out."""
HELD_OUT, GENERATED, BASE_BATCH = 200, 400, 32
"""Segments of held-out text and of generated text for a measure, and of a step of the base."""


class Text(NamedTuple):
    """A text, of which the end is held out.

    Attributes
    ----------
    learned : ndarray
        Characters, shape (L,).
    held_out : ndarray
        Segments, shape (200, 64).
    """

    learned: UInt8[np.ndarray, " L"]
    held_out: UInt8[np.ndarray, "200 64"]


def lm_docs(
    steps: int = 100, batch: int = 8, rate: float = 2e-3, base_steps: int = 1500
) -> Generator:
    """Return the generator.

    Parameters
    ----------
    steps : int
        Steps of every fit.
    batch : int
        Segments of a step, drawn with replacement.
    rate : float
        Learning rate.
    base_steps : int
        Steps of the base, of 32 segments at the default rate.

    Raises
    ------
    InputError
        If a number is out of range, or this Python comes without its texts.
    """
    settings = checked_training(steps=steps, batch=batch, rate=rate, base_steps=base_steps)
    texts = python_text()
    topics, base = split(texts.topics), pretrained(base_steps)

    def fit(key: Array, params: Params, rows: Segments) -> Params:
        return train(key, params, rows, steps=steps, batch=batch, rate=rate)

    def measure(key: Array, params: Params, rows: Segments) -> dict[str, Array]:
        generated = sample(key, params, GENERATED)
        return {
            "loss": losses(params, jnp.asarray(topics.held_out)).mean(),
            "bigrams": distinct_ngrams(generated),
            "entropy": losses(params, generated[: GENERATED // 4]).mean(),
        }

    def real(key: Array, n: int) -> Segments:
        return segments(jnp.asarray(topics.learned), key, n)

    return Generator(
        lambda key: base,
        fit,
        sample,
        measure,
        real=real,
        name="lm-docs",
        digest=f"lm-docs: {settings}, text {texts.digest}",
        show=decoded,
        about=texts.about,
    )


def checked_training(*, steps: int, batch: int, rate: float, base_steps: int) -> str:
    """Check the settings of fits, which are those of :func:`lm_docs`, and return them as text."""
    check_between("family.steps", steps, 1, 2**31 - 1)
    check_between("family.batch", batch, 1, 2**31 - 1)
    check_between("family.rate", rate, 1e-12, 1e3)
    check_between("family.base_steps", base_steps, 1, 2**31 - 1)
    return f"{steps} steps, {batch} rows, rate {rate!r}, base {base_steps}"


def split(text: str) -> Text:
    """Return a text of which the end is held out, always in the same segments."""
    characters = encoded(text)
    end = int(KEPT * len(characters))
    key = jax.random.key(0, impl="threefry2x32")
    held_out = np.asarray(segments(jnp.asarray(characters[end:]), key, HELD_OUT))
    return Text(characters[:end], held_out)


@cache
def pretrained(steps: int) -> Params:
    """Return the base: parameters after steps on documentation strings."""
    text = jnp.asarray(split(python_text().docstrings).learned)

    @partial(jax.jit, static_argnums=1)
    def run(key: Array, steps: int) -> Params:
        begin, chosen, drawn = jax.random.split(key, 3)
        rows = segments(text, chosen, steps * BASE_BATCH)
        params = random_params(begin)
        return train(drawn, params, rows, steps=steps, batch=BASE_BATCH, rate=2e-3)

    with own_settings():
        params: Params = run(jax.random.key(0, impl="threefry2x32"), steps)
    return params
