"""Prepare a condition, and the programs that JAX makes of its model, for checks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mcjax.engine.routes import estimator_of
from mcjax.estimators.estimator import Estimator
from mcjax.faults import is_users, where
from mcjax.laws.first_order.rule_of_thumb import effective_rows
from mcjax.models.model import Model
from mcjax.study.study import Condition, Study


@dataclass(frozen=True, eq=False)
class Case:
    """A condition of a study whose parts are checked."""

    condition: Condition
    study: Study

    @property
    def model(self) -> Model:
        """Return the model."""
        return self.condition.model

    @cached_property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the model's functions that are not part of mcjax, by name."""
        own, scalar = self.model, self.model.predictor
        found: tuple[Callable[..., Any] | None, ...] = own.loss, own.sample, own.sample_real
        if scalar is not None:
            found = scalar.loss, scalar.label, scalar.label_real
        named = dict(zip(("loss", "sample", "sample_real"), found, strict=True))
        return {name: f for name, f in named.items() if f is not None and is_users(f)}

    @cached_property
    def samplers(self) -> dict[str, Callable[..., Any]]:
        """Return the samplers among :attr:`functions`, as the model calls them."""
        made = {"sample": self.model.sample, "sample_real": self.model.sample_real}
        return {name: f for name, f in made.items() if f is not None and name in self.functions}

    @cached_property
    def estimator(self) -> Estimator:
        """Return the estimator that fits the model."""
        return estimator_of(self.condition, self.study.solver)

    @cached_property
    def key(self) -> Hashable:
        """Return what cases have in common of which one needs to be checked."""
        leaves, structure = jax.tree.flatten((self.model, self.condition.network.selections))
        arrays = (*leaves, self.condition.theta, self.condition.covariance)
        parts = (self.estimator, self.condition.network.memory)
        known = tuple(part if _hashable(part) else id(part) for part in parts)
        return structure, tuple(np.asarray(leaf).tobytes() for leaf in arrays), known

    def arguments(self, *last: Any) -> tuple[Any, ...]:
        """Return model, theta, x and further arguments as JAX gets them."""
        theta = jnp.asarray(self.condition.theta)
        model = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), self.model)
        count = self.model.covariates_for(len(theta))
        return (model, theta, jnp.zeros(count, theta.dtype), *last)

    def label(self, sampler: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return a sampler as a function of arrays, and its arguments, of which the last is random.

        It is a new function at each call, so that JAX traces it again.
        """

        def drawn(model: Model, theta: Array, x: Array, words: Any) -> Array:
            return sampler(model.params, model.parameters(theta), x, words)

        return drawn, self.arguments((jnp.uint32(1), jnp.uint32(2)))

    def loss(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the loss as a new function of arrays, and its arguments."""
        drawn, arguments = self.label(self.model.sample)
        shape = jax.eval_shape(drawn, *arguments)

        def loss(model: Model, theta: Array, x: Array, y: Array) -> Array:
            return model.loss(model.params, model.parameters(theta), x, y)

        return loss, (*arguments[:-1], jnp.zeros(shape.shape, shape.dtype))

    def place(self, name: str) -> str:
        """Return where a function of the model is defined, in brackets."""
        return where(self.functions[name]) if name in self.functions else ""


def _hashable(thing: object) -> bool:
    try:
        hash(thing)
    except TypeError:
        return False
    return True


def cases_of(study: Study) -> Iterator[Case]:
    """Yield a case for each condition, of those that are alike the one with the fewest rows."""
    found: dict[Hashable, Case] = {}
    for condition in study.conditions:
        case = Case(condition, study)
        alike = found.setdefault(case.key, case)
        if effective_rows(condition) < effective_rows(alike.condition):
            found[case.key] = case
    yield from found.values()
