"""The data that one chain fitted, drawn again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.chains.files import FileArrays
from mcjax.chains.generation import feeds_at
from mcjax.chains.program import ConditionArrays, Program
from mcjax.chains.reference import draw_samples
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.engine.task import Task
from mcjax.estimators.estimator import Dataset


def redraw(task: Task, theta: Float[np.ndarray, "T+1 M p"], program: Program) -> Iterator[Dataset]:
    """Draw the samples of every feed of one chain again, from the estimates of the chain.

    Parameters
    ----------
    task : Task
        The chain, without padding models.
    theta : ndarray
        Its estimates, shape (T + 1, M, p), NaN where a model had none.
    program : Program
        Settings of the run.

    Yields
    ------
    Dataset
        The samples of each generation, in NumPy arrays with leading axes (M, B) for reader and feed
        slot.
    """
    key = chain_keys(task.seed, task.word, task.chains)[0]
    network = task.arrays.network
    largest = network.feeds.samples.max()
    program = program._replace(pairs=int(-(-largest // 2)))  # of one feed, not of a whole fit
    truth = np.asarray(task.arrays.truth, theta.dtype)
    for t in range(len(theta)):
        # generation 0 reads only real data; readers of a model without an estimate fit nothing
        before = theta[max(t - 1, 0)]
        parents = np.concatenate([np.where(np.isnan(before), truth[:1], before), truth])
        with own_settings():
            drawn = _draw(
                task.arrays, parents, key, jnp.int32(t), files=task.files, program=program
            )
        yield jax.tree.map(np.asarray, drawn)


@partial(jax.jit, static_argnames="program")
def _draw(
    condition: ConditionArrays,
    parents: Array,
    key: Array,
    t: Array,
    files: FileArrays | None,
    program: Program,
) -> Dataset:
    feeds = feeds_at(condition.network, t)
    return draw_samples(condition, parents, feeds, key=key, t=t, program=program, files=files)
