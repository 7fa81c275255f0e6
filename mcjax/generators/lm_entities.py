"""Two entities whose language models read each other's text, public text and text of their own.

The entity ``code`` has modules of Python's standard library in private, without documentation
strings and comments, the entity ``topics`` the topics of ``help()``, and the documentation strings
are public. A fit takes steps of AdamW. Segments of a step are drawn with their weights in the loss
as probabilities, so the mean step is that of the weighted loss. The model is that of
:mod:`mcjax.generators.characters`, and a fit begins at the base of :mod:`mcjax.generators.lm_docs`.

Measures:

``loss on code``, ``loss on topics``, ``loss on public``
    Mean negative log-probability of the last 15% of each text, which are held out, in nats a
    character.
``bigrams``
    Different pairs of characters in 400 generated segments.
``cosine``, ``divergence``
    How alike the texts are that both models generate, see
    :class:`mcjax.generators.text_measures.Likeness`.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.data.python_text import python_text
from mcjax.generators.characters import (
    SYMBOLS,
    Params,
    Segments,
    decoded,
    losses,
    sample,
    segments,
    train,
)
from mcjax.generators.generator import Generator
from mcjax.generators.lm_docs import GENERATED, Text, checked_training, pretrained, split
from mcjax.generators.text_measures import bigram_likeness, distinct_ngrams
from mcjax.generators.transfer import LOSS_ON
from mcjax.network.data_mediated import PUBLIC, private_source

ENTITIES = ("code", "topics")
"""The entities that have text."""


def lm_entities(
    steps: int = 100, batch: int = 8, rate: float = 2e-3, base_steps: int = 1500
) -> Generator:
    """Return the generator.

    Parameters
    ----------
    steps, batch, rate, base_steps : optional
        See :func:`mcjax.generators.lm_docs.lm_docs`.

    Raises
    ------
    InputError
        If a number is out of range, or this Python comes without its texts.
    """
    settings = checked_training(steps=steps, batch=batch, rate=rate, base_steps=base_steps)
    texts, base = python_text(), pretrained(base_steps)
    whole = {"code": texts.code, "topics": texts.topics, PUBLIC: texts.docstrings}
    parts = {name: split(text) for name, text in whole.items()}
    sources = {name: partial(_drawn, parts[entity]) for name, entity in _sources().items()}

    def fit(key: Array, params: Params, rows: Segments, weights: Array) -> Params:
        return train(key, params, rows, weights, steps=steps, batch=batch, rate=rate)

    def measure(key: Array, params: Params, rows: Segments) -> dict[str, Array]:
        held_out = {name: jnp.asarray(part.held_out) for name, part in parts.items()}
        found = {f"{LOSS_ON}{name}": losses(params, of).mean() for name, of in held_out.items()}
        return found | {"bigrams": distinct_ngrams(sample(key, params, GENERATED))}

    def compare(key: Array, params: Params, others: Params) -> dict[str, Array]:
        keys = jax.random.split(key)
        one, other = sample(keys[0], params, GENERATED), sample(keys[1], others, GENERATED)
        return bigram_likeness(one, other, SYMBOLS)._asdict()

    return Generator(
        lambda key: base,
        fit,
        sample,
        measure,
        real=sources[PUBLIC],
        name="lm-entities",
        digest=f"lm-entities: {settings}, text {texts.digest}",
        show=decoded,
        about=texts.about,
        sources=sources,
        compare=compare,
    )


def _sources() -> dict[str, str]:
    """Return whose text each real source has."""
    return {private_source(entity): entity for entity in ENTITIES} | {PUBLIC: PUBLIC}


def _drawn(text: Text, key: Array, n: int) -> Segments:
    return segments(jnp.asarray(text.learned), key, n)
