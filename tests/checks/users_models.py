"""Models of a user, and what the checks find in them."""

import jax

import mcjax
from mcjax.checks.case import Case
from mcjax.checks.registry import results_of

LOOP = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
THETA = [1.0, -1.0]


def squared(theta, x, y):
    return 0.5 * (y - x @ theta) ** 2


def normal(key, theta, x):
    return x @ theta + jax.random.normal(key, dtype=x.dtype)


def study_of(loss=squared, sample=normal, theta=THETA, covariance=None, estimator=None, **options):
    model = mcjax.user_model(loss, sample, **options)
    one = mcjax.condition(LOOP, model, theta, covariance, estimator=estimator)
    return mcjax.Study((one,), generations=1, chains=64)


def failed(study):
    results = results_of(Case(study.conditions[0], study))
    return {result.name: result.message for result in results if not result.passed}
