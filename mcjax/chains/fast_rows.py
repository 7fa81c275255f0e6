"""The rows of many fits at once, for :mod:`mcjax.chains.fast`.

Arrays hold F fits and last the H pairs of rows of each. Each optimisation states what it gains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Integer

from mcjax.chains.lookup import FEW, lookup
from mcjax.chains.selected import MOST_ATTEMPTS, attempt_keys
from mcjax.draws.samplers import normal_pair
from mcjax.draws.streams import LABEL, SPARE, row_words
from mcjax.estimators.newton_sums import predictor_of
from mcjax.estimators.predictor import Params
from mcjax.estimators.rows import Rows, linear, panel_widths
from mcjax.models.model import Model
from mcjax.solvers.once import hidden, once

VECTOR, FEW_LEFT = 16, 4
"""Single-precision numbers in the longest vector register; and how many numbers beyond whole
vectors run one by one as quickly as in a further vector."""
EVEN, ODD, PAIR = 31, 30, np.uint32(2**30 - 1)
"""Two bits tell whether the even and the odd row of a pair are rows of the fit; the mask gives the
other bits, which are the number of the pair."""


def padded(pairs: int) -> int:
    """Return the number of pairs of rows of a fit after padding to whole vectors."""
    left = pairs % VECTOR
    return pairs if left <= FEW_LEFT else pairs + VECTOR - left


class Sources(NamedTuple):
    """The feeds of F fits.

    Attributes
    ----------
    words : Array
        Shape (5 or 7, F, B): where each feed ends among the pairs, its rows, 2 or 4 words of stream
        keys, and whether it is real.
    theta : Array
        Parameters of the origins, shape (p, F, B).
    weight : Array
        Weight of an observation as a share of the fit's total weight, shape (F, B).
    selection : Array or None
        Number of what the reader keeps, from 1, or 0 for everything, shape (F, B).
    """

    words: Integer[Array, "k F B"]
    theta: Array
    weight: Array
    selection: Array | None


class Selected(NamedTuple):
    """Selections of feeds, and the fits that need rows.

    Attributes
    ----------
    selections : tuple of Selection
        Their numbers have shape (F,).
    running : Array
        Which fits need rows, shape (F,).
    """

    selections: tuple[Any, ...]
    running: Bool[Array, " F"]


def draw_rows(
    model: Model, factor: Any, sources: Sources, selected: Selected, count: Array, pairs: int
) -> tuple[Rows, Bool[Array, " F"] | None]:
    """Draw the rows of all fits, the same as :func:`mcjax.chains.dataset.draw_dataset` draws.

    Parameters
    ----------
    model : Model
        The model that generates the labels, whose numbers have shape (F, 1).
    factor : Array
        Roots of the covariances of x in the precision of the draws, shape (lanes, p, p).
    sources : Sources
        The feeds of the fits.
    selected : Selected
        What readers keep of them.
    count : Array
        Any integer known only at run time and not negative, shape ().
    pairs : int
        Number of pairs of rows of the largest fit.

    Returns
    -------
    rows : Rows
        The rows.
    lacking : Array or None
        Whether a reader keeps so little that rows are not to be had, shape (F,); None if readers
        keep every row.
    """
    (_, fits, slots), pairs = sources.theta.shape, padded(pairs)

    def of_pair(values: Array) -> Array:
        """Return for each pair of rows the value of its feed: (..., F, B) to (..., F, H)."""
        ends, place = sources.words[0].astype(jnp.int32), _places(pairs)
        if slots > FEW:
            slot = (place[..., None] >= ends[:, None, :-1]).sum(-1, dtype=jnp.int32)
            return lookup(values, slot, -1)
        chosen = jnp.broadcast_to(values[..., :1], (*values.shape[:-1], pairs))
        for b in range(1, slots):
            chosen = jnp.where(place >= ends[:, b - 1, None], values[..., b, None], chosen)
        return chosen

    def streams() -> Array:
        """Return words of stream keys and, last, pairs with two flags: (3 or 5, F, H)."""
        ends, samples = (word.astype(jnp.int32) for word in sources.words[:2])
        # (F, H): number of each pair in its sample, and how many rows that leaves in the sample
        within = _places(pairs) - of_pair(ends - (samples + 1) // 2)
        left, inside = of_pair(samples) - 2 * within, _places(pairs) < ends[:, -1:]
        pair = within.astype(jnp.uint32) & PAIR
        for odd, bit in enumerate((EVEN, ODD)):
            pair |= ((left > odd) & inside).astype(jnp.uint32) << bit
        row = lax.broadcasted_iota(jnp.int32, (len(sources.words) - 2, 1, 1), 0)
        # the last row holds the pairs, in place of `real`
        return jnp.where(row == len(row) - 1, pair[None], of_pair(sources.words[2:]))

    # Computed once for all covariates, with fits laid end to end so that vectors run on across
    # their ends: the rows of one fit seldom fill whole vectors, and the rest would run one by one.
    # (3 or 5, F H)
    stream = once(count, streams).reshape(-1, fits * pairs)
    block = _Block(model, factor, sources, selected.selections, count=count, of_pair=of_pair)
    x, y = block.rows(stream)
    lacking = None
    if not all(selection.relabels for selection in selected.selections):
        x, y, lacking = block.until_kept(stream, x, y, selected.running)
    size = sources.words[1].astype(jnp.int32).sum(-1, dtype=jnp.int32)
    rows = Rows(x, y, lambda: of_pair(sources.weight), size.astype(sources.weight.dtype))
    return rows, lacking


@dataclass(frozen=True)
class _Block:
    """Everything that the rows of a block of fits are drawn from, but for the random words."""

    model: Model
    factor: Array
    sources: Sources
    selections: tuple[Any, ...]
    count: Array
    of_pair: Callable[[Array], Array]

    def rows(self, stream: Array) -> tuple[tuple[Array, ...], Array]:
        """Return x, in panels (2, k, F, H), and labels, (2, F, H), from words of their streams."""
        x = self._covariates(stream)
        both = once(self.count, partial(self._labels, stream, x))
        return x, once(self.count, lambda: jnp.stack([both.real, both.imag]))

    def _covariates(self, stream: Array) -> tuple[Array, ...]:
        p, fits, number = len(self.sources.theta), self.sources.theta.shape[1], self.factor.dtype

        # Two results of one computation are packed into one complex array; for two arrays the
        # compiler would run the computation twice. Words and normals are separate stages: together
        # they need more registers than there are, and take half as long again.
        def words() -> Array:
            # (p, F H): the words before the pairs are the key of the design, or of the stream
            role = lax.broadcasted_iota(jnp.uint32, (p, 1), 0)
            drawn = row_words((stream[-3:-2], stream[-2:-1]), stream[-1:] & PAIR, role)
            return lax.complex(*(lax.bitcast_convert_type(word, jnp.float32) for word in drawn))

        drawn = once(self.count, words)

        def normals() -> Array:
            first, second = (
                lax.bitcast_convert_type(part, jnp.uint32) for part in (drawn.real, drawn.imag)
            )
            # zeros in place of rows that are padding
            bits = ((stream[-1:] >> bit & 1).astype(jnp.int32) for bit in (EVEN, ODD))
            normal = normal_pair((first, second), number)
            return lax.complex(*(a * b.astype(number) for a, b in zip(normal, bits, strict=True)))

        z = once(self.count, normals)

        def halves(begin: int, width: int, mix: bool) -> Array:
            """Return a panel, (2, k, F, H): even and odd rows apart, so that each is contiguous."""
            normals, factor, first = hidden((z, self.factor, jnp.int32(begin)))
            panel = partial(_panel, factor=factor, first=first, fits=fits, width=width, mix=mix)
            return jnp.stack([panel(half) for half in (normals.real, normals.imag)])

        def panels(mix: bool) -> tuple[Array, ...]:
            widths = panel_widths(p)
            begins = accumulate(widths, initial=0)
            return tuple(halves(*at, mix) for at in zip(begins, widths, strict=False))

        white = jnp.all(self.factor == np.eye(p, dtype=number)[None])
        return lax.cond(white, lambda: panels(mix=False), lambda: panels(mix=True))

    def _labels(self, stream: Array, x: tuple[Array, ...]) -> Array:
        """Return labels of even and odd rows as one complex array, (F, H)."""
        model, of_pair = self.model, self.of_pair
        theta = of_pair(self.sources.theta.astype(self.factor.dtype))
        real = of_pair(self.sources.words[-1]) > 0
        words = self._words(stream, (LABEL, LABEL + 1))

        def label(odd: int, params: Params, theta: Array) -> Array:
            return predictor_of(model).labels(params, _eta(x, odd, theta), real, words[odd])

        drawn = [label(odd, model.params, theta) for odd in range(2)]
        for chosen, selection in self._chosen():
            if not selection.relabels:
                continue
            numbers = jax.tree.map(lambda leaf: leaf[:, 0], model.params)  # one for each fit
            params, moved = jax.vmap(
                lambda one, params, theta: one.parameters(model, params, theta), (0, 0, 1), (0, 1)
            )(selection, numbers, theta)
            params = jax.tree.map(lambda leaf: leaf[:, None], params)
            spare = self._words(stream, SPARE)
            for odd in range(2):
                kept = jax.vmap(lambda one, y, words: one.changed(y, words))(
                    selection, label(odd, params, moved), spare[odd]
                )
                drawn[odd] = jnp.where(chosen, kept, drawn[odd])
        return lax.complex(*drawn)

    def until_kept(
        self, stream: Array, x: tuple[Array, ...], y: Array, running: Array
    ) -> tuple[tuple[Array, ...], Array, Array]:
        """Draw rows again until their readers keep them; return x, y, and which fits lack rows."""

        def once_more(state: tuple[Any, ...]) -> tuple[Any, ...]:
            k, x, y, kept = state
            keys = attempt_keys((stream[0], stream[1]), k)
            again = jnp.concatenate([jnp.stack(keys), stream[2:]])
            new_x, new_y = self.rows(again)
            now = self._kept(again, new_x, new_y, running)
            x = jax.tree.map(lambda old, new: jnp.where(kept[:, None], old, new), x, new_x)
            return k + 1, x, jnp.where(kept, y, new_y), kept | now

        def unfinished(state: tuple[Any, ...]) -> Array:
            k, *_, kept = state
            return (k < MOST_ATTEMPTS) & ~kept.all()

        begin: tuple[Any, ...] = (jnp.uint32(1), x, y, self._kept(stream, x, y, running))
        _, x, y, kept = lax.while_loop(unfinished, once_more, begin)
        return x, y, ~kept.all((0, 2))

    def _kept(self, stream: Array, x: tuple[Array, ...], y: Array, running: Array) -> Array:
        """Return which rows are not to be drawn again, (2, F, H)."""
        pair = stream[-1].reshape(1, *y.shape[1:])
        bits = np.array([EVEN, ODD], np.uint32)[:, None, None]
        wanted = ((pair >> bits & 1) > 0) & running[None, :, None]
        refused = jnp.zeros_like(wanted)
        for chosen, selection in self._chosen():
            if selection.relabels:
                continue
            spare = self._words(stream, SPARE)
            at = jax.vmap(lambda one: one.judge(), out_axes=1)(selection)  # (p, F)
            accepted = [
                jax.vmap(lambda one, eta, y, words: one.accepts(eta, y, words))(
                    selection, _eta(x, odd, at[..., None]), y[odd], spare[odd]
                )
                for odd in range(2)
            ]
            refused |= chosen[None] & ~jnp.stack(accepted)
        return ~(wanted & refused)

    def _chosen(self) -> list[tuple[Array, Any]]:
        """Return the selections with the pairs of rows that they are for, (F, H)."""
        if not self.selections:
            return []
        assert self.sources.selection is not None, "a network with selections has their numbers"
        number = self.of_pair(self.sources.selection)
        return [(number == k, selection) for k, selection in enumerate(self.selections, 1)]

    def _words(self, stream: Array, roles: tuple[int, int]) -> list[tuple[Array, Array]]:
        """Return two words for each even row, and for each odd row, of shape (F, H)."""
        first, second, *_, pair = stream.reshape(len(stream), self.sources.theta.shape[1], -1)
        words = [row_words((first, second), pair & PAIR, jnp.uint32(role)) for role in roles]
        return [(words[0][odd], words[1][odd]) for odd in range(2)]


@partial(jax.jit, static_argnames=("fits", "width", "mix"))  # traced once for all of one shape
def _panel(half: Array, *, factor: Array, first: Array, fits: int, width: int, mix: bool) -> Array:
    """Return covariates from ``first`` on, (k, F, H), from normals (p, F H)."""
    p = len(half)

    def cut(table: Array, axis: int) -> Array:
        if width == p:
            return table
        return lax.dynamic_slice_in_dim(table, first, width, axis)

    if not mix:
        return cut(half, 0).reshape(width, fits, -1)
    # factor times normals, summed over columns of the factor
    half = half.reshape(p, fits, -1)
    part = cut(factor, 1)
    roots = jnp.repeat(part, fits // len(part), axis=0)  # (F, k, p)
    columns = [roots[:, :, k].T[..., None] * half[k][None] for k in range(p)]
    return sum(columns[1:], columns[0])


def _eta(x: tuple[Array, ...], odd: int, theta: Array) -> Array:
    """Return ``x'theta``, (F, H)."""
    return linear([column for panel in x for column in panel[odd]], theta)


def _places(pairs: int) -> Array:
    return lax.broadcasted_iota(jnp.int32, (1, pairs), 1)
