"""Laws of networks whose feeds change with time, against simulation."""

import numpy as np
import pytest

from mcjax import api
from mcjax.laws.law import CHANGING
from mcjax.models.generative import bernoulli
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import REAL, Feed, Generation, Series, Source, build_network, cycle
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

DAY = Generation([Feed("a", "b", 40, 2.0), Feed(REAL, "b", 30), Feed("b", "c", 35)])
NIGHT = Generation([Feed("b", "a", 60), Feed("c", "a", 25, 0.5), Feed("b", "c", 60)])
KINDS = {
    "cycle": cycle(DAY, NIGHT),
    "series": Series(NIGHT, NIGHT, DAY),
    "a series, then turns": Series(NIGHT, NIGHT, DAY, turns=2),
}


def off(study, name):
    """How many standard errors means and squares are off, at most, in each condition."""
    found = []
    for tally, predictions in zip(api.simulate(study), api.predict(study), strict=True):
        law = predictions.laws[name]
        error, squared = tally.outcome.moments.error, tally.outcome.moments.squared
        mean = 0.0 if law.mean is None else law.mean
        assert np.isnan(law.growth).all()
        assert np.isnan(law.limit).all()
        spread = np.hypot(squared.standard_error(), np.nan_to_num(law.standard_error))
        found += [
            np.abs((error.mean - mean) / error.standard_error()).max(),
            np.abs((squared.mean - law.mse) / spread).max(),
        ]
    return max(found)


def test_fixed_designs(z_limit):
    conditions = [
        condition(
            build_network("abc", timeline, 50, draws=draws),
            linear(),
            [1.0, -1.0],
            seed=2,
            design="fixed",
            label=f"{kind}, {draws}",
        )
        for kind, timeline in KINDS.items()
        for draws in ("private", "shared")
    ]
    study = Study(tuple(conditions), generations=5, chains=4096)
    assert off(study, "fixed_design") < z_limit


def test_random_designs_and_weights(z_limit):
    conditions = [
        condition(build_network("abc", timeline, 50), linear(), [1.0, -1.0], seed=2, label=kind)
        for kind, timeline in KINDS.items()
    ]
    study = Study(tuple(conditions), generations=5, chains=4096)
    assert off(study, "finite_sample_monte_carlo") < z_limit


def test_a_reused_sample_of_some_generations_only(z_limit):
    """Two sources, read again in turns: what is drawn once stays the same."""
    sources = [
        Source("far", 30, theta=(1.5, -1.0), real="reused"),
        Source("near", 30, real="reused"),
    ]
    day = Generation([Feed("far", "a", 30), Feed("b", "a", 20), Feed("a", "b", 40)])
    night = Generation([Feed("near", "a", 30), Feed("near", "b", 30), Feed("a", "b", 20)])
    first = [Feed("far", "a", 30), Feed(REAL, "b", 30)]
    net = build_network("ab", cycle(day, night), 40, sources=sources, first=first)
    one = condition(net, linear(), [1.0, -1.0], seed=2, design="fixed")
    assert off(Study((one,), generations=6, chains=4096), "fixed_design") < z_limit


def test_first_order_follows_the_generations(z_limit):
    """Many rows: the law of the cycle holds, and those of its parts do not."""
    study = {}
    for name, timeline in (KINDS | {"day": Series(DAY), "night": Series(NIGHT)}).items():
        net = build_network("abc", timeline, 50).scaled(40)
        one = condition(net, logistic(), [0.5, -0.5], seed=2)
        study[name] = Study((one,), generations=5, chains=1024)
    [tally] = api.simulate(study["cycle"])
    squared = tally.outcome.moments.squared

    def off(name):
        """As a share of what chance and finite samples explain."""
        law = api.predict(study[name])[0].laws["first_order"]
        explained = z_limit * squared.standard_error() + law.allowance * law.mse
        return (np.abs(squared.mean - law.mse) / explained).max()

    assert off("cycle") < 1
    assert min(map(off, ("day", "night", "series"))) > 1


def test_a_cycle_of_equal_turns_is_no_cycle():
    turns = build_network("abc", cycle(DAY, DAY), 50)
    constant = build_network("abc", Series(DAY), 50)
    laws = [
        api.predict(Study((condition(net, linear(), [1.0, -1.0]),), generations=4))[0].laws
        for net in (turns, constant)
    ]
    for name, law in laws[1].items():
        np.testing.assert_array_equal(laws[0][name].mse, law.mse)
        np.testing.assert_array_equal(laws[0][name].limit, law.limit)


def test_weights_that_take_turns():
    """Only a law of weights by generation says so; one that assumes constant ones declines."""
    turns = cycle(*(Generation([("a", "a", 50, 1.0), (REAL, "a", 50, w)]) for w in (1.0, 2.0)))
    study = Study((condition(build_network("a", turns, 50), linear(), [1.0, -1.0]),), generations=4)
    [predictions] = api.predict(study)
    assert predictions.inapplicable["finite_sample"] == CHANGING.sentence
    assert np.isfinite(predictions.laws["first_order"].mse).all()


@pytest.mark.parametrize(
    ("model", "theta", "memory", "laws"),
    [
        (bernoulli(), [0.3], "replace", ["generative", "extinction"]),
        (linear(), [1.0, -1.0], "accumulate", ["finite_sample"]),
    ],
)
def test_other_laws_say_that_feeds_change(model, theta, memory, laws):
    net = build_network("abc", cycle(DAY, NIGHT), 50, memory=memory)
    one = condition(net, model, theta)
    predictions = api.predict(Study((one,), generations=3))[0]
    for name in laws:
        assert name not in predictions.laws
        assert predictions.inapplicable[name] == CHANGING.sentence
