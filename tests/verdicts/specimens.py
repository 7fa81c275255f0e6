"""Chains whose law is known, and a wrong law, for every quantity."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from known_errors import SPREAD, here, law, outcomes, paths, pooled_beside

from mcjax.chains.program import Trajectory
from mcjax.data.data import Data
from mcjax.engine.tiles import summarise
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import poisson_mean
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.comparison import Comparison

MANY = 40_000


@dataclass
class Specimen:
    """Chains by their number and that of the run, a true and a wrong law, and what is said of them.

    ``planted`` says in words what is wrong with the wrong law; ``silent`` are laws that do not
    predict the quantity. ``planned`` and ``announced``: whether the quantity says how many chains
    verify the true law, and how likely the wrong one is to be refuted.
    """

    planted: str
    true: Any
    wrong: Any
    chains: Any
    condition: Any
    tolerance: float = 0.1
    generations: int = 2
    silent: Sequence[Any] = field(default=())
    planned: bool = True
    announced: bool = True

    def compared(self, prediction):
        return Comparison(self.condition, prediction, self.tolerance)

    def study(self, name, chains=MANY):
        return Study(
            (self.condition,),
            generations=self.generations,
            chains=chains,
            tolerance=self.tolerance,
            quantities=(name,),
        )


def normal(generations=2, spread=SPREAD):
    """Chains of two models whose errors add up, by their number."""

    def chains(count, run=0):
        errors = paths(np.random.default_rng([count, run]), 1, count, generations, spread)
        [outcome] = outcomes(errors, pooled_beside(errors, 0.3, run))
        return outcome

    return chains


def of_errors(planted, wrong, generations=2, **options):
    """A specimen whose true law is that errors add up."""
    return Specimen(
        planted=planted,
        true=options.pop("true", law(SPREAD, generations=generations)),
        wrong=wrong,
        chains=options.pop("chains", normal(generations)),
        condition=here(normal(0)(2), options.pop("views", None)),
        generations=generations,
        **options,
    )


def level(count, run=0):
    """Chains whose errors are independent at every generation, all of the first one's spread."""
    errors = paths(np.random.default_rng([count, run]), 8, count, 0)
    [outcome] = outcomes(np.moveaxis(errors[:, :, 0], 0, 1)[None])
    return outcome


SQUARE = pd.DataFrame({"a": [2.0, -2, 0, 0], "b": [0.0, 0, 2, -2], "y": np.zeros(4)})
"""Rows of which x x' is 2 on average, so that the loss of theta is its square."""
ROWS = Data.from_frame(SQUARE, "y", intercept=False)
HELD_OUT = condition(
    build_network(["a", "b"], [], 99), linear(), data=replace(ROWS, held_out=ROWS), name="here"
)


def measured(generations):
    """Chains of :func:`normal`, whose estimates are measured on rows that are held out."""

    def chains(count, run=0):
        [errors] = paths(np.random.default_rng([count, run]), 1, count, generations)
        return estimates(HELD_OUT, errors)

    return chains


def of_held_out(planted, wrong, generations=2):
    return replace(
        of_errors(planted, wrong, generations), chains=measured(generations), condition=HELD_OUT
    )


GAUSSIAN = condition(topologies.self_loop(samples=10, initial=10), gaussian(), [0.0, 1.0])
POISSON = condition(topologies.self_loop(samples=10, initial=10), poisson_mean(), [0.5])


def estimates(one, theta):
    ended = np.zeros((1, *theta.shape[:-1]), np.int32)
    [outcome] = summarise(Trajectory(theta[None], ended, ended), one.theta, one.functionals)
    return outcome


def variances(count, run=0):
    """Chains with one mean and a variance that is 1 on average, at three generations."""
    spread = np.random.default_rng([count, run]).chisquare(9, (count, 3, 1)) / 9
    return estimates(GAUSSIAN, np.stack([0 * spread, spread], axis=-1))


def survivors(count, run=0):
    """Chains of which 60% are alive."""
    alive = np.random.default_rng([count, run]).random((count, 3, 1, 1)) < 0.6
    return estimates(POISSON, alive.astype(float))


def means(**values):
    return FunctionalPrediction("law", "", {k: np.full((3, 1), v) for k, v in values.items()})


SHIFT = 0.2 * np.sqrt(np.arange(1, 4))[:, None, None] * np.linalg.cholesky(SPREAD[:2, :2])[:, 0]
VIEWS = np.diag([2.0, 0.5]), np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 2.0]]])
OPPOSED = np.eye(4) + np.kron([[0, 1], [1, 0]], np.diag([0.8, -0.8]))
"""Errors of two models that go together in one direction, and apart in the other."""
LEVEL_LAW = law(SPREAD, generations=7)
LEVEL_LAW = replace(
    LEVEL_LAW,
    covariance=np.repeat(SPREAD[None], 8, axis=0),
    mse=np.repeat(LEVEL_LAW.mse[:1], 8, axis=0),
    growth=np.full(2, np.nan),
    limit=LEVEL_LAW.mse[0],
)
SPECIMENS = {
    "mse": of_errors("all second moments too large by 15%", law(1.15 * SPREAD)),
    "growth": of_errors("all second moments too large by 25%", law(1.25 * SPREAD)),
    "growth of models without a long run": of_errors(
        "no growth at all",
        replace(LEVEL_LAW, limit=LEVEL_LAW.growth),
        true=law(SPREAD, generations=7, growth=np.full(2, np.nan)),
        generations=7,
    ),
    "collapse": of_errors("the opposite fate", LEVEL_LAW, generations=7),
    "collapse of a level": of_errors(
        "the opposite fate",
        law(SPREAD, generations=7),
        true=LEVEL_LAW,
        generations=7,
        chains=level,
        tolerance=0.2,
    ),
    "bias": of_errors(
        "a mean of 20% of a standard deviation of model a",
        replace(law(SPREAD), mean=np.broadcast_to(SHIFT * np.array([[1], [0]]), (3, 2, 2))),
    ),
    "covariance": of_errors("all second moments too large by 25%", law(1.25 * SPREAD)),
    "normality": of_errors(
        "a standard deviation too small by 20%",
        law(0.64 * SPREAD),
        tolerance=0.025,
        silent=(law(SPREAD, asymptotic=False),),
    ),
    "normality of an exact law": of_errors(
        "a standard deviation too small by 20%",
        law(0.64 * SPREAD, asymptotic=False, normal=True),
        true=law(SPREAD, asymptotic=False, normal=True),
        tolerance=0.025,
    ),
    "efficiency": of_errors(
        "all second moments too large by 20%",
        law(1.2 * SPREAD, pooled=0.3),
        true=law(SPREAD, pooled=0.3),
        silent=(law(SPREAD),),
    ),
    "efficiency of the pooled estimator": of_errors(
        "the pooled estimator's error too large by 20%",
        law(SPREAD, pooled=0.36),
        true=law(SPREAD, pooled=0.3),
    ),
    "homogenisation": of_errors(
        "all second moments too large by 20%",
        law(1.2 * SPREAD, views=VIEWS),
        true=law(SPREAD, views=VIEWS),
        views=VIEWS,
        silent=(law(SPREAD[:2, :2], models=1),),
    ),
    "homogenisation of directions": of_errors(
        "no correlation",
        law(np.eye(4), views=VIEWS),
        true=law(OPPOSED, views=VIEWS),
        views=VIEWS,
        chains=normal(spread=OPPOSED),
    ),
    "functional": Specimen(
        planted="a mean too large by 20%",
        true=means(variance=1.0),
        wrong=means(variance=1.2),
        chains=variances,
        condition=GAUSSIAN,
        planned=False,
        announced=False,
    ),
    "functional of a chance": Specimen(
        planted="a chance too large by 25%",
        true=means(alive=0.6),
        wrong=means(alive=0.75),
        chains=survivors,
        condition=POISSON,
    ),
    "held_out": of_held_out("all second moments too large by 15%", law(1.15 * SPREAD)),
    "held_out_growth": of_held_out("all second moments too large by 25%", law(1.25 * SPREAD)),
    "held_out_collapse": of_held_out("the opposite fate", LEVEL_LAW, generations=7),
}
