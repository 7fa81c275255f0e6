"""Networks and models for tests of the second-order law, with known numbers."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.laws.second_order.moments import generations_of, moments_of
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.models.score_expansion import LocationMoments, location_expansion
from mcjax.models.scores import MeanSlope, ScoreMoments
from mcjax.models.user import user_model
from mcjax.network import build_network
from mcjax.study.study import condition

T3 = {"name": "student_t", "df": 3}


def loop(n):
    return [("a", "a", n)]


def anchored(n):
    return [("a", "a", n // 2), ("real", "a", n // 2)]


def weighted(n):
    return [("a", "a", n // 2), ("real", "a", n // 2, 3.0)]


def reuse(n):
    return [("a", "a", n), ("real", "a", n)]


def ring(n):
    """Three models in a ring with loops and a shortcut; the first has real data."""
    h = n // 2
    feeds = [("c", "a", h), ("a", "a", h), ("real", "a", h), ("a", "b", h)]
    return [*feeds, ("b", "b", h, 2.0), ("b", "c", h), ("a", "c", h)]


SHARP = 2.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
HALF = (np.arange(80)[:, None] / 2 + (NODES + 1) / 4).ravel()  # up to 40
MASS = np.tile(WEIGHTS / 4, 80) * np.exp(-HALF) / 2
NOISE, WEIGHT = np.concatenate([-HALF, HALF]), np.concatenate([MASS, MASS])
"""Residuals under Laplace noise and their weights, on panels that end at its kink."""


def _psi(e):
    return np.tanh(SHARP * e)


def _slopes(e):
    """The first three derivatives of psi."""
    t = _psi(e)
    s = 1 - t**2
    return SHARP * s, -2 * SHARP**2 * t * s, -2 * SHARP**3 * s * (1 - 3 * t**2)


@cache
def log_cosh_moments():
    first, second, third = _slopes(NOISE)
    psi = _psi(NOISE)
    values = first, third, psi**2, first**2, first**3, psi * second, psi**2 * first
    return LocationMoments(*(float(WEIGHT @ value) for value in values))


def _expected(function, *at):
    return np.array(
        [WEIGHT @ function(*(a + NOISE for a in where)) for where in zip(*at, strict=True)]
    )


def log_cosh_scores(moments=log_cosh_moments):
    """What a user states about log-cosh regression with Laplace noise."""

    def mean(params, reader, parent, real):
        offset = np.atleast_1d(parent - reader)
        slope = _expected(lambda e: _slopes(e)[0], offset)
        return MeanSlope(-_expected(_psi, offset), slope, -slope)

    def product(params, readers, parent, real):
        first, second = (np.atleast_1d(parent - reader) for reader in readers)
        return _expected(lambda a, b: _psi(a) * _psi(b), first, second)

    expansion = location_expansion(lambda params, real: moments())
    return ScoreMoments(mean, product, location=True, expansion=expansion)


def log_cosh(scores=None):
    """Return log-cosh regression, a user's model that states its expansion."""
    model = user_model(
        lambda eta, y: jnp.log(jnp.cosh(SHARP * (y - eta))) / SHARP,
        lambda key, eta: eta + jax.random.laplace(key, dtype=eta.dtype),
        predictor="linear",
        name="log_cosh",
    )
    return replace(model, scores=scores or log_cosh_scores())


CASES = {
    "log3": (logistic, [0.5, 0.5, 0.5], loop, {}),
    "log1": (logistic, [1.0], loop, {}),
    "log2a": (logistic, [1.0, 1.0], anchored, {}),
    "log2w": (logistic, [1.0, -0.5], weighted, {"covariance": [[1.0, 0.5], [0.5, 2.0]]}),
    "poi2": (poisson, [0.5, -0.5], loop, {}),
    "poi2a": (poisson, [0.5, -0.5], anchored, {}),
    "hub2": (huber, [0.5, -0.5], loop, {}),
    "hub2t": (lambda: huber(1.0, real_noise=T3), [0.5, -0.5], weighted, {}),
    "ring2p": (logistic, [1.0, 0.5], ring, {}),
    "ring2s": (logistic, [1.0, 0.5], ring, {"draws": "shared"}),
    "hring": (lambda: huber(1.0, real_noise=T3), [0.5, -0.5], ring, {"draws": "shared"}),
    "log2r": (logistic, [1.0, 0.5], reuse, {"real": "reused"}),
    "poi1r": (poisson, [0.5], reuse, {"real": "reused"}),
    "user2": (log_cosh, [1.0, -1.0], weighted, {}),
    "mixed": (lambda: huber(1.0, real_noise="contaminated_normal"), [0.5, -0.5], weighted, {}),
    "lin2a": (linear, [1.0, 1.0], weighted, {}),
}


def case(name, n=100):
    """Return the condition of a case, with n rows at generation 0."""
    make, theta, feeds, options = CASES[name]
    options = dict(options)
    covariance = options.pop("covariance", None)
    given = feeds(n)
    names = sorted({feed[1] for feed in given})
    return condition(build_network(names, given, n, **options), make(), theta, covariance)


def moments(one, generations):
    """Return all moments of a condition at generations 0 to T."""
    return moments_of(one, generations_of(one, generations), None)


def traces(found, p):
    """Return MSEs of first and of second order, each (T + 1, M)."""
    first, second = (
        np.einsum("tii->ti", part).reshape(len(part), -1, p).sum(-1)
        for part in (found.leading, found.following)
    )
    return first, second + (found.mean**2).sum(-1)


def firth(one):
    """Return a condition whose fits have Firth's penalty."""
    return replace(one, model=penalised(one.model, firth=True))
