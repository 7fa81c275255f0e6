"""Numbers with their standard errors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.verdicts.skewed_means import Numbers, shape_of


@explained
class Estimate(NamedTuple):
    """A number with its standard error.

    Attributes
    ----------
    value, error : float
        The number, and its standard error.
    skewness, excess : float
        Shape of the distribution of the number, see
        :class:`~mcjax.engine.powers.NonNormality`.
    fixed : float
        The part of ``error`` that does not shrink as chains are added: that of a law which
        simulates.
    batches : float
        Number of batches of draws that ``fixed`` is estimated from; 0 if it is known.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Estimate(value=2.0, error=0.1).times(3.0).value
    6.0
    """

    value: float
    error: float
    skewness: float = 0.0
    excess: float = 0.0
    fixed: float = 0.0
    batches: float = 0

    def plus(self, value: float, error: float, batches: float = 0) -> Estimate:
        """Return the sum with a number of a law, which has an independent normal error.

        ``batches`` is the number of batches of draws that the error is estimated from.
        """
        total = math.hypot(self.error, error)
        share = self.error / total if 0 < total < math.inf else 1.0
        return Estimate(
            value=self.value + value,
            error=total,
            skewness=self.skewness * share**3,
            excess=self.excess * share**4,
            fixed=math.hypot(self.fixed, error),
            batches=batches or self.batches,
        )

    def times(self, factor: float) -> Estimate:
        """Return the number times a factor."""
        return self._replace(
            value=self.value * factor,
            error=self.error * abs(factor),
            skewness=math.copysign(1.0, factor) * self.skewness,
            fixed=self.fixed * abs(factor),
        )

    def freedom(self, chains: int) -> float:
        """Return the degrees of freedom of the error, see :func:`welch`."""
        share = min((self.fixed / self.error) ** 2, 1.0) if self.error > 0 else 0.0
        return float(welch(share, max(chains - 1, 1), self.batches))


def welch(share: Numbers, own: float, batches: float) -> Numbers:
    """Return the degrees of freedom of an error in two parts (Welch, Biometrika 34, 1947).

    Parameters
    ----------
    share : ndarray
        Share of a law's own error in the squared error.
    own : float
        Degrees of freedom of the rest.
    batches : float
        Number of batches of draws that the law's error is estimated from; 0 if it is known.
    """
    if not batches or not np.any(share):
        return own
    return 1 / (np.square(1 - share) / own + np.square(share) / max(batches - 1, 1))


@explained
def estimate_mean(values: Float[np.ndarray, " C"]) -> Estimate:
    """Estimate a mean from one value of each chain; not finite for fewer than two chains.

    Examples
    --------
    >>> import mcjax
    >>> import numpy as np
    >>> estimate = mcjax.estimate_mean(np.array([1.0, 2.0, 3.0, 4.0]))
    >>> round(estimate.value, 3), round(estimate.error, 3)
    (2.5, 0.645)
    """
    if len(values) < 2:
        return Estimate(math.nan, math.inf)
    error = values.std(ddof=1) / math.sqrt(len(values))
    return Estimate(*map(float, (values.mean(), error, *shape_of(values))))
