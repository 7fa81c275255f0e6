"""Laws where networks are drawn: averages over sequences, and what simulation refutes."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import optax
import pytest

from mcjax.api import verify
from mcjax.estimators.gradient_steps import Optax
from mcjax.laws.predict import predict_condition
from mcjax.laws.user import user_law
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import REAL, Drawn, Feed, Generation, Source, build_network
from mcjax.network.drawn import Followed
from mcjax.study.study import Study, condition

THETA = [0.5, -1.0]
ONE = Generation([Feed("a", "a", 20), Feed("b", "b", 30), Feed("a", "b", 15)])
TWO = Generation([Feed("b", "a", 10), Feed(REAL, "a", 20), Feed("c", "b", 25)])
THREE = Generation([Feed("a", "c", 40), Feed("c", "a", 30)])
LAWS = {
    "independent": {"probabilities": [0.5, 0.2, 0.3]},
    "markov": {"transition": [[0.1, 0.9, 0.0], [0.3, 0.3, 0.4], [0.6, 0.0, 0.4]]},
}


def of(later, model=None, draws="private", **options):
    net = build_network("abc", later, 40, draws=draws, **options)
    return condition(net, model or linear(), THETA)


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize("name", ["first_order", "finite_sample"])
def test_the_law_is_the_mean_over_sequences(kind, name):
    """Of the laws given the sequence, weighted by its probability."""
    law, last = Drawn(ONE, TWO, THREE, **LAWS[kind]), 3
    whole = predict_condition(of(law), last).laws[name]
    total, chance = np.zeros_like(whole.covariance), 0.0
    for places in product(range(3), repeat=last):
        steps = [law.transition[y, z] for y, z in pairwise(places)]
        weight = law.stationary[places[0]] * np.prod(steps)
        if weight:
            given = predict_condition(of(Followed(law, places)), last).laws[name]
            total += weight * given.covariance
            chance += weight
    assert chance == pytest.approx(1)
    np.testing.assert_allclose(whole.covariance, total, rtol=1e-12, atol=1e-18)
    assert not whole.asymptotic  # a mixture is not normal


def test_growth_and_limit_are_those_of_many_generations():
    for kind in LAWS.values():
        for generations in ((ONE, TWO, THREE), (ONE, THREE, ONE)):
            made = of(Drawn(*generations, **kind), logistic(), draws="private")
            law = predict_condition(made, 600).laws["first_order"]
            for i in range(3):
                if np.isnan(law.growth[i]):
                    assert law.mse[-1, i] == pytest.approx(law.limit[i], rel=1e-6)
                else:
                    slope = (law.mse[-1, i] - law.mse[-101, i]) / 100
                    assert slope == pytest.approx(law.growth[i], rel=1e-6)


def test_laws_that_do_not_average_say_so():
    own = Drawn(ONE, TWO, probabilities=[0.5, 0.5])
    found = predict_condition(of(own), 2)
    assert set(found.laws) == {"first_order", "finite_sample"}
    assert "lineage" not in found.inapplicable  # nobody would look for it
    fixed = predict_condition(replace(of(own), design="fixed"), 2)
    assert "draws its networks at random" in fixed.inapplicable["fixed_design"]
    common = Drawn(ONE, TWO, probabilities=[0.5, 0.5], paths="common")
    followed = predict_condition(of(common), 2)
    assert followed.laws["first_order"].asymptotic
    assert np.isnan(followed.laws["first_order"].limit).all()  # the next network is drawn
    assert not np.allclose(followed.laws["first_order"].mse, found.laws["first_order"].mse)
    far = Source("far", theta=(9.0, 9.0))
    apart = Drawn(ONE, Generation([Feed("far", "a", 30)]), probabilities=[0.5, 0.5])
    told = predict_condition(of(apart, sources=[far]), 2).inapplicable
    assert "every chain draws its networks" in told["first_order"]
    near = replace(far, theta=None, shift=(1.0, 0.0), samples=30)
    told = predict_condition(of(apart, sources=[near]), 2).inapplicable
    assert "truths of their own" in told["first_order"]
    steps = Optax(optax.sgd(0.1), steps=2, start="own")
    told = predict_condition(replace(of(own), estimator=steps), 2).inapplicable
    assert "every chain draws its networks; try paths = 'common'" in told["first_order"]


def test_a_users_law_is_not_asked_unless_it_averages():
    made = of(Drawn(ONE, TWO, probabilities=[0.5, 0.5]))
    law = user_law(lambda c, t: (None, np.broadcast_to(np.eye(6), (t + 1, 6, 6))), "mine")
    assert "draws its networks" in predict_condition(made, 2, [law]).inapplicable["mine"]
    law.averages_networks = True
    assert "mine" in predict_condition(made, 2, [law]).laws


def square_of_the_mean(made, generations):
    """A wrong law: the recursion of the mean matrix, for one loop."""
    later = made.network.later
    rows = np.array([sum(f.samples for f in g.feeds) for g in later.generations])
    share = np.array(
        [sum(f.samples for f in g.feeds if f.origin == "a") for g in later.generations]
    )
    p, chances = len(made.theta), later.stationary
    step, noise = chances @ (share / rows), chances @ (1 / (rows - p - 1))
    m = [1 / (made.network.initial[0] - p - 1)]
    for _ in range(generations):
        m.append(step**2 * m[-1] + noise)
    return None, np.array(m)[:, None, None] * np.eye(p)


@pytest.mark.statistical
def test_simulation_tells_the_mean_of_squares_from_the_square_of_the_mean():
    feeds = [Feed("a", "a", 40), Feed(REAL, "a", 40, probability=0.5)]
    made = condition(build_network("a", feeds, 40), linear(), THETA)
    study = Study((made,), generations=5, chains=2**16, tolerance=0.06)
    wrong = user_law(square_of_the_mean, "mean_matrix", asymptotic=False)
    wrong.averages_networks = True
    cells = verify(study, laws=[wrong]).cells
    verdicts = {
        law: {cell.verdict for cell in cells if cell.law == law and cell.generation}
        for law in ("finite_sample", "mean_matrix")
    }
    assert verdicts["finite_sample"] == {"verified"}
    assert "refuted" in verdicts["mean_matrix"]


@pytest.mark.statistical
def test_simulation_of_one_sequence_follows_it_alone():
    """The law of the sequence is verified, and that of the mean over sequences refuted."""
    law = Drawn(ONE, TWO, THREE, transition=LAWS["markov"]["transition"], paths="common")
    study = Study((of(law),), generations=4, chains=2**14, tolerance=0.1)
    mean = predict_condition(of(Drawn(ONE, TWO, THREE, **LAWS["markov"])), 4).laws
    averaged = mean["finite_sample"].covariance
    wrong = user_law(lambda made, t: (None, averaged), "averaged", asymptotic=False)
    cells = verify(study, laws=[wrong]).cells
    assert {c.verdict for c in cells if c.law == "finite_sample"} == {"verified"}
    assert "refuted" in {c.verdict for c in cells if c.law == "averaged"}


@pytest.mark.statistical
def test_simulation_of_markov_networks_of_logistic_models():
    made = of(
        Drawn(
            *(
                Generation(replace(f, samples=20 * f.samples) for f in g.feeds)
                for g in (ONE, TWO, THREE)
            ),
            **LAWS["markov"],
        ),
        logistic(),
    )
    made = replace(made, network=replace(made.network, initial=(800,) * 3))
    study = Study((made,), generations=3, chains=4096, tolerance=0.2)
    result = verify(study)
    assert result.verdict == "verified"
