"""A fixed number of steps of any optax optimiser, which may stop short of the minimum."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax
from jaxtyping import Key

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.estimator import (
    MOST_STEPS,
    Dataset,
    Fit,
    Problem,
    finished,
    first_that_holds,
    rows_of,
)
from mcjax.estimators.objective import penalised, plain_mean_loss
from mcjax.estimators.rated import Rated, Recipe
from mcjax.estimators.starts import PARENTS, read_base, read_start
from mcjax.numbers import check_between
from mcjax.solvers.status import Status

LATER = {"later": True}
"""Mark of a field that results on disk do without unless it is set: they may be older than it."""

STATES = RESET, CARRIED = "reset", "carried"
"""Treatment of the state of an optimiser between generations."""

NAMED = ("transformation", "name")
"""Fields that tell the rates of an optimiser."""

ORDERS = RESHUFFLED, SAME_ORDER, REPLACEMENT = "reshuffled", "same_order", "replacement"
"""Orders in which rows come into batches."""


@explained
@dataclass(frozen=True)
@checked_fields
class Optax:
    """Steps of an optax optimiser on the weighted mean loss.

    Attributes
    ----------
    transformation : optax.GradientTransformation
        Any optimiser, such as ``optax.adam(1e-2)``.
    steps : int
        Number of updates in every fit.
    batch_size : int, optional
        Rows used in one step; defaults to all rows. A fit with fewer uses all of them in each
        step, or draws that many with replacement.
    name : str, optional
        What distinguishes the optimiser from others in results on disk, which need it.
    start : str or mapping of str to str
        Where fits begin: at the weighted mean of the parameters behind their data, true ones
        included (``"parents"``); at the model's own last parameters (``"own"``); at a base
        (``"base"``); or at zero (``"scratch"``). A mapping says so model by model, where the name
        of another model stands for the last parameters of that one, ``"refit"`` for a fit to the
        minimum, and models that are left out have ``"own"``. Except for ``"parents"``, generation 0
        is fitted to the minimum, unless ``first_steps`` are given.
    base : sequence of float, optional
        Parameters of the base, in the order of the leaves of theta; defaults to those of
        generation 0 of each model.
    replacement : bool
        Whether each row of a batch is drawn from all rows, those that were used already included.
    batches : str, optional
        The order of rows in passes over the data: shuffled anew in each (``"reshuffled"``, the
        default) or once for all of a fit (``"same_order"``). ``"replacement"`` sets
        ``replacement``; it and the default are kept as None.
    first_steps : int, optional
        Number of updates in generation 0. They begin at the base that is given or, without one, at
        zero; with ``"parents"`` at the truth.
    state : {"reset", "carried"}
        Whether the state of the optimiser, such as its momentum, is initialised for every fit, or
        is that of the model's last fit.

    Examples
    --------
    >>> import mcjax
    >>> import optax
    >>> estimator = mcjax.Optax(optax.sgd(0.5), steps=20, name="sgd(0.5)")
    >>> network = mcjax.topologies.self_loop(samples=50, initial=100)
    >>> mcjax.condition(network, mcjax.logistic(), theta=[1.0], estimator=estimator).minimises
    False
    """

    transformation: optax.GradientTransformation
    steps: int
    batch_size: int | None = None
    name: str | None = None
    start: Any = field(default=PARENTS, metadata=LATER)
    base: Any = field(default=None, metadata=LATER)
    replacement: bool = field(default=False, metadata=LATER)
    batches: str | None = field(default=None, metadata=LATER)
    first_steps: int | None = field(default=None, metadata=LATER)
    state: str = field(default=RESET, metadata=LATER)
    minimises = False
    penalises = True

    def __post_init__(self) -> None:
        check_between("steps", self.steps, 1, MOST_STEPS)
        if self.batch_size is not None:
            check_between("batch_size", self.batch_size, 1, MOST_STEPS)
        else:
            for name in ("replacement", "batches"):
                if getattr(self, name):
                    raise InputError(name, "is of batches; give a batch_size as well")
        self._check_batches()
        if self.first_steps is not None:
            check_between("first_steps", self.first_steps, 1, MOST_STEPS)
        if self.state not in STATES:
            choices = ", ".join(map(repr, STATES))
            hint = did_you_mean(self.state, STATES)
            raise InputError("state", f"is {self.state!r}; give one of {choices}{hint}")
        object.__setattr__(self, "start", read_start(self.start))
        object.__setattr__(self, "base", read_base(self.base))

    def _check_batches(self) -> None:
        """Keep what ``batches`` says beside ``replacement`` in one way."""
        if self.batches not in (None, *ORDERS):
            choices = ", ".join(map(repr, ORDERS))
            hint = did_you_mean(self.batches, ORDERS)
            raise InputError("batches", f"is {self.batches!r}; give one of {choices}{hint}")
        if self.replacement and self.batches not in (None, REPLACEMENT):
            raise InputError("batches", f"is {self.batches!r}, and replacement is true; keep one")
        if self.batches == REPLACEMENT:
            object.__setattr__(self, "replacement", True)
        if self.batches != SAME_ORDER:
            object.__setattr__(self, "batches", None)

    @property
    def carries(self) -> bool:
        """True if each fit takes over the optimiser's state from the last one."""
        return self.state == CARRIED

    @property
    def first(self) -> Optax | None:
        """Estimator that fits generation 0; None if that goes to the minimum."""
        if self.first_steps is not None:
            return replace(self, steps=self.first_steps, first_steps=None)
        return self if self.start == PARENTS else None

    def initial(self, theta: Any) -> Any:
        """Return the state of the optimiser before its first step, from parameters."""
        with jax.numpy_dtype_promotion("standard"):
            return self.transformation.init(theta)

    def split(self) -> tuple[Unrated, tuple[float, ...]] | None:
        """Return the settings that a program is compiled for and the rates that it takes, or None.

        There are no such rates if the optimiser is not one that a study file names.
        """
        made = self.transformation
        if not isinstance(made, Rated):
            return None
        kept = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        settings = {key: value for key, value in kept.items() if key not in NAMED}
        return Unrated(made.recipe, tuple(settings.items())), made.numbers

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`."""
        return self.resume(model, data, start, key=key, state=self.initial(start))[0]

    def resume(
        self, model: Problem, data: Dataset, start: Any, *, key: Key[Array, ""], state: Any
    ) -> tuple[Fit, Any]:
        """Fit ``model`` from a state of the optimiser; also return the state after the fit."""
        optimiser = optax.with_extra_args_support(self.transformation)

        def step(k: Array, carry: tuple[Any, Any], order: Array | None) -> tuple[Any, Any]:
            theta, state = carry
            batch = data if self.batch_size is None else self._batch(data, key, k, order)

            def objective(at: Any) -> Array:
                # a penalty is that of all rows, whichever of them a step uses
                return penalised(model, data, at, plain_mean_loss(model, batch, at))

            value, gradient = jax.value_and_grad(objective)(theta)
            updates, state = optimiser.update(
                gradient, state, theta, value=value, grad=gradient, value_fn=objective
            )
            return optax.apply_updates(theta, updates), state

        def one_pass(carry: tuple[Array, Any]) -> tuple[Array, Any]:
            first, inner = carry
            batches = self._batches(data)
            number = jnp.int32(0) if self.batches == SAME_ORDER else first // batches
            order = _shuffled(data, jax.random.fold_in(key, number))
            last = jnp.minimum(first + batches, self.steps)
            return last, lax.fori_loop(first, last, partial(step, order=order), inner)

        with jax.numpy_dtype_promotion("standard"):  # optax counts its steps in whole numbers
            begin = start, state
            if self.batch_size is None or self.replacement:
                theta, state = lax.fori_loop(0, self.steps, partial(step, order=None), begin)
            else:  # rows are sorted once a pass, and not in each of its steps
                _, (theta, state) = lax.while_loop(
                    lambda carry: carry[0] < self.steps, one_pass, (jnp.int32(0), begin)
                )
        leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(theta)]
        status = first_that_holds(
            (rows_of(data) == 0, Status.NOT_FITTED),
            (~jnp.all(jnp.stack(leaves)), Status.OVERFLOW),
            otherwise=Status.CONVERGED,
        )
        return finished(theta, status, jnp.asarray(self.steps, jnp.int32)), state

    def _batches(self, data: Dataset) -> Array:
        """Return the number of batches of a pass."""
        size = min(self.batch_size or len(data.weight), len(data.weight))
        return (_count(data) + size - 1) // size

    def _batch(self, data: Dataset, key: Array, step: Array, order: Array | None) -> Dataset:
        """Return the rows of one step; the last batch of a pass may be smaller."""
        size, rows = self.batch_size or len(data.weight), _count(data)
        if order is None:
            used = jnp.argsort(data.weight <= 0)  # stable: rows that are no padding come first
            drawn = jax.random.randint(
                jax.random.fold_in(key, step), (size,), 0, rows, dtype=jnp.int32
            )
            chosen = used[drawn]
            return Dataset(data.x[..., chosen], data.y[..., chosen], data.weight[chosen])
        size = min(size, len(data.weight))
        place = step % self._batches(data)
        position = place * size + jnp.arange(size, dtype=jnp.int32)
        chosen = order[jnp.minimum(position, rows - 1)]
        weight = jnp.where(position < rows, data.weight[chosen], 0)
        return Dataset(data.x[..., chosen], data.y[..., chosen], weight)


@dataclass(frozen=True)
class Unrated:
    """An :class:`Optax` without its rates, and without the name that tells them."""

    recipe: Recipe
    settings: tuple[tuple[str, Any], ...]

    def at(self, rates: tuple[Any, ...]) -> Optax:
        """Return the estimator with these rates, which may be traced."""
        return Optax(Rated(self.recipe, rates), **dict(self.settings))


def _shuffled(data: Dataset, key: Array) -> Array:
    """Return the rows in random order, those that are padding last."""
    # whole numbers, which are quick on every device, unlike double precision; the bits dropped are
    # those that uniform numbers of the default precision drop
    word, low = (jnp.uint64, 12) if jax.config.read("jax_enable_x64") else (jnp.uint32, 9)
    words = jax.random.bits(key, data.weight.shape, word) >> low
    padding = jnp.asarray(jnp.iinfo(word).max, word)
    return jnp.argsort(jnp.where(data.weight > 0, words, padding))


def _count(data: Dataset) -> Array:
    """Return the number of rows that are no padding, at least 1."""
    return jnp.maximum(jnp.sum(data.weight > 0), 1).astype(jnp.int32)
