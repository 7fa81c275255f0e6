"""Examples of every kind of selection, and NumPy programs that draw and score the same rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from mcjax.laws.first_order.population import Origin
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.models.model import Model
from mcjax.selections.best_of import BestOf
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.top_p import TopP
from mcjax.selections.verifier import Verifier

SIGMA = 0.7
COVARIANCE = np.array([[1.2, 0.3, 0.0], [0.3, 0.9, -0.2], [0.0, -0.2, 0.7]])
ROOT = np.linalg.cholesky(COVARIANCE)
PARENT, READER, OTHER = np.array([[-0.3, 0.5, 0.2], [0.5, -0.2, 0.3], [0.1, 0.4, 0.0]])
C = (0.2, -0.1, 0.6)
SHARES = np.array([[0.4, 0.25, 0.2, 0.15], [0.3, 0.3, 0.2, 0.2], [0.5, 0.2, 0.2, 0.1]])
NORMAL = np.array([[0.3, 1.7], [-0.2, 1.1], [0.6, 2.0]])

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Covariates (n, q), labels (n,), and whether each row is kept (n,)."""


class Example(NamedTuple):
    """A selection, parameters of an origin and of two readers, and a program that draws rows."""

    keep: Any
    model: Model
    points: np.ndarray  # origin and two readers, (3, p)
    draw: Callable[[np.random.Generator, np.ndarray, int], Drawn]

    @property
    def raw(self) -> bool:
        """Whether rows that are not kept count."""
        return getattr(self.keep, "count", "accepted") == "raw"

    def population(self, parent=None):
        theta = self.points[0] if parent is None else parent
        root = ROOT if len(theta) == 3 and self.model.covariates != 0 else np.eye(len(theta))
        return self.keep.population(Origin(theta, root, self.model.params, False), self.model)


def covariates(rng, count):
    return rng.normal(size=(count, 3)) @ ROOT.T


def chance(rng, probability):
    return (rng.random(len(probability)) < probability).astype(float)


def all_of(x, y):
    return x, y, np.ones(len(y), bool)


def labels(scale):
    def draw(rng, v, count):
        x = covariates(rng, count)
        return all_of(x, chance(rng, expit(x @ v / scale)))

    return draw


def noisy(scale):
    def draw(rng, v, count):
        x = covariates(rng, count)
        return all_of(x, x @ v + np.sqrt(scale) * SIGMA * rng.normal(size=count))

    return draw


def classes(power, p=1.0):
    """Classes of probabilities in proportion to theta^power, or the first ones of them."""

    def draw(rng, v, count):
        shares = (v / v.sum()) ** power
        order = np.argsort(-shares, kind="stable")
        fewest = 1 + np.searchsorted(np.cumsum(shares[order]), p * shares.sum())
        shares[order[fewest:]] = 0
        y = rng.choice(len(v), size=count, p=shares / shares.sum()).astype(float)
        return all_of(np.zeros((count, 0)), y)

    return draw


def coin(change):
    def draw(rng, v, count):
        return all_of(np.zeros((count, 0)), chance(rng, np.full(count, change(v[0]))))

    return draw


def flipped(share):
    def draw(rng, v, count):
        x, y, kept = labels(1)(rng, v, count)
        return x, np.where(rng.random(count) < share, 1 - y, y), kept

    return draw


def verified(within):
    def draw(rng, v, count):
        x, y, _ = noisy(1)(rng, v, count)
        return x, y, np.abs(y - x @ C) <= within

    return draw


def checked(rng, v, count):
    x, y, _ = labels(1)(rng, v, count)
    return x, y, y == chance(rng, expit(x @ C))


def best(count, worth):
    def draw(rng, v, rows):
        y = v[0] + np.sqrt(v[1]) * rng.normal(size=(rows, count))
        chosen = np.argmax(worth(y), axis=1)
        return all_of(np.zeros((rows, 0)), y[np.arange(rows), chosen])

    return draw


X = np.array([PARENT, READER, OTHER])
P = np.array([[0.3], [0.5], [0.6]])
TEMPERED = [
    Example(Temperature(0.7), logistic(), X, labels(0.7)),
    Example(Temperature(0.7), linear(sigma=SIGMA), X, noisy(0.7)),
    Example(Temperature(0.7), categorical(), SHARES, classes(1 / 0.7)),
    Example(Temperature(1.6), bernoulli(), P, coin(lambda q: 1 / (1 + (1 / q - 1) ** (1 / 1.6)))),
]
FLIPPED = [
    Example(Flip(0.1), logistic(), X, flipped(0.1)),
    Example(Flip(0.1), bernoulli(), P, coin(lambda q: 0.9 * q + 0.1 * (1 - q))),
]
VERIFIED = [
    Example(Verifier(C, 0.5), linear(sigma=SIGMA), X, verified(0.5)),
    Example(Verifier(C, 2.0), linear(sigma=SIGMA), X, verified(2.0)),
    Example(Verifier(C, 0.9, count="raw"), linear(sigma=SIGMA), X, verified(0.9)),
]
CHECKED = [
    Example(Checker(C), logistic(), X, checked),
    Example(Checker(C, count="raw"), logistic(), X, checked),
]
BEST = [
    Example(BestOf(3), gaussian(), NORMAL, best(3, lambda y: y)),
    Example(BestOf(1), gaussian(), NORMAL, best(1, lambda y: y)),
    Example(BestOf(4, "closest", 1.0), gaussian(), NORMAL, best(4, lambda y: -np.abs(y - 1.0))),
    Example(BestOf(2, "closest", -3.0), gaussian(), NORMAL, best(2, lambda y: -np.abs(y + 3.0))),
    Example(BestOf(1), logistic(), X, labels(1)),
]
CUT = [
    Example(TopP(0.7), categorical(), SHARES, classes(1, 0.7)),
    Example(TopP(1.0), categorical(), SHARES, classes(1)),
]
EXAMPLES = {
    f"{next(iter(vars(e.keep)))} {k}, {e.model.name}": e
    for kind in (TEMPERED, FLIPPED, VERIFIED, CHECKED, BEST, CUT)
    for k, e in enumerate(kind)
}
"""By name: the field of ``keep`` that asks for the kind, a number, and the model."""


def scores(model, x, y, reader):
    """The gradient of the loss of each row at the parameters of a reader, (n, p)."""
    if model.name == "logistic":
        return x * (expit(x @ reader) - y)[:, None]
    if model.name == "linear":
        return x * (x @ reader - y)[:, None]
    if model.name == "categorical":
        return reader - (y[:, None] == np.arange(len(reader)))
    if model.name == "bernoulli":
        return reader - y[:, None]
    return np.stack([reader[0] - y, reader[1] - (y - reader[0]) ** 2], axis=1)  # gaussian
