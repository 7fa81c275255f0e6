"""The networks of a condition whose networks are drawn at random."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.draws.streams import chain_keys, condition_word, design_key, switching_numbers
from mcjax.network.drawn import Drawn, Followed

if TYPE_CHECKING:
    from jaxtyping import UInt32

    from mcjax.study.study import Condition


def followed(condition: Condition, generations: int) -> Condition:
    """Return a condition with the networks that all its chains have in common until T.

    A condition is returned as it is if its networks are not drawn, or each chain draws its own. The
    rungs of a ladder have the same networks.
    """
    later = condition.network.later
    law = later.law if isinstance(later, Followed) else later
    if not isinstance(law, Drawn) or law.paths == "own":
        return condition
    label = condition.label if condition.ladder is None else condition.ladder
    key = design_key(condition.seed, condition_word(label))
    return _along(condition, law, key, generations)


def of_chain(condition: Condition, chain: int, generations: int) -> Condition:
    """Return a condition with the networks that one of its chains has until T."""
    later = condition.network.later
    if not isinstance(later, Drawn):
        return condition
    word = condition_word(condition.label)
    [key] = chain_keys(condition.seed, word, np.array([chain]))
    return _along(condition, later, key, generations)


def _along(
    condition: Condition, law: Drawn, key: UInt32[np.ndarray, " 2"], generations: int
) -> Condition:
    """Return a condition with the networks that are drawn with a chain key."""
    [places] = law.sequences(switching_numbers(key[None], generations)).tolist()
    return replace(
        condition, network=replace(condition.network, later=Followed(law, tuple(places)))
    )
