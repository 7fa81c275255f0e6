"""Calls with other arguments than a function takes, or values out of range, get one sentence."""

import networkx as nx
import numpy as np
import optax
import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.network import topologies

NET = topologies.self_loop(samples=20, real=20, initial=40)
MODEL = mcjax.linear()
ONE = mcjax.condition(NET, MODEL, [1.0, 1.0])


def nested(theta, x, y):
    return 0.0


WRONG_CALLS = [
    (
        lambda: mcjax.user_model(nested, nested, predictr="linear"),
        "predictr",
        "did you mean 'predictor'?",
    ),
    (lambda: mcjax.condition(NET, MODEL, tehta=[1.0]), "tehta", "did you mean 'theta'?"),
    (lambda: mcjax.condition(NET), "model", "is missing; condition takes network, model"),
    (lambda: mcjax.condition(NET, MODEL), "family.theta", "is missing; give the true parameters"),
    (lambda: mcjax.Study((ONE,), chainz=3), "chainz", "did you mean 'chains'?"),
    (lambda: mcjax.Study(), "conditions", "is missing; Study takes conditions, generations"),
    (lambda: mcjax.Survey(2, 100, models=3), "models", "is given twice; Survey takes models"),
    (lambda: mcjax.Survey(2, generations=3), "run.generations", "give more, to tell growth"),
    (lambda: mcjax.Newton(1, 2), "Newton", "has 2 arguments without a name; give at most 1"),
    (lambda: mcjax.Fit(thta=1), "thta", "did you mean 'theta'?"),
    (lambda: mcjax.Feed("a", "b"), "samples", "is missing; Feed takes origin, reader"),
    (lambda: mcjax.Generation(fed=[]), "fed", "is no argument of Generation (did you mean"),
    (lambda: mcjax.Flip(flop=0.1), "flop", "did you mean 'flip'?"),
    (lambda: mcjax.Accumulate(1), "Accumulate", "Accumulate takes no arguments"),
    (lambda: mcjax.linear(sgma=1.0), "sgma", "did you mean 'sigma'?"),
    (lambda: mcjax.logistic(1), "logistic", "has 1 argument without a name"),
    (lambda: mcjax.Data.from_frame(x=1), "x", "; from_frame takes frame, target, covariates"),
    (lambda: mcjax.from_networkx(), "graph", "is missing; from_networkx takes graph"),
    (lambda: mcjax.diagnose(NET, sigmo=2.0), "sigmo", "did you mean 'sigma'?"),
    (
        lambda: topologies.ring(2, sampels=5, initial=5),
        "sampels",
        "did you mean 'samples'?",
    ),
    (
        lambda: topologies.ring(2, samples=5, initial=5, memry="replace"),
        "memry",
        "did you mean 'memory'?",
    ),
]


@pytest.mark.parametrize(("call", "field", "told"), WRONG_CALLS)
def test_other_arguments_than_a_function_takes(call, field, told):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: mcjax.diagnose(NET, -1), "parameters"),
        (lambda: mcjax.diagnose(NET, 2, sigma=0), "sigma"),
        (lambda: mcjax.diagnose(NET, 2, sigma=np.nan), "sigma"),
        (lambda: mcjax.diagnose(NET, 2, covariance=np.eye(3)), "covariates.covariance"),
        (lambda: mcjax.diagnose(NET, covariance=np.eye(3)), "parameters"),
        (lambda: mcjax.diagnose(ONE, 2), "parameters"),
        (lambda: mcjax.condition(NET, MODEL, np.ones((2, 2))), "family.theta"),
        (lambda: mcjax.condition(NET, MODEL, {"a": [1.0, 1.0]}), "family.theta"),
        (lambda: mcjax.condition(NET, MODEL, 1.0), "family.theta"),
        (lambda: mcjax.ladder(ONE, []), "scales"),
        (lambda: mcjax.ladder(ONE, np.ones((2, 2))), "scales"),
        (lambda: mcjax.ladder(ONE, {1: 2}), "scales"),
        (lambda: mcjax.Survey(2, chains=-1), "run.chains"),
        (lambda: mcjax.Survey(2, tolerance=np.nan), "run.tolerance"),
        (lambda: mcjax.Source("a", -1), "network.sources (a).samples"),
        (lambda: mcjax.Newton(-1), "limit"),
        (lambda: mcjax.LBFGS(0), "limit"),
        (lambda: mcjax.Optax(optax.sgd(0.1), 0), "steps"),
        (lambda: mcjax.Optax(optax.sgd(0.1), 1, -2), "batch_size"),
        (lambda: mcjax.user_model(nested, nested, covariates=-1), "family.covariates"),
        (lambda: mcjax.build_network(np.ones((2, 2)), [], 5), "network.models"),
        (lambda: mcjax.build_network(1, {1.0}, 5), "feeds"),
        (lambda: mcjax.build_network(1, [], 5, growth=np.ones(2)), "network.growth"),
        (lambda: mcjax.build_network(1, [], 5, draws=np.ones(2)), "network.draws"),
        (lambda: mcjax.Network(1, 2, 3), "network.models"),
        (lambda: mcjax.Network(("a",), None, (3,)), "network.later"),
        (lambda: mcjax.from_networkx(nx.DiGraph(), real=np.ones(2)), "real"),
        (lambda: mcjax.data_mediated(2, 0.5, 0.5, {5, 6}, 5, 5), "private"),
        (lambda: topologies.chain(2**70, samples=5, initial=5), "network.models"),
        (
            lambda: topologies.random_directed(
                **{"size": -1, "probability": 0.5, "seed": 0, "samples": 5, "initial": 5}
            ),
            "network.models",
        ),
        (
            lambda: topologies.random_directed(
                **{"size": 2, "probability": 0.5, "seed": -1, "samples": 5, "initial": 5}
            ),
            "network.seed",
        ),
    ],
)
def test_values_out_of_range(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
