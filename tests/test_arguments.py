"""Every public function and class says at the call which argument has a wrong type."""

import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import numpy as np
import optax
import pytest

import mcjax
from mcjax.arguments import checked, checked_fields, read
from mcjax.chains.program import Trajectory
from mcjax.errors import InputError
from mcjax.network import topologies

NET = topologies.self_loop(samples=20, real=20, initial=40)
MODEL = mcjax.linear()
ONE = mcjax.condition(NET, MODEL, [1.0, 1.0])
STUDY = mcjax.Study((ONE,), generations=1, chains=64)
SURVEY = mcjax.Survey(2)
GENERATION = mcjax.Generation([("0", "0", 5)])


def nothing(*values):
    """A function, as good as any."""


GENERATOR = mcjax.Generator(nothing, nothing, nothing, nothing, real=nothing)

CALLS = {
    mcjax.predict: {"study": STUDY},
    mcjax.simulate: {"study": STUDY, "known": None, "report": nothing, "chains": [0]},
    mcjax.verify: {"study": STUDY, "theory": STUDY, "report": nothing},
    mcjax.verify_until_decided: {"study": STUDY, "predictions": [], "known": None, "report": None},
    mcjax.replay: {"study": STUDY, "condition": "", "chain": 0},
    mcjax.replay_data: {
        **{"study": STUDY, "condition": "", "chain": 0, "trajectory": Trajectory(*[np.ones(1)] * 3)}
    },
    mcjax.survey_pieces: {"survey": SURVEY, "known": ()},
    mcjax.judge_pieces: {"survey": SURVEY, "pieces": []},
    mcjax.judge: {"study": STUDY, "predictions": [], "outcomes": [], "decided": ()},
    mcjax.dataset: {
        **{"study": STUDY, "predictions": [], "outcomes": [], "about": {}},
        "verification": object.__new__(mcjax.Verification),
    },
    mcjax.diagnose: {"net": NET, "parameters": 2, "sigma": 1.0, "groups": None},
    mcjax.compile_study: {"study": STUDY},
    mcjax.condition: {
        **{"network": NET, "model": MODEL, "label": "", "seed": 0},
        **{"name": None, "design": "random", "estimator": None, "own_covariances": {}},
    },
    mcjax.ladder: {"base": ONE, "scales": [1, 2]},
    mcjax.load_study: {"path": "study.toml"},
    mcjax.read_network: {"path": "study.toml"},
    mcjax.grouped: {"net": NET, "groups": {}},
    mcjax.read_losses: {"path": "losses.csv"},
    mcjax.judge_losses: {
        **{"losses": mcjax.Losses([1], ["replace"], [1.0]), "laws": {}, "pair": "own"},
        **{"first": 1, "tolerance": 0.1, "confidence": 0.9},
    },
    mcjax.Study: {
        **{"conditions": (ONE,), "generations": 1, "chains": 64, "tolerance": 0.1},
        **{"confidence": 0.9, "precision": "mixed", "solver": "auto", "chunk": 8},
        **{"sampling": "auto", "quantities": ("mse",), "memory": 1.0, "path": "auto"},
    },
    mcjax.Survey: {
        **{"models": 2, "samples": 100, "labelled": True, "generations": 16, "chains": 64},
        **{"seed": 0, "tolerance": 0.4, "confidence": 0.9, "piece": 2},
    },
    mcjax.build_network: {
        **{"feeds": [("0", "0", 5)], "sources": (), "first": ()},
    },
    mcjax.data_mediated: {
        **{"entities": 2, "alpha": 0.5, "beta": 0.5, "private": 10, "public": 10},
        **{"synthetic": 10, "noise": 1.0, "real": "reused"},
    },
    mcjax.Source: {
        **{"name": "a", "samples": 5, "theta": (1.0,), "covariance": ((1.0,),), "noise": 1.0},
        **{"public": False, "real": "fresh"},
    },
    mcjax.Generation: {"feeds": [("0", "0", 5)]},
    mcjax.Growing: {"first": GENERATION},
    mcjax.user_law: {"name": "own", "asymptotic": False},
    mcjax.user_model: {**{"name": "own", "covariates": None, "estimator": None, "init": None}},
    mcjax.model_from_file: {"path": "mine.py", "name": None},
    mcjax.generator_from_file: {"path": "mine.py", "name": None},
    mcjax.GeneratorCondition: {
        **{"network": NET, "generator": GENERATOR, "name": "", "label": "", "seed": 0},
        **{"start": "base"},
    },
    mcjax.GeneratorStudy: {
        **{"conditions": (mcjax.GeneratorCondition(NET, GENERATOR),), "generations": 1},
        **{"chains": 64, "tolerance": 0.1, "confidence": 0.9},
    },
    mcjax.verify_generators: {
        **{"study": mcjax.GeneratorStudy((mcjax.GeneratorCondition(NET, GENERATOR),))},
        **{"report": nothing},
    },
    mcjax.predictor_model: {"name": "own", "predictor": MODEL.predictor, "params": {}},
    mcjax.penalised: {"model": MODEL},
    mcjax.gaussian: {"unbiased": True},
    mcjax.gaussian_mixture: {"components": 2, "dimensions": 1, "floor": 0.1},
    mcjax.bigram: {"length": 5, "smoothing": 0.5},
    mcjax.unigram: {"smoothing": 0.5},
    mcjax.Newton: {"limit": 5},
    mcjax.LBFGS: {"limit": 5},
    mcjax.EM: {"components": 2, "dimensions": 1, "floor": 0.1, "limit": 5},
    mcjax.QuantileLP: {"level": "level"},
    mcjax.Optax: {"transformation": optax.sgd(0.1), "steps": 3, "batch_size": 2, "name": None},
    topologies.self_loop: {"samples": 5, "initial": 5, "real": 5},
    topologies.chain: {"size": 2, "samples": 5, "initial": 5, "real": 5},
    topologies.ring: {"size": 2, "samples": 5, "initial": 5, "real": 5},
    topologies.star: {"size": 2, "samples": 5, "initial": 5, "real": 5},
    topologies.complete: {"size": 2, "samples": 5, "initial": 5, "real": 5},
    topologies.random_directed: {
        **{"size": 2, "probability": 0.5, "seed": 0, "samples": 5, "initial": 5, "real": 5}
    },
    topologies.stochastic_block: {
        **{"sizes": [1, 1], "probabilities": [[0.5, 0.5]] * 2, "seed": 0, "samples": 5},
        **{"initial": 5, "real": 5},
    },
}
"""Arguments of the right types, by function; each is replaced by an object of no type at all."""
REQUIRED = {
    mcjax.condition: {"theta": [1.0, 1.0]},
    mcjax.build_network: {"models": 1, "initial": 5},
    mcjax.Growing: {"exponent": 1.0},
    mcjax.penalised: {"ridge": 0.1},
    mcjax.user_law: {"function": nothing},
    mcjax.user_model: {"loss": nothing, "sample": nothing},
}
VALUES = {
    **{mcjax.linear: ("sigma", "noise", "real_noise"), mcjax.huber: ("threshold", "sigma")},
    mcjax.quantile: ("level", "sigma"),
    mcjax.multinomial: ("classes",),
    mcjax.negative_binomial: ("dispersion", "real_dispersion"),
    mcjax.from_networkx: ("graph",),
    mcjax.model_from_object: ("thing",),
    mcjax.mixture_parameters: ("weights",),
}
"""Functions that check the types of these arguments together with their values."""
WITHOUT = {
    "cycle",  # Series reads what it takes
    "builtin_study",  # takes nothing
    "bernoulli",
    "categorical",
    "logistic",
    "nb2",
    "poisson",
    "poisson_mean",
    "probit",
    "minimum_norm",  # its arguments are those of `linear`
    "count_chains",  # for those who write quantities, from numbers of their own
    "estimate_mean",
    "mean_claim",
    "ratio_claim",
}


def cases():
    for function, arguments in CALLS.items():
        for name in arguments:
            yield pytest.param(function, name, id=f"{function.__name__}-{name}")


@pytest.mark.parametrize(("function", "name"), list(cases()))
def test_a_wrong_type_is_named(function, name):
    wrong = SimpleNamespace()
    with pytest.raises(InputError) as caught:
        function(**REQUIRED.get(function, {}) | CALLS[function] | {name: wrong})
    assert caught.value.field == name
    assert "is a SimpleNamespace; " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "name"),
    [pytest.param(f, n, id=f"{f.__name__}-{n}") for f, names in VALUES.items() for n in names],
)
def test_a_wrong_value_is_named(function, name):
    with pytest.raises(InputError) as caught:
        function(**{name: SimpleNamespace()})
    assert caught.value.field


def test_every_public_function_is_covered():
    public = {name: getattr(mcjax, name) for name in mcjax.__all__}
    functions = {n for n, thing in public.items() if inspect.isfunction(thing)}
    covered = {function.__name__ for function in (*CALLS, *VALUES)}
    assert functions - covered == WITHOUT
    shapes = {n for n, f in vars(topologies).items() if inspect.isfunction(f) and n[0] != "_"}
    own = {n for n in shapes if getattr(topologies, n).__module__ == topologies.__name__}
    assert own <= covered
    classes = {n for n, thing in public.items() if inspect.isclass(thing)}
    assert {"Study", "Survey", "Source", "Optax", "Newton", "LBFGS"} <= classes & covered


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: mcjax.condition(NET, "linear", [1.0]), "model: is 'linear'; call the function"),
        (lambda: mcjax.condition(NET, mcjax.linear, [1.0]), "model: is a function; call it"),
        (lambda: mcjax.condition("a.toml", MODEL, [1.0]), "network: is 'a.toml'; read it"),
        (lambda: mcjax.condition(NET, MODEL, [1.0, 1.0], estimator="newton"), "mcjax.Newton()"),
        (lambda: mcjax.condition(NET, MODEL, [1.0, 1.0], seed=1.5), "seed: is 1.5; give a whole"),
        (lambda: mcjax.condition(NET, MODEL, "x"), "family.theta: must be a list of finite"),
        (lambda: mcjax.condition(NET, MODEL, {"a": "x"}), "family.theta: must be a list of"),
        (lambda: mcjax.Study(ONE), "conditions: is a Condition; put it in a list"),
        (lambda: mcjax.Study((ONE, 3)), "conditions[1]: is 3; give a Condition"),
        (lambda: mcjax.Study((ONE,), quantities="mse"), "quantities: is 'mse'; put it in a list"),
        (lambda: mcjax.Study((ONE,), generations=3.5), "generations: is 3.5; give a whole number"),
        (lambda: mcjax.Study((ONE,), chains=64.5), "chains: is 64.5; give a whole number"),
        (lambda: mcjax.Study((ONE,), chains=True), "chains: is True; give a whole number"),
        (lambda: mcjax.Study((ONE,), chains="64"), "chains: is '64'; give a whole number"),
        (lambda: mcjax.Study((ONE,), tolerance=None), "tolerance: is None; give a number"),
        (lambda: mcjax.verify(ONE), "study: is a Condition; put it in a study"),
        (lambda: mcjax.predict("a.toml"), "study: is 'a.toml'; read it, as in mcjax.load_study"),
        (lambda: mcjax.diagnose("a.toml"), "net: is 'a.toml'; read it"),
        (lambda: mcjax.diagnose(STUDY), "net: is a Study; take one of its networks"),
        (lambda: mcjax.build_network(2, [3], 5), "feeds[0]: is 3; give a Feed or a tuple of 3"),
        (
            lambda: mcjax.build_network("a", [(["a"], "a", 5)], 5),
            "network.feeds: has a feed from ['a'] to 'a'; give two names",
        ),
        (lambda: mcjax.build_network([1, 2], [], 5), "network.models: has 1; names are"),
        (lambda: mcjax.build_network(2.5, [], 5), "network.models: is 2.5; give names"),
        (lambda: mcjax.build_network(1, [], "x"), "network.initial (0): is 'x'"),
        (lambda: mcjax.build_network(1, [], 5, memory=3), "network.memory: is 3, not one of"),
        (lambda: mcjax.predict(STUDY, 3), "laws: is 3; give a list of laws"),
        (lambda: mcjax.penalised(MODEL, ridge="x"), "family.penalty.ridge: is 'x'"),
        (lambda: mcjax.from_networkx([1]), "graph: is a list; give a networkx.DiGraph"),
        (lambda: mcjax.Series(3), "generations: is 3; give a Generation"),
        (lambda: mcjax.Optax("adam", 3), "transformation: is 'adam'; build it, as in optax.adam"),
    ],
)
def test_sentences(call, sentence):
    with pytest.raises(InputError) as caught:
        call()
    assert sentence in str(caught.value)


def test_what_users_reasonably_pass_is_taken():
    study = mcjax.Study([ONE], generations=2.0, chains=np.int64(64), quantities=["mse"])
    assert (study.conditions, study.generations, study.chains) == ((ONE,), 2, 64)
    assert study.quantities == ("mse",)
    assert type(study.generations) is type(study.chains) is int
    assert study == mcjax.Study((ONE,), generations=2, chains=64)
    assert mcjax.condition(NET, MODEL, np.ones(2), seed=np.uint8(3)).seed == 3
    assert mcjax.condition(NET, MODEL, (1, 1), np.eye(2, dtype=int)).theta.dtype == float
    source = mcjax.Source("a", np.float64(5), np.ones(2), covariance=np.eye(2))
    assert (source.samples, source.theta) == (5, (1.0, 1.0))
    assert source.covariance == ((1.0, 0.0), (0.0, 1.0))
    assert mcjax.build_network("ab", [["a", "b", 5]], {"a": 3, "b": 3.0}).size == 2
    assert [c.scale for c in mcjax.ladder(ONE, np.array([1, 2]))] == [1, 2]
    assert mcjax.Newton(np.int32(5)) == mcjax.Newton(5)
    assert mcjax.from_networkx(nx.DiGraph([("a", "b")])).size == 2
    own = SimpleNamespace(minimises=True, fit=nothing)
    assert mcjax.condition(NET, MODEL, [1.0, 1.0], estimator=own).estimator is own


@pytest.mark.parametrize(
    ("value", "hint", "found"),
    [
        (3.0, int, 3),
        (np.array(3), int, 3),
        (np.float32(0.5), float, 0.5),
        (np.True_, bool, True),
        ([1, 2.0], tuple[int, ...], (1, 2)),
        (range(2), tuple[int, ...], (0, 1)),
        ([np.float32(0.5), 2], tuple[float, int], (0.5, 2)),
        (None, int | None, None),
        (Path("a"), str | os.PathLike, Path("a")),
        (np.str_("a"), str, "a"),
        ({"a": 1}, dict[str, int] | None, {"a": 1}),
    ],
)
def test_values_that_are_read(value, hint, found):
    assert read("name", value, hint) == found
    assert type(read("name", value, hint)) is type(found) or hint is str


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (3.5, int),
        (float("nan"), int),
        (float("inf"), int),
        (True, int),
        (False, float),
        ("3", float),
        (3 + 0j, float),
        (1, bool),
        (b"a", str),
        ("ab", list[str]),
        ({"a": 1}, tuple[str, ...]),
        ([1, "2"], list[int]),
        (("a", None), tuple[float, float]),
        ((1.0, "2"), tuple[float, float]),
        ((1.0,), tuple[float, float]),
        (np.ones(2), float),
        (int, int),
    ],
)
def test_values_that_are_refused(value, hint):
    with pytest.raises(InputError, match=r"^name"):
        read("name", value, hint)


def test_the_entry_that_is_wrong_is_named():
    with pytest.raises(InputError, match=r"^name\[1\]: is None; give a number"):
        read("name", (0.5, None), tuple[float, float])


def test_functions_and_classes_stay_what_they_are():
    @checked
    def add(a: int, *more: int, b: float = 1.0, **rest: int) -> float:
        """Add."""
        return a + sum(more) + b + sum(rest.values())

    @dataclass(frozen=True)
    @checked_fields
    class Pair:
        a: int
        b: tuple[float, ...] = ()

        def __post_init__(self):
            if self.a < 0:
                raise InputError("a", "is below 0")

    assert add(1.0, 2, b=3, c=4) == 10
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert str(inspect.signature(add)).startswith("(a: int, *more: int")
    for arguments in ((), (1, "2"), ("1",)):
        with pytest.raises((InputError, TypeError)):
            add(*arguments)
    with pytest.raises(InputError, match=r"^c: is 'x'"):
        add(1, c="x")
    assert Pair(1.0, [2]) == Pair(1, (2,))
    assert hash(Pair(1, [2.5])) == hash(Pair(1, (2.5,)))
    with pytest.raises(InputError, match="below"):
        Pair(-1)
    with pytest.raises(InputError, match=r"^b\[0\]: is 'x'"):
        Pair(1, ["x"])
