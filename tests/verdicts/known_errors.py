"""Outcomes of errors whose law is known: no chain is run."""

from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag

from mcjax.chains.program import Trajectory
from mcjax.engine.tiles import summarise
from mcjax.laws.prediction import Prediction
from mcjax.models.location import linear
from mcjax.network import Source, build_network
from mcjax.study.study import condition
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.quantities.registry import QUANTITIES

MODELS = ("a", "b")
SPREAD = np.array(
    [[2.0, 0.6, 0.5, -0.2], [0.6, 1.0, 0.1, 0.3], [0.5, 0.1, 1.5, -0.4], [-0.2, 0.3, -0.4, 0.8]]
)
"""Covariance of what every generation adds to the errors of two models of two parameters."""


def normal(rng, shape):
    return rng.standard_normal(shape)


def mixture(rng, shape):
    """Uncorrelated with variance 1 and kurtosis 4.5; a chain is wide or narrow as a whole."""
    wide = rng.random((*shape[:-2], 1, 1)) < 1 / 3
    return rng.standard_normal(shape) * np.where(wide, 2.0, 0.5) ** 0.5


def paths(rng, runs, chains, generations, spread=SPREAD, draw=normal, models=2):
    """Errors that add up: (runs, chains, T + 1, M, p), covariance (t + 1) ``spread`` at t."""
    added = draw(rng, (runs, chains, generations + 1, len(spread))) @ np.linalg.cholesky(spread).T
    return np.cumsum(added, axis=2).reshape(*added.shape[:3], models, -1)


def law(covariance, models=2, generations=2, **changes):
    """That errors are normal paths whose covariance grows by ``covariance``."""
    steps = np.arange(1, generations + 2)
    slope = np.array([np.trace(block) for block in own(covariance, models)])
    told = {
        "law": "law",
        "reference": "",
        "exact": True,
        "covariance": steps[:, None, None] * covariance,
        "mse": steps[:, None] * slope,
        "growth": slope,
        "limit": np.full(models, np.nan),
        "asymptotic": True,
    }
    return Prediction(**(told | changes))


def in_doubt(told, share):
    """The law with an error of its own: a share of every mean square."""
    versions = [
        replace(told, mse=factor * told.mse, covariance=factor * told.covariance)
        for factor in (1 - share, 1 + share)
    ]
    return replace(told, versions=tuple(versions))


def own(covariance, models=2):
    """Each model's part of a covariance, (M, p, p)."""
    p = len(covariance) // models
    return np.einsum("iaib->iab", covariance.reshape(models, p, models, p))


def root(covariance, models=2):
    """Block diagonal: turns whitened errors into those with this covariance."""
    return block_diag(*np.linalg.cholesky(own(covariance, models)))


def outcomes(errors, pooled=None):
    """One for each run; errors: (runs, chains, T + 1, M, p), pooled: (runs, chains, p)."""
    ended = np.zeros(errors.shape[:-1], np.int32)
    return summarise(Trajectory(errors, ended, ended), np.zeros(errors.shape[-1]), (), pooled)


def pooled_beside(errors, mse, seed=0):
    """Errors of a pooled estimator, half of whose variance is that of the first model's error."""
    first = errors[:, :, 0, 0]
    size = np.square(np.linalg.cholesky(own(SPREAD)[0])).sum()
    fresh = np.random.default_rng(seed).standard_normal(first.shape)
    p = first.shape[-1]
    return np.sqrt(mse / 2) * (first / np.sqrt(size) + fresh / np.sqrt(p))


def here(outcome, views=None):
    """A condition with as many models and parameters as an outcome: a, b, ... that feed no one.

    With ``views``, the covariances that all see and that each sees in private, as in predictions.
    """
    _, size, p = outcome.sample.shape
    names = "abcdefgh"[:size]
    if views is None:
        return condition(build_network(names, [], 99), linear(), np.zeros(p), name="here")
    private = [
        Source(f"of {name}", 50, covariance=tuple(map(tuple, view.tolist())))
        for name, view in zip(names, views[1], strict=True)
    ]
    first = [(source, name, 50) for name in names for source in (f"of {name}", "all")]
    network = build_network(
        names, [], 100, sources=[*private, Source("all", 50, public=True)], first=first
    )
    return condition(network, linear(), np.zeros(p), views[0], name="here")


def claims(name, told, outcome, tolerance):
    """Of one built-in quantity, or of one kind of its claims alone."""
    one = here(outcome, told.views)
    kinds = {kind: q for q in QUANTITIES.values() for kind in (q.name, *q.units(one.model))}
    quantity = kinds[name]
    if not quantity.speaks(told):
        return []
    found = list(quantity.claims(Comparison(one, told, tolerance), outcome))
    if name not in quantity.units(one.model):
        return found
    return [claim for claim in found if claim.place.quantity == name]


def chances(name, judged, true, tolerance, level):
    """Of refuting one built-in quantity of a law, if another one is true."""
    with np.errstate(all="ignore"):
        return QUANTITIES[name].chances(Comparison(None, judged, tolerance), true, level)
