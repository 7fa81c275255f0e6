"""The noise that batches add to fits of k linear steps.

With ``G_s`` what the gradient of step s adds to the error, V the covariance of a
row's score and N rows, the mean of a row's scores over steps has the random weight ``c``, and the
noise is ``N E[c V c']``. That of all rows in every step is ``B V B' / N``, with ``B = sum G_s``. To
it add

* batches of b rows drawn with replacement: ``(1 - 1/N) / b  sum_s G_s V G_s'``;
* batches of rows that are shuffled anew in every pass: a row is at place q of pass e, of b_q rows,
  with probability ``b_q / N``. With ``M_e = sum_q G_eq / N``, the passes add
  ``N sum_e (sum_q G_eq V G_eq' / (N b_q) - M_e V M_e')``;
* batches of rows in the same order in every pass: the same, of one pass with ``sum_e G_eq`` for
  ``G_eq``. Derived here.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mcjax.estimators.gradient_steps import REPLACEMENT, SAME_ORDER
from mcjax.laws.first_order.step_maps import StepMap


def batch_noise(
    steps: StepMap,
    score: Float[np.ndarray, "p p"],
    rows: int,
    batch: int,
    batches: str | None = None,
) -> Float[np.ndarray, "p+q p+q"]:
    """Return what the choice of batches adds to the covariance of the error and the state.

    ``batches`` says how, as in :class:`~mcjax.estimators.gradient_steps.Optax`.
    """
    gains, places = steps.gains, -(-rows // batch)
    if batches == SAME_ORDER:
        gains = np.array([gains[place::places].sum(0) for place in range(min(places, len(gains)))])
    squares = gains @ score @ np.swapaxes(gains, 1, 2)
    if batches == REPLACEMENT:
        drawn: np.ndarray = (1 - 1 / rows) / batch * squares.sum(0)
        return drawn
    sizes = np.full(places, batch)
    sizes[-1] = rows - batch * (places - 1)
    total = np.zeros((gains.shape[1],) * 2)
    for first in range(0, len(gains), places):
        now = gains[first : first + places]
        mean = now.sum(0) / rows
        spread = squares[first : first + places] / sizes[: len(now), None, None]
        total += spread.sum(0) - rows * mean @ score @ mean.T
    return total
