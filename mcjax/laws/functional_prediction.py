"""The prediction of a law that knows means of functionals, and nothing of errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcjax.calls import explained
from mcjax.laws.jackknife import jackknife_error

if TYPE_CHECKING:
    from jaxtyping import Float


@explained
@dataclass(frozen=True)
class FunctionalPrediction:
    """Means of functionals of the estimates, by a law that says nothing about errors.

    Attributes
    ----------
    law : str
        Name of the law.
    reference : str
        Where the law comes from; empty for the law's own reference.
    values : mapping of str to ndarray, shape (T + 1, M)
        Expectations, by the name of the functional.
    versions : tuple of mapping
        For a law that simulates: ``values`` without each of the batches of its draws.
    exact : bool
        Whether the law holds at every sample size; set from the law itself.

    Examples
    --------
    >>> import mcjax
    >>> import numpy as np
    >>> mcjax.FunctionalPrediction("mine", "an example", {"rare": np.zeros((4, 1))}).law
    'mine'
    """

    law: str
    reference: str
    values: Mapping[str, Float[np.ndarray, "T+1 M"]]
    versions: tuple[Mapping[str, Float[np.ndarray, "T+1 M"]], ...] = ()
    exact: bool = True

    @property
    def kind(self) -> str:
        """Kind of the law: ``exact`` or ``asymptotic``."""
        return "exact" if self.exact else "asymptotic"

    def standard_error(self, functional: str) -> Float[np.ndarray, "T+1 M"]:
        """Return the standard error of a functional's expectation over the draws of the law."""
        if not self.versions:
            return np.zeros_like(self.values[functional])
        return jackknife_error(np.array([version[functional] for version in self.versions]))
