"""A block of chains of one network of generators, generation by generation.

The functions of a generator are compiled for a block of chains, one model at a time, and called
from Python for every feed and every model. So one program serves all models of all networks, and
two networks agree to the last bit as long as they have read the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from mcjax.chains.layout import Feeds, network_arrays, shape_of, tables_of
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys, condition_word
from mcjax.generators.generator import Generator
from mcjax.generators.keys import COMPARE, FIT, INIT, MEASURE, SHOW, Keys, fit_keys, sample_keys
from mcjax.generators.shown import SHOWN, Shown, shown_of
from mcjax.generators.study import GeneratorCondition
from mcjax.network import REAL, Network


class Block(NamedTuple):
    """Some chains up to a generation, with what the next one needs.

    Attributes
    ----------
    params : tuple
        Parameters of each model, pytrees with a leading axis of chains.
    first : tuple
        The same at generation 0.
    values : ndarray
        Measures of generations 0 to t, shape (B, t + 1, M, K).
    shown : ndarray, optional
        What models of the first chain generate, as reports show it, shape (t + 1, M, 2, ...); None
        if the generator has no way to show it, or if earlier generations have not kept it.
    """

    params: tuple[Any, ...]
    first: tuple[Any, ...]
    values: Float[np.ndarray, "B t+1 M K"]
    shown: Shown | None = None

    @property
    def generation(self) -> int:
        """The last generation, t."""
        return self.values.shape[1] - 1


class Read(NamedTuple):
    """Origin that a model reads: a number of a model, or M + s for real source s.

    The weight of a row is relative to the largest in a fit.
    """

    origin: int
    stream: int
    rows: int
    renewed: bool
    weight: float


def readings(network: Network, generations: int) -> list[list[list[Read]]]:
    """Return what each model reads in each generation, from 0 on."""
    arrays = network_arrays(network, shape_of([network], generations))
    tables = [_table(feeds) for feeds in tables_of(arrays)]
    return [tables[g] for g in arrays.order.tolist()]


def _table(feeds: Feeds) -> list[list[Read]]:
    columns = (feeds.origin, feeds.stream, feeds.samples, feeds.renewed, feeds.weight)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [[Read(*read) for read in zip(*row, strict=True) if read[2]] for row in rows]


def run_block(
    condition: GeneratorCondition,
    generations: int,
    chains: Integer[np.ndarray, " B"],
    known: Block | None = None,
) -> Iterator[Block]:
    """Run some chains; yield them after every generation.

    Parameters
    ----------
    condition : GeneratorCondition
        The network.
    generations : int
        The last generation.
    chains : ndarray
        Numbers of the chains, shape (B,).
    known : Block, optional
        The same chains up to some generation, from which they go on.
    """
    keys = chain_keys(condition.seed, condition_word(condition.label), chains)
    block = known
    feeds = readings(condition.network, generations)
    for t in range(0 if block is None else block.generation + 1, generations + 1):
        with own_settings():
            block = _generation(condition, feeds[t], before=block, keys=keys, t=t)
        yield block


def _generation(
    condition: GeneratorCondition,
    reads: list[list[Read]],
    before: Block | None,
    keys: Keys,
    t: int,
) -> Block:
    """Fit every model that reads something, and measure it; others stay as they are."""
    run = compiled(condition.generator)
    begun, at = None, condition.begins_at(t)
    if before is not None and at is not None:
        begun = before.params if at == before.generation else before.first

    @cache  # readers of a published sample get the same, whatever weights they give it
    def draw(read: Read) -> Any:
        own = sample_keys(keys, t if read.renewed else 0, read.stream)
        if before is None or read.origin >= len(reads):
            return run.real((read.rows, source_of(condition.network, read)), own)
        return run.sample(read.rows, own, before.params[read.origin])

    params: list[Any] = []
    measured: dict[int, Any] = {}
    shown: list[Any] = []
    shows = condition.generator.show is not None
    if before is not None and before.shown is None:  # kept by a version that did not show them
        shows = False
    for i, incoming in enumerate(reads):
        if not incoming:
            assert before is not None, "every model reads real data at generation 0"
            params.append(before.params[i])
            shown += [] if before.shown is None else [before.shown[-1, i]]
            continue
        rows = run.joined([draw(read._replace(weight=1.0)) for read in incoming])
        start = run.init(fit_keys(keys, t, i, INIT)) if begun is None else begun[i]
        weights = weights_of(incoming, len(keys)) if condition.generator.weighs else ()
        params.append(run.fit(fit_keys(keys, t, i, FIT), start, rows, *weights))
        measured[i] = run.measure(fit_keys(keys, t, i, MEASURE), params[i], rows)
        if shows:
            drawn = run.shown(SHOWN, fit_keys(keys, t, i, SHOW), params[i])
            shown.append(shown_of(condition.generator, jax.tree.map(lambda rows: rows[0], drawn)))
    alike = between(run.compare, params, keys, t)
    values = []
    for i in range(len(reads)):
        own = measured.get(i)
        if own is None and before is not None:
            own = before.values[:, -1, i, : before.values.shape[-1] - alike.shape[-1]]
        values.append(np.concatenate([np.asarray(own, float), alike[:, i]], axis=-1))
    found = np.stack(values, axis=1)[:, None]
    pictures = np.stack(shown)[None] if shown else None
    if before is None:
        return Block(tuple(params), tuple(params), found, pictures)
    if pictures is not None and before.shown is not None:
        pictures = np.concatenate([before.shown, pictures])
    values_so_far = np.concatenate([before.values, found], axis=1)
    return Block(tuple(params), before.first, values_so_far, pictures)


class Compiled(NamedTuple):
    """The functions of a generator for blocks of chains, with the words of keys, (B, 2)."""

    init: Callable[..., Any]
    fit: Callable[..., Any]
    sample: Callable[..., Any]
    shown: Callable[..., Any]
    real: Callable[..., Any]
    measure: Callable[..., Any]
    compare: Callable[..., Any] | None
    joined: Callable[[list[Any]], Any]


@cache
def compiled(generator: Generator) -> Compiled:
    """Return the compiled functions of a generator; those that draw rows take their number first.

    Rows are joined by a program of their own, so that one program fits them however many feeds
    there are.
    """

    def rows_of(function: Callable[..., Any]) -> Callable[..., Any]:
        def rows(count: int, words: Any, params: Any) -> Any:
            return _batched(lambda key, at: function(key, at, count))(words, params)

        return jax.jit(rows, static_argnums=0)

    sample = rows_of(generator.sample)

    def real(which: tuple[int, str], words: Any) -> Any:
        return _batched(lambda key: generator.real_rows(key, *which))(words)

    def flat(function: Callable[..., Any]) -> Callable[..., Any]:
        def measure(key: Any, *arguments: Any) -> Any:
            found = function(key, *arguments)
            kind = jnp.zeros(()).dtype
            return jnp.concatenate([jnp.ravel(found[name]).astype(kind) for name in sorted(found)])

        return jax.jit(_batched(measure))

    return Compiled(
        init=jax.jit(_batched(generator.init)),
        fit=jax.jit(_batched(generator.fit)),
        sample=sample,
        shown=sample if generator.expected is None else rows_of(generator.expected),
        real=jax.jit(real, static_argnums=0),
        measure=flat(generator.measure),
        compare=None if generator.compare is None else flat(generator.compare),
        joined=jax.jit(lambda parts: jax.tree.map(lambda *rows: jnp.concatenate(rows, 1), *parts)),
    )


def source_of(network: Network, read: Read) -> str:
    """Return the name of the real source that is read."""
    number = read.origin - network.size
    return REAL if number == 0 else network.sources[number - 1].name


def weights_of(incoming: Sequence[Read], chains: int) -> tuple[Float[np.ndarray, "B n"]]:
    """Return the weights of the rows of a fit, the same in all chains."""
    rows = [np.full(read.rows, read.weight, np.float32) for read in incoming]
    whole = np.concatenate(rows)
    return (np.broadcast_to(whole, (chains, len(whole))),)


def between(
    compare: Callable[..., Any] | None, params: Sequence[Any], keys: Keys, t: int
) -> Float[np.ndarray, "B M L"]:
    """Return how alike each model and the others are, in the mean."""
    size = len(params)
    if compare is None or size == 1:
        return np.empty((len(keys), size, 0))
    pairs = list(combinations(range(size), 2))
    found = [
        np.asarray(compare(fit_keys(keys, t, i, COMPARE + j), params[i], params[j]), float)
        for i, j in pairs
    ]
    total = np.zeros((len(keys), size, found[0].shape[-1]))
    for pair, one in zip(pairs, found, strict=True):
        for i in pair:
            total[:, i] += one / (size - 1)
    return total


def _batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of keys as one of words, over a block of chains."""

    def run(words: Any, *arguments: Any) -> Any:
        return function(jax.random.wrap_key_data(words, impl="threefry2x32"), *arguments)

    return jax.vmap(run)
