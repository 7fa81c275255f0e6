"""Real sources beside ``real``: other truths, other covariates, other noise, public samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.data.data import Data
from mcjax.errors import InputError, did_you_mean
from mcjax.numbers import MOST, check_between

RealData = Literal["fresh", "reused"]
"""Real data are new in every generation, or always the sample of generation 0."""

Rows = tuple[tuple[float, ...], ...]


def renewed(real: RealData) -> bool:
    """Return whether a setting of real data asks for new ones in every generation."""
    return real == "fresh"


@explained
@dataclass(frozen=True)
@checked_fields
class Source:
    """A real source with a law of its own. What is not given is as in the source ``real``.

    Attributes
    ----------
    name : str
        What feeds name as their origin.
    samples : int, optional
        Samples of each of its feeds that does not give a number.
    theta : tuple of float, optional
        Its truth, p numbers.
    shift : tuple of float, optional
        h, p numbers, instead of theta: its truth is ``theta* + h / sqrt(samples)``, at the distance
        at which first-order laws speak of means.
    covariance : tuple of tuple of float, optional
        Covariance of its covariates, ``x ~ N(0, covariance)``, p rows of p numbers; any rank.
    noise : float, optional
        Its noise scale, in place of the family's ``sigma``.
    public : bool
        Whether all its readers get one sample; otherwise each gets its own.
    real : {"fresh", "reused"}, optional
        Whether its samples are new in every generation, or always that of generation 0; defaults to
        the setting of the network.
    data : Data, optional
        Rows of real data that it draws from, labels included, in place of theta, shift, covariance
        and noise: its truth is what fits them.

    Raises
    ------
    InputError
        If the values make no source; p is checked where a model is known.

    Examples
    --------
    >>> import mcjax
    >>> archive = mcjax.Source("archive", samples=100, theta=(1.0, -0.5), noise=2.0)
    >>> feeds = [("archive", "a", 100), ("a", "a", 100)]
    >>> network = mcjax.build_network(["a"], feeds, initial=200, sources=[archive])
    >>> network.sources[0].theta
    (1.0, -0.5)
    """

    name: str
    samples: int | None = None
    theta: tuple[float, ...] | None = None
    shift: tuple[float, ...] | None = None
    covariance: Rows | None = None
    noise: float | None = None
    public: bool = False
    real: RealData | None = None
    data: Data | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or "\0" in self.name:
            raise InputError("network.sources", f"has the name {self.name!r}; give a word")
        for field in ("theta", "shift"):
            value = getattr(self, field)
            if value is not None:
                object.__setattr__(self, field, self._numbers(field, value))
        if self.covariance is not None:
            try:
                rows = tuple(self._numbers("covariance", row) for row in self.covariance)
            except TypeError as error:
                raise self._error("covariance", "must be rows of numbers") from error
            if any(len(row) != len(rows) for row in rows):
                raise self._error("covariance", "is not square; give p rows of p numbers")
            object.__setattr__(self, "covariance", rows)
        if self.samples is not None:
            check_between(f"network.sources ({self.name}).samples", self.samples, 1, MOST)
        for field in ("theta", "shift", "covariance", "noise"):
            if self.data is not None and getattr(self, field) is not None:
                raise self._error(field, "is that of its rows of data; leave it out")
        if self.shift is not None and self.theta is not None:
            raise self._error("shift", "and theta exclude each other; keep one")
        if self.shift is not None and self.samples is None:
            raise self._error("samples", "is missing; a shift is over the root of it")
        number = isinstance(self.noise, int | float) and not isinstance(self.noise, bool)
        if self.noise is not None and not (number and 0 < self.noise < math.inf):
            raise self._error("noise", f"is {self.noise!r}; give a positive number")
        choices = get_args(RealData)
        if self.real not in (None, *choices):
            hint = did_you_mean(self.real, choices)
            raise self._error("real", f"is {self.real!r}, not one of {choices}{hint}")

    def renews(self, real: RealData) -> bool:
        """Return whether it gives new samples in every generation, in a network with a setting."""
        return renewed(self.real or real)

    def described(self) -> dict[str, Any]:
        """Return the fields as plain data, with the digest of the rows in place of the rows."""
        about = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "data"}
        return about if self.data is None else about | {"data": self.data.digest}

    def scaled(self, samples: int | None) -> Source:
        """Return the source with another number of samples."""
        return replace(self, samples=samples)

    def _numbers(self, field: str, values: Any) -> tuple[float, ...]:
        try:
            found = tuple(float(v) for v in values)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._error(field, "must be numbers") from error
        if not all(map(math.isfinite, found)):
            raise self._error(field, "must be finite numbers")
        return found

    def _error(self, field: str, sentence: str) -> InputError:
        return InputError(f"network.sources ({self.name}).{field}", sentence)
