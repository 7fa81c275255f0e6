"""Response of a weighted sum of errors to real rows in large networks, by random signs.

With ``u_0 = sqrt(q) z``, where z are random signs, and ``u_{k+1} = W' u_k``, the sum ``J = sum q_i
S_ii`` is the mean over z (Hutchinson 1990) of

    J_z = sum_k u_k' V u_k + h' X h,    h = sum_k u_k at frozen models,

in which V is the noise of the fits, which is diagonal for private draws, and X that of the models
that are frozen. The same signs are used at all allocations, so that J_z is a smooth function of
them. Its derivatives by u_k follow backwards, with sparse products alone:

    l_k = 2 V u_k + 2 X h + W l_{k+1} .

With ``W = n / b``, a row more scales row i of W by ``1 - 1 / b_i``, so that ``dJ_z / dm_i = sum_k
(u_ki^2 dV_ii / dm_i - u_ki (W l_{k+1})_i / b_i)``. In expectation J_z is convex; the bound from
below is that of these signs. As ``J_z = l_0' u_0 / 2``, the terms of this product are errors of
single models, with so much noise that only their sum has a meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from mcjax.design.response import Response, State, real_weights
from mcjax.errors import InputError
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

SEED, SIGNS, FEWEST, MOST = 0, 320_000, 16, 64
"""Seed of the signs, their number, and the least and most of them for each model."""
MOST_LAGS, SETTLED = 1_000, 1e-4
"""Number of lags after which errors are infinite, and the share of u that is left out, squared."""


class SampledResponse(Response):
    """The weighted sum of errors of a large network of private draws, by random signs.

    Parameters
    ----------
    net : Network
        The network.
    matters, opened : ndarray of bool, shape (M,)
        As in :class:`mcjax.design.response.Response`.
    weights : ndarray, shape (M,)
        The weights q of the errors.
    """

    resolved = False
    passes = 4

    def __init__(
        self,
        net: Network,
        matters: Bool[np.ndarray, " M"],
        opened: Bool[np.ndarray, " M"],
        weights: Float[np.ndarray, " M"],
    ):
        repeated = min(max(SIGNS // net.size, FEWEST), MOST)
        signs = np.random.default_rng(SEED).integers(0, 2, (net.size, repeated)) * 2.0 - 1
        self._signs, self._weights = signs / np.sqrt(repeated), weights
        super().__init__(net, matters, opened)

    def _prepare(self, base: Network) -> None:
        unit, columns = real_weights(base), base.columns
        between = (columns.origin < base.size) & (columns.weight > 0)
        weight = columns.weight / unit[columns.reader]
        counts = csr_array(
            (
                (weight * columns.samples)[between],
                (columns.reader[between], columns.origin[between]),
            ),
            shape=(base.size, base.size),
        )
        self._scatter = np.bincount(
            columns.reader, weight**2 * columns.samples, minlength=base.size
        )
        self._counts, self._back = counts, counts.T.tocsr()
        self._frozen = np.where(self.fits, 0.0, 1 / np.array(base.initial))
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def kappa(self) -> Float[np.ndarray, " M"]:
        """Return kappa, by which the noise of each model departs from ``1 / b``."""
        return np.where(self._moving, self.given - self._scatter, 0.0)

    def at(self, rows: Float[np.ndarray, " M"]) -> State:
        """Return errors whose sum with the weights is that of these signs."""
        nothing = np.zeros((0, 0))
        errors = np.full(len(rows), np.inf)
        if self._bounded(rows):
            found = self._followed(rows)
            if found is not None:
                errors, slope = found
                self._last = rows, slope
        return State(rows, errors, noise=nothing, constant=nothing, transition=nothing)

    def gradient(self, state: State, weights: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Return the derivatives of the sum by m; ``weights`` are those of the response.

        Raises
        ------
        InputError
            If errors settle too slowly for their sum to be known.
        """
        if self._last is None or self._last[0] is not state.rows:
            self.at(state.rows)
        if self._last is None or self._last[0] is not state.rows:
            problem = f"settles in more than {MOST_LAGS:,} generations, too many for such a network"
            raise InputError("network", f"{problem}; raise the budget, or give a smaller part")
        return self._last[1]

    def errors_in(self, net: Network, rows: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Return errors whose sum with the weights is that of these signs, nan if not known."""
        errors = self.at(rows).errors
        slow = self._bounded(rows) and np.isinf(errors).all()
        return np.full(len(rows), np.nan) if slow else errors

    def _bounded(self, rows: np.ndarray) -> bool:
        """Return whether errors are bounded, however slowly they settle."""
        return all(rows[list(group)].sum() > 0 for group in self.groups)

    def _followed(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return errors and derivatives; None if too much is left after the last lag."""
        errors, slope = np.zeros(len(rows)), np.zeros(len(rows))
        for signs in self._signs.T:  # one after the other, as all lags are kept
            found = self._signed(rows, np.sqrt(self._weights) * signs)
            if found is None:
                return None
            errors += found[0]
            slope += found[1]
        counted = self._weights > 0
        return np.where(counted, errors / np.where(counted, self._weights, 1.0), np.nan), slope

    def _signed(self, rows: np.ndarray, begin: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the terms of the sum, and its derivatives, for one u_0."""
        total = self.given + rows
        fitted = self._moving & (total > 0)
        share = np.where(fitted, 1 / np.where(fitted, total, 1.0), 0.0)
        scatter = self._scatter + rows
        noise, bend = scatter * share**2, share**2 - 2 * scatter * share**3
        lags, held = [begin], self._frozen * begin
        least = SETTLED * float(begin @ begin)
        while float(lags[-1][fitted] @ lags[-1][fitted]) > least:
            if len(lags) > MOST_LAGS:
                return None
            lags.append(self._back @ (share * lags[-1]))
            held += self._frozen * lags[-1]
        after, slope = np.zeros(len(rows)), np.zeros(len(rows))
        for u in reversed(lags):
            read = share * (self._counts @ after)
            slope += u**2 * bend - u * read * share
            after = 2 * (noise * u + held) + read
        return after * begin / 2, slope
