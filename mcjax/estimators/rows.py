"""The rows of many data sets, for estimators that fit them at once, and sums over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jax import Array, lax
from jaxtyping import Float

from mcjax.solvers.once import reduced_together

AT_ONCE = 8
"""Largest p for which one pass over the rows computes both gradient and Hessian. Beyond that there
are too few registers, and the Hessian is computed in blocks."""
BLOCK = 5
"""Largest number of columns of a panel, and so of rows and columns of a block of the Hessian."""


def panel_widths(p: int) -> list[int]:
    """Return how many of p covariates are in each panel.

    All but the last are as wide as possible, because loops over blocks of one shape are compiled
    once.
    """
    if p <= AT_ONCE:
        return [p]
    return [min(BLOCK, p - begin) for begin in range(0, p, BLOCK)]


class Rows(NamedTuple):
    """The data of F fits: H even and H odd rows each; rows with x = 0 are padding.

    Rows are last and contiguous, so that eight or sixteen of them fill one vector register.

    Attributes
    ----------
    x : tuple of Array
        Covariates of the even and the odd rows, in panels of shape (2, k, F, H), whose numbers k
        of covariates are those of :func:`panel_widths`.
    y : Array
        Labels of the even and the odd rows, shape (2, F, H).
    share : callable
        Returns the weight of a row as a share of the total weight, the same for both rows of a
        pair, shape (F, H).
    size : Array
        Number of rows without padding, in the precision of the fit, shape (F,).
    """

    x: tuple[Float[Array, "2 k F H"], ...]
    y: Float[Array, "2 F H"]
    share: Callable[[], Float[Array, "F H"]]
    size: Float[Array, " F"]

    @property
    def dtype(self) -> Any:
        """Return the precision of the covariates."""
        return self.x[0].dtype

    def columns(self, odd: int, dtype: Any) -> list[Float[Array, "F H"]]:
        """Return all covariates, (F, H) each."""
        return [column for panel in self.x for column in columns_of(panel, odd, dtype)]

    def eta(self, odd: int, theta: Float[Array, "p F"]) -> Float[Array, "F H"]:
        """Return ``x'theta``, (F, H), in the precision of theta."""
        return linear(self.columns(odd, theta.dtype), theta[..., None])

    def both_eta(self, theta: Float[Array, "p F"]) -> Float[Array, "2 F H"]:
        """Return ``x'theta`` of even and of odd rows, in the precision of theta."""
        columns = [panel[:, i] for panel in self.x for i in range(panel.shape[1])]
        return linear([c.astype(theta.dtype) for c in columns], theta[:, None, :, None])


def columns_of(panel: Float[Array, "2 k F H"], odd: int, dtype: Any) -> list[Float[Array, "F H"]]:
    """Return the covariates of a panel, each by a single slice: a slice of a slice is stored."""

    def column(i: int) -> Array:
        end = (odd + 1, i + 1, *panel.shape[2:])
        return lax.squeeze(lax.slice(panel, (odd, i, 0, 0), end), (0, 1)).astype(dtype)

    return [column(i) for i in range(panel.shape[1])]


def linear(columns: Sequence[Array], theta: Array) -> Array:
    """Return the sum of columns times parameters, which are the first axis of ``theta``."""
    first, *rest = (column * theta[i] for i, column in enumerate(columns))
    return sum(rest, first)


def sum_rows(rows: list[Array]) -> list[Array]:
    """Sum several arrays over their last axis in one loop: (F, H) to (F,) each.

    The accumulators stay in registers, which at p = 5 is 13 times as fast as a batched matrix
    product. Only a variadic reduction compiles to such a loop.
    """
    return reduced_together(rows, rows[0].ndim - 1)
