"""The linear system of a lift: what errors follow in the long run of feeds that come and go.

See :mod:`mcjax.laws.collapse.lift`. The lift of M models with L phases has M L models, whose
transition leads from phase to phase and whose noise is independent between phases: those are of
different generations. Constants are the errors of frozen models at the generation B in which the
feeds begin to repeat themselves, and the scores of reused samples. All phases share them, and
their covariance is that at generation B, terms between models included.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.first_order.linear_system import LinearSystem

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def lifted(system: LinearSystem, frozen: Bool[np.ndarray, " M"]) -> LinearSystem:
    """Return the system of a lift.

    Parameters
    ----------
    system : LinearSystem
        That of a network of M models whose systems take L turns in the end, of data that do not
        accumulate and do not grow.
    frozen : ndarray of bool, shape (M,)
        Which models read nothing in any turn.

    Returns
    -------
    LinearSystem
        That of M L models, model i of phase z at position ``z M + i``.
    """
    phases, size, drawn = system.turns, *system.reuse.shape
    before = len(system.before) + 1 - phases
    steps = [system.at(t) for t in range(before + 1, before + 1 + phases)]
    steps = [steps[(z - before) % phases] for z in range(phases)]
    shape = (phases, size, phases, size)
    transition, noise = np.zeros(shape), np.zeros(shape)
    for z, step in enumerate(steps):
        transition[z, :, z - 1] = step.transition
        noise[z, :, z] = step.noise
    joint = _begun(system, before)
    constants = np.concatenate([np.tile(np.arange(size), phases), size + np.arange(drawn)])
    flat = (phases * size, phases * size)
    return replace(
        steps[-1],
        transition=transition.reshape(flat),
        noise=noise.reshape(flat),
        reuse=np.hstack([np.zeros(flat), np.vstack([step.reuse for step in steps])]),
        initial=joint[np.ix_(constants, constants)],
        frozen=np.tile(frozen, phases),
        push=None,
        start=None,
        before=(),
        turns=1,
    )


def _begun(system: LinearSystem, generation: int) -> Float[np.ndarray, "M*p+Q M*p+Q"]:
    """Return the covariance of the errors at a generation and of all that is drawn once."""
    x, size = system.initial, len(system.transition)
    errors, cross = x[:size, :size], x[:size]
    for t in range(1, generation + 1):
        step = system.at(t)
        a, r = step.transition, step.reuse
        mixed = a @ cross @ r.T
        errors = a @ errors @ a.T + mixed + mixed.T + r @ x @ r.T + step.noise
        cross = a @ cross + r @ x
    return np.block([[errors, cross], [cross.T, x]])
