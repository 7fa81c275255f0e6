"""Studies that differ in a number have two identities on disk, and default studies keep theirs."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
import optax
import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.estimators.registry import make_estimator
from mcjax.models.registry import FAMILIES
from mcjax.report.store import Store
from mcjax.study.identity import describe, identity

THETA = {
    "categorical": [0.7, 0.2, 0.1],
    "gaussian_mixture": [0.0, -2.0, 2.0, 0.0, 0.0],
    "bigram": [0.7, 0.3, 0.2, 0.8],
    "unigram": [0.7, 0.2, 0.1],
    "bernoulli": [0.3],
    "poisson_mean": [0.05],
    "gaussian": [0.0, 1.0],
}
KEPT = {
    "linear": "891302e5fa7662dcb833c81a1c064b094c1c68dabca3c2960dd2678c8507bc8b",
    "logistic": "9958f791925f29e862aebbf3f0d58da6980d0c5bdc95d1da23a3b0f972b1bd99",
    "poisson": "b4ade1ec69175a4edc4936efe6269668d42980f88e360088480f28d1ac253e2c",
    "huber": "5fe0b3ccccc5f547f2e4e64c343d56c07c7bced9d4441b9be4f0fa03c3540322",
    "quantile": "c50ba13df7a384038e48e80b15db540bf074278a13e689384b4f4acdb758067c",
    "minimum_norm": "5c4774f99e27e64be02b808ea8dee4343144c4e2bf85ff0a31c92c660a8a171a",
    "probit": "a883e3592ce2557e5983419fd216c9a539e92f5c693b71c75c2082825492d762",
    "negative_binomial": "d18fb8c3cdf97a6638442720d55ee76a633d305422e525776ef7d9c4b93e5196",
    "multinomial": "dfe9746f3dd9d42d4f865db1de6ce22e2e636da0acb09df40a7297679d84867b",
    "gaussian": "74179bba7410d938e8a8a6bfa72fbc15a71e9762d68fcad627d957af39adac96",
    "categorical": "ae053f0b50b69e9e4eaee32570afacedb084686ab7e07784e2b7a7ddad3c5d97",
    "bernoulli": "e73a4c6eeeb9db3e6fa58d7a1a7b6e5da147fb260892fc5b63e52fcf24389b98",
    "poisson_mean": "e89a21e37d6942e1e651c08cd4fd708054dfd81c73b1c15cda55fc8166cd8664",
}
"""Identities of results that may lie on disk, by the model of the study."""
ADAM = {"name": "adam", "learning_rate": 0.01, "steps": 5, "batch_size": 10}
KEPT_OF_ESTIMATORS = [
    ({"name": "newton"}, "3853670b9a4601e3d320afd06cf37d005b4ae17dd3fad3424cf3b56b1b76c710"),
    ({"name": "lbfgs"}, "ea999ce923cb6ea2c0b4d1b93d8163e7135a5ea7e9bbf003230e6bfec8c03b45"),
    (ADAM, "37dfdbb7c05d1a95071501359da56ff7a5aae70b79535cba50eb5cc7a2a675bc"),
]
MODELS = {name: make() for name, make in FAMILIES.items()}


def study(model, estimator=None):
    net = mcjax.topologies.self_loop(samples=30, initial=40)
    theta = THETA.get(model.name, [1.0, -1.0])
    return mcjax.Study((mcjax.condition(net, model, theta, estimator=estimator),))


@pytest.mark.parametrize("name", KEPT)
def test_results_of_default_studies_can_still_be_read(name):
    assert identity(study(MODELS[name])) == KEPT[name]


@pytest.mark.parametrize(("table", "kept"), KEPT_OF_ESTIMATORS)
def test_results_of_studies_with_an_estimator_table_can_still_be_read(table, kept):
    assert identity(study(mcjax.logistic(), make_estimator(table))) == kept


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_estimator_of_a_model_is_part_of_a_study(model):
    """Whether a condition or its model says so is all one."""
    others = [mcjax.Newton(), mcjax.Newton(limit=7), mcjax.LBFGS(), None]
    models = [model, *(replace(model, estimator=e) for e in others if e != model.estimator)]
    assert len({identity(study(m)) for m in models}) == len(models)
    for changed in models[1:]:
        if changed.estimator is not None:
            assert identity(study(changed)) == identity(study(model, changed.estimator))


def test_the_estimator_of_a_users_model_is_part_of_a_study():
    def loss(theta, x, y):
        return (y - x @ theta) ** 2

    def sample(key, theta, x):
        return x @ theta

    made = [
        mcjax.user_model(loss, sample, estimator=e) for e in (None, mcjax.Newton(), mcjax.LBFGS())
    ]
    assert len({identity(study(model)) for model in made}) == 3
    assert "estimator" not in describe(study(made[0]))["conditions"][0]


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """Settings of all kinds; it is never asked to fit."""

    rates: tuple[float, ...] = (0.1, 0.2)
    inner: mcjax.Newton = mcjax.Newton()  # noqa: RUF009 - frozen
    schedule: Callable | None = None
    name: str | None = None
    minimises = False

    def fit(self, model, data, start, key):
        raise NotImplementedError


def test_all_settings_of_an_estimator_are_part_of_a_study():
    model = mcjax.linear()
    changes = (
        {},
        {"rates": (0.1, 0.3)},
        {"inner": mcjax.Newton(limit=3)},
        {"inner": mcjax.LBFGS(limit=3)},
        {"schedule": abs, "name": "abs"},
        {"schedule": abs, "name": "other"},
    )
    found = {identity(study(model, Scheduled(**change))) for change in changes}
    assert len(found) == len(changes)


def test_the_source_of_an_estimator_is_part_of_a_study():
    def of_this_name(rate):
        class Step:
            minimises = False

            def fit(self, model, data, start, key):
                raise NotImplementedError

        class Stride:
            minimises = False

            def fit(self, model, data, start, key):
                raise ValueError(rate)

        Stride.__name__ = "Step"
        return (Step if rate else Stride)()

    model = mcjax.linear()
    assert identity(study(model, of_this_name(0))) != identity(study(model, of_this_name(1)))
    assert identity(study(model, of_this_name(1))) == identity(study(model, of_this_name(1)))


@pytest.mark.parametrize(
    "estimator", [mcjax.Optax(optax.sgd(0.1), steps=3), Scheduled(schedule=abs)]
)
def test_results_of_an_estimator_that_nothing_tells_from_others_are_not_kept(tmp_path, estimator):
    kind = type(estimator).__name__
    with pytest.raises(InputError, match=f"estimator: is {kind} without a name.*give it a name"):
        Store(tmp_path / "results", study(mcjax.logistic(), estimator))
    assert not (tmp_path / "results").exists()
    Store(tmp_path / "results", study(mcjax.logistic(), replace(estimator, name="this one")))


@pytest.mark.system
def test_labelled_results_in_memory_need_no_name():
    one = replace(
        study(mcjax.logistic(), mcjax.Optax(optax.sgd(0.1), steps=3)), generations=0, chains=2
    )
    predictions, outcomes = mcjax.predict(one), [t.outcome for t in mcjax.simulate(one)]
    labelled = mcjax.dataset(one, predictions, outcomes, mcjax.judge(one, predictions, outcomes))
    assert "identity" not in labelled.attrs
    assert labelled.attrs["versions"]


def keeping(keep):
    feeds = [mcjax.Feed("0", "0", 30, keep=keep), mcjax.Feed("real", "0", 30)]
    net = mcjax.build_network(1, feeds, 60)
    return mcjax.Study((mcjax.condition(net, mcjax.logistic(), [1.0, -1.0]),))


def own_kind(name, rows, **values):
    """A selection of the user's own, with a field and a source."""

    class First(mcjax.Selection):
        def problem(self, model, theta, real):
            return ""

        def draw(self, rows):
            raise NotImplementedError

    class Second(mcjax.Selection):
        def problem(self, model, theta, real):
            return ""

        def draw(self, rows):
            raise ValueError(rows)

    kind = dataclasses.make_dataclass(name, values, bases=(Second if rows else First,), frozen=True)
    kind.__module__ = __name__
    kind = jax.tree_util.register_dataclass(kind, data_fields=[], meta_fields=list(values))
    return kind(**values)


def test_the_kind_and_the_source_of_a_selection_are_part_of_a_study():
    keeps = [
        mcjax.Flip(0.1),
        mcjax.Flip(0.2),
        own_kind("Flip", False, flip=0.1),
        own_kind("Flip", True, flip=0.1),
        own_kind("Swap", True, flip=0.1),
        None,
    ]
    assert len({identity(keeping(keep)) for keep in keeps}) == len(keeps)
    [one] = describe(keeping(keeps[0]))["conditions"]
    assert one["network"]["feeds"][0]["keep"] == {"Flip": {"flip": 0.1}}
    assert identity(keeping(mcjax.Flip(np.float64(0.1)))) == identity(keeping(keeps[0]))
    assert identity(keeping(own_kind("Flip", True, flip=0.1))) == identity(keeping(keeps[3]))


def test_selections_of_numpy_numbers_have_an_identity():
    half = identity(keeping(mcjax.Flip(0.5)))
    assert identity(keeping(mcjax.Flip(np.float32(0.5)))) == half
    tables = [mcjax.Checker((kind(1.0), kind(0.5))) for kind in (float, np.float32)]
    assert len({identity(keeping(keep)) for keep in tables}) == 1


def test_a_selection_that_nothing_tells_from_others_is_refused():
    with pytest.raises(InputError, match=r"^network\.feeds\.keep: is Rule, and .* its rule from"):
        identity(keeping(own_kind("Rule", False, rule=abs)))
