r"""The curve law: how far a model drifts whose data are of several ages, a line to compare with.

The age K of a row is the number of fits between it and real data. Where all feeds of a model are
whole, its age is one number, and the model is in law that generation of a self-loop (see
:mod:`mcjax.generators.equality`). Where feeds are split, the ages of the rows behind model i at
generation t have a distribution, which follows one recursion along the shares W of rows by origin,

    P(K_it = k) = real share at k = 0,  plus  sum_j W_ij P(K_j(t-1) = k - 1) ,

and the drift of the model since generation 0 is taken to be the mean over ages of the drift f of a
self-loop:

    drift of i at t  ~  sum_k P(K_it = k) f(k) .

It is exact for measures whose means are linear in the rows, where fits are too, such as moments of
kernel density estimates. For neural networks it is good while the loop is far from saturated; a
measure that is convex in the law of the rows, such as a loss, begins below it. So it is drawn, and
never judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mcjax.generators.chains import readings
from mcjax.generators.equality import loop_of
from mcjax.generators.study import GeneratorCondition, GeneratorStudy


def ages(
    condition: GeneratorCondition, generations: int, rows: int
) -> Float[np.ndarray, "T+1 M T+1"]:
    """Return the distribution of the age of the rows behind each model, by generation.

    It is nan for a model behind which a fit is not of ``rows`` rows of equal weight, or reads
    another source than ``real``.
    """
    size = condition.network.size
    found = np.zeros((generations + 1, size, generations + 1))
    for t, reads in enumerate(readings(condition.network, generations)):
        for i, incoming in enumerate(reads):
            if not incoming:
                found[t, i] = found[t - 1, i]
                continue
            for read in incoming:
                if read.origin >= size:
                    found[t, i, 0] += read.rows / rows
                else:
                    found[t, i, 1:] += read.rows / rows * found[t - 1, read.origin, :-1]
            other = any(read.origin > size or read.weight != 1 for read in incoming)
            if other or sum(read.rows for read in incoming) != rows or np.isnan(found[t, i]).any():
                found[t, i] = np.nan
    return found


def curve_of(
    study: GeneratorStudy, means: Sequence[Float[np.ndarray, "T+1 M K"]], position: int
) -> Float[np.ndarray, "T+1 M K"]:
    """Return where the measures of one condition would be by the curve law.

    Parameters
    ----------
    study : GeneratorStudy
        The study.
    means : sequence of ndarray
        Means over chains of the measures of single models, by condition.
    position : int
        Position of the condition.

    Returns
    -------
    ndarray
        The mean at generation 0 plus the drift by the law. It is nan where the law says nothing:
        without a self-loop whose fits have as many rows, and for that loop itself.
    """
    condition, own = study.conditions[position], means[position]
    found = np.full(own.shape, np.nan)
    loop = loop_of(study, condition)
    if loop is None or not condition.forgets:
        return found
    k, model = loop
    fits = readings(study.conditions[k].network, study.generations)
    sizes = {sum(read.rows for read in reads[model]) for reads in fits}
    if len(sizes) > 1:
        return found
    drift = means[k][:, model] - means[k][0, model]
    behind = ages(condition, study.generations, sizes.pop())
    for t in range(len(found)):
        found[t] = own[0] + behind[t, :, : t + 1] @ drift[: t + 1]
    if position == k:
        found[:, model] = np.nan
    return found
