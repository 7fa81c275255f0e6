"""Measure what steps that are not linear make of starts and data, on fits of one generation.

Steps such as those of Adam or Lion are no linear map of one gradient. Their mean over the data of a
generation is smooth, so near the truth

    e' = A s + sum_b B_b e_parent(b) + bias + noise ,

for a start s and the parents of the feeds b. The maps are measured with all of them at theta*, in
replicates of a single fit:

* ``A`` and ``B_b`` are central differences of the mean of e', over common random numbers. They are
  no derivatives of a step: the first step of Adam is the sign of a gradient, whose derivative is 0
  while its mean responds.
* The bias and the covariance N of the noise are those of e'.
* ``B`` is not ``I - A``. Skewed scores make adaptive steps drift by an amount that depends on where
  they are, which in a closed loop is an eigenvalue beside 1.

Most of the noise of all this comes through the mean score g of the rows at theta*, whose moments
are known: ``E g = 0``, ``Cov g = V / n``, and ``dE g / de_b = -H_b``. So e' is taken less its
regression G on g, and G times what is known is added (control variates).

A is measured once more over twice the distance. Steps that depend on the size of gradients have
another A there, and no linear law: full batches of Adam, whose gradients have no noise but their
own. Nor is the law for steps that scatter estimates far beyond those of a refit. Derived here.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Bool, Float, Int, UInt32

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import Feeds
from mcjax.draws.settings import double_precision, own_settings
from mcjax.draws.streams import fitting_stream, measurement_keys, private_stream
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.gradient_steps import Optax
from mcjax.estimators.objective import plain_mean_loss
from mcjax.faults import users_code
from mcjax.laws.first_order.monte_carlo_information import BATCHES
from mcjax.laws.jackknife import jackknife_error, without_each
from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model
from mcjax.numbers import how_many
from mcjax.ongoing import long_work
from mcjax.study.roots import covariance_root
from mcjax.study.study import Condition

REPLICATES = 1 << 14
"""Number of replicates, in as many batches as Monte Carlo information has, whose versions they
join."""
ROUNDS = 8
"""Rounds of replicates, after each of which steps that are not linear are known."""
MOST_PARAMETERS = 16
"""Most parameters: each needs two further samples for every feed."""
MOST_WORK, LEAST = 1 << 31, 16
"""Most numbers of rows and gradients of all replicates, and least replicates in a batch."""
AT_ONCE = 1 << 22
"""Numbers of rows that are in memory at a time."""
CURVED, CLEAR = 0.03, 4.0
"""Change of A over twice the distance, in units of the spread of an estimate, from which steps are
not linear, if it is as many of its standard errors."""
FAR = 4.0
"""Standard deviation of estimates, in units of that of a refit, up to which steps have the law that
is measured near the truth."""


class Fed(NamedTuple):
    """The data of one fit, of B feeds.

    Attributes
    ----------
    samples, weight : ndarray, shape (B,)
        Rows of each feed, and the weight of one.
    real : ndarray of bool, shape (B,)
        Which feeds are of the real source.
    curvature : ndarray, shape (B, p, p)
        Share of each feed in the mean Hessian of a row.
    hessian, score : ndarray, shape (p, p)
        Mean Hessian, and mean covariance of the score, of a row.
    """

    samples: Int[np.ndarray, " B"]
    weight: Float[np.ndarray, " B"]
    real: Bool[np.ndarray, " B"]
    curvature: Float[np.ndarray, "B p p"]
    hessian: Float[np.ndarray, "p p"]
    score: Float[np.ndarray, "p p"]

    @property
    def share(self) -> float:
        """One over the effective rows."""
        mass = self.weight * self.samples
        return float((self.weight * mass).sum() / mass.sum() ** 2)


class Maps(NamedTuple):
    """The maps from starts and parents to estimates of one fit.

    Attributes
    ----------
    kept : ndarray, shape (p, p)
        A.
    response : ndarray, shape (B, p, p)
        B_b, zero for real feeds.
    bias : ndarray, shape (p,)
        Mean of e' without errors of the start and the parents.
    noise : ndarray, shape (p, p)
        N.
    """

    kept: Float[np.ndarray, "*K p p"]
    response: Float[np.ndarray, "*K B p p"]
    bias: Float[np.ndarray, "*K p"]
    noise: Float[np.ndarray, "*K p p"]


class Measured(NamedTuple):
    """Maps of one fit, as measured on replicates.

    Attributes
    ----------
    batches : Maps
        From each of K batches of replicates, less the regression on the mean score.
    through : ndarray, shape (p, p)
        G.
    heard : ndarray, shape (H,)
        Slots of the feeds that are of models.
    share : float
        One over the effective rows.
    """

    batches: Maps
    through: Float[np.ndarray, "p p"]
    heard: Int[np.ndarray, " H"]
    share: float

    def maps(self, fed: Fed, without: int | None = None) -> Maps:
        """Return the maps of all batches or, if one is given, without it."""
        kept, response, bias, noise = (
            part.mean(0) if without is None else without_each(part)[without]
            for part in self.batches
        )
        response = response.copy()
        response[self.heard] -= self.through @ fed.curvature[self.heard]
        known = self.share * self.through @ fed.score @ self.through.T
        return Maps(kept, response, bias, noise + known)


def measured_steps(condition: Condition, estimator: Optax, fed: Fed) -> Measured:
    """Measure the maps of one fit of a condition by an estimator.

    Raises
    ------
    Inapplicable
        If there are too many parameters or rows, steps overflow, or they have no linear law.
    """
    theta = condition.theta
    p, rows = len(theta), int(fed.samples.sum())
    name = estimator.name or "the optimiser"
    if p > MOST_PARAMETERS:
        raise Inapplicable(
            f"the steps of {name} are not linear in the gradients, and their law is measured for up"
            f" to {how_many(MOST_PARAMETERS, 'parameter')}, while there are {p}"
        )
    used = np.flatnonzero(fed.samples > 0)
    heard = used[~fed.real[used]]
    fits = 1 + 4 * p + 2 * p * len(heard)
    work = fits * rows + fits * estimator.steps * min(estimator.batch_size or rows, rows)
    size = min(REPLICATES, MOST_WORK // work) // BATCHES
    if size < LEAST:
        raise Inapplicable(
            f"the steps of {name} are not linear in the gradients, and their law is measured by"
            f" simulation, for which {rows:,} rows in {how_many(estimator.steps, 'step')} are too"
            " many; give fewer"
        )
    spread, drawn = _spread(fed), []
    with own_settings(), double_precision(), jax.numpy_dtype_promotion("standard"):
        together = max(1, min(-(-size // ROUNDS), AT_ONCE // (fits * rows)))
        parts = -(-size // (ROUNDS * together))
        numbers = np.arange(ROUNDS * BATCHES * parts * together)
        setting = _Setting(estimator, rows // 2 + len(fed.samples), len(fed.samples))
        rounds = measurement_keys(numbers).reshape(ROUNDS, BATCHES, parts, together, 2)

        def replicates(keys: UInt32[np.ndarray, "K C R 2"]) -> _Drawn:
            with users_code("loss", condition.model.loss):
                found = _replicates(
                    condition.model,
                    jnp.asarray(covariance_root(condition.covariance)),
                    _feeds(fed),
                    jnp.asarray(keys),
                    theta=jnp.asarray(theta),
                    spread=jnp.asarray(spread),
                    heard=jnp.asarray(heard, jnp.int32),
                    setting=setting,
                )
            return _Drawn(*(np.asarray(part, float) for part in found))

        with long_work(ROUNDS, f"rounds that measure {name}") as advance:
            for keys in rounds:
                drawn.append(replicates(keys))
                if not all(np.isfinite(part).all() for part in drawn[-1]):
                    problem = "the steps of the optimiser diverge; give a lower learning_rate"
                    raise Inapplicable(problem)
                _check_linear(_together(drawn), spread, name)
                advance(1)
    return _less_scores(_together(drawn), fed, heard)


class _Setting(NamedTuple):
    """Static arguments for which the program is compiled."""

    estimator: Optax
    pairs: int
    slots: int


class _Drawn(NamedTuple):
    """Batches of replicates: K batches of R each."""

    end: Any  # (K, R, p) errors of the estimates
    score: Any  # (K, R, p) mean scores at the truth
    by_start: Any  # (K, p, p) means of differences, over the distance
    further: Any  # (K, p, p) the same over twice the distance
    by_parent: Any  # (K, H, p, p), for each feed that is heard
    scores: Any  # (K, H, p, p), of the mean score


def _together(rounds: list[_Drawn]) -> _Drawn:
    """Return the batches of all rounds so far."""
    ends, scores, *means = zip(*rounds, strict=True)
    return _Drawn(
        np.concatenate(ends, 1), np.concatenate(scores, 1), *(np.mean(part, 0) for part in means)
    )


def _spread(fed: Fed) -> Float[np.ndarray, " p"]:
    """Return half the standard deviations of a refit, (p,), over which differences are taken."""
    try:
        inverse = np.linalg.inv(fed.hessian)
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(fed.hessian)
    variance = np.diagonal(inverse @ fed.score @ inverse.T)
    return np.asarray(np.sqrt(variance * fed.share) / 2)


def _feeds(fed: Fed) -> Feeds:
    """Return the feeds as chains read them, each from a parent of its own, or the real source."""
    slots = np.arange(len(fed.samples), dtype=np.int32)
    return Feeds(
        samples=np.asarray(fed.samples, np.int32),
        weight=fed.weight,
        origin=np.where(fed.real, np.int32(len(slots)), slots),
        stream=np.array([private_stream(0, int(b)) for b in slots], np.uint32),
        renewed=np.ones(len(slots), bool),
    )


@partial(jax.jit, static_argnames="setting")
def _replicates(
    model: Model,
    factor: Float[Array, "q q"],
    feeds: Feeds,
    keys: UInt32[Array, "K C R 2"],
    theta: Float[Array, " p"],
    spread: Float[Array, " p"],
    heard: Int[Array, " H"],
    setting: _Setting,
) -> _Drawn:
    """Return batches of replicates, from keys in C parts of R each."""
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), model)
    both = jnp.stack([jnp.diag(spread), -jnp.diag(spread)], 1).reshape(-1, len(theta))  # + -, + -
    still = jnp.broadcast_to(theta, (setting.slots + 1, len(theta)))
    moved = jax.vmap(lambda b: jax.vmap(lambda shift: still.at[b].add(shift))(both))(heard)
    parents = jnp.concatenate([still[None], moved.reshape(-1, *still.shape)])
    starts = theta[None] + jnp.concatenate([both, 2 * both, jnp.zeros((len(parents), len(theta)))])
    data_of = jnp.maximum(jnp.arange(len(starts)) - 2 * len(both), 0)

    def one(words: Array) -> _Drawn:
        stream = threefry((words[0], words[1]), (jnp.uint32(1), fitting_stream(jnp.uint32(0))))
        key = jax.random.wrap_key_data(jnp.stack(stream), impl="threefry2x32")

        def drawn(centres: Array) -> Dataset:
            return draw_dataset(
                model,
                factor=factor,
                parents=centres,
                feeds=feeds,
                key=words,
                generation=jnp.int32(1),
                models=setting.slots,
                pairs=setting.pairs,
            )

        def fitted(y: Array, start: Array) -> Array:
            known = data._replace(y=y)
            end = setting.estimator.fit(model, known, model.parameters(start), key).theta
            error: Array = ravel_pytree(end)[0] - theta
            return error

        def score(y: Array) -> Array:
            def mean(at: Array) -> Array:
                return plain_mean_loss(model, data._replace(y=y), model.parameters(at))

            return jax.grad(mean)(theta)

        # covariates, weights and the order of rows are the same whatever the parents
        axes: Any = Dataset(x=None, y=0, weight=None)  # type: ignore[arg-type]
        data = jax.vmap(drawn, out_axes=axes)(parents)
        ends, scores = jax.vmap(fitted)(data.y[data_of], starts), jax.vmap(score)(data.y)
        count = len(both)
        by_start, further, moved = ends[:count], ends[count : 2 * count], ends[2 * count :]
        return _Drawn(
            moved[0],
            scores[0],
            by_start=_halves(by_start, spread)[0],
            further=_halves(further, 2 * spread)[0],
            by_parent=_halves(moved[1:], spread),
            scores=_halves(scores[1:], spread),
        )

    def part(words: Array) -> _Drawn:
        every = jax.vmap(one)(words)
        return _Drawn(*every[:2], *(differences.mean(0) for differences in every[2:]))

    found = lax.map(part, keys.reshape(-1, *keys.shape[2:]))
    batches, parts = keys.shape[:2]
    whole = [a.reshape(batches, -1, a.shape[-1]) for a in found[:2]]
    means = [a.reshape(batches, parts, *a.shape[1:]).mean(1) for a in found[2:]]
    return _Drawn(*whole, *means)


def _halves(ends: Float[Array, "2*p*H p"], spread: Float[Array, " p"]) -> Float[Array, "*H p p"]:
    """Return half the differences of ends, which come in pairs, over the distance.

    Their last axis is that of the parameter that was moved.
    """
    p = len(spread)
    pairs = ends.reshape(-1, p, 2, p)
    halves = jnp.moveaxis(pairs[:, :, 0] - pairs[:, :, 1], 1, 2) / (2 * spread)[None, None]
    return halves


def _check_linear(drawn: _Drawn, spread: Float[np.ndarray, " p"], name: str) -> None:
    """Raise Inapplicable if the response depends on distance, or estimates are far from it."""
    apart = (drawn.further - drawn.by_start) * spread / spread[:, None]
    change, error = apart.mean(0), jackknife_error(without_each(apart))
    curved = np.abs(change) > np.maximum(CURVED, CLEAR * error)
    if curved.any():
        near, far = (
            np.linalg.norm(part.mean(0) * spread / spread[:, None], 2)
            for part in (drawn.by_start, drawn.further)
        )
        raise Inapplicable(
            f"the steps of {name} have no linear law: of an error at their start they keep"
            f" {near:.3g} at half a standard deviation of an estimate and {far:.3g} at one; smaller"
            " batches or a smaller learning_rate make them more linear"
        )
    away = float((drawn.end.std((0, 1)) / (2 * spread)).max())
    if away > FAR:
        raise Inapplicable(
            f"the steps of {name} have no linear law: they scatter estimates {away:.3g} times as"
            f" far as a refit, and up to {FAR:g} times it is known; give a lower learning_rate"
        )


def _less_scores(drawn: _Drawn, fed: Fed, heard: Int[np.ndarray, " H"]) -> Measured:
    """Return what was measured, less its regression on the mean score."""
    end = drawn.end - drawn.end.mean((0, 1))
    spread = np.einsum("kra,krb->kab", drawn.score, drawn.score) / end.shape[1]
    cross = np.einsum("kra,krb->kab", end, drawn.score) / end.shape[1]
    through = cross.mean(0) @ np.linalg.pinv(spread.mean(0))
    noise = np.einsum("kra,krb->kab", end, end) / end.shape[1] - through @ spread @ through.T
    response = np.zeros((len(end), *fed.curvature.shape))
    response[:, heard] = drawn.by_parent - through @ drawn.scores
    bias = drawn.end.mean(1) - drawn.score.mean(1) @ through.T
    return Measured(Maps(drawn.by_start, response, bias, noise), through, heard, fed.share)
