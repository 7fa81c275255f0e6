"""A selection written against the contract alone: one class, from a feed to a verdict."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

import mcjax
from mcjax.chains.selected import Drawn
from mcjax.errors import InputError
from mcjax.laws.first_order.normal_population import NoiseMoments, NormalPopulation
from mcjax.study import selections


@partial(jax.tree_util.register_dataclass, data_fields=["above"], meta_fields=[])
@dataclass(frozen=True)
class Above(mcjax.Selection):
    """Numbers above a multiple of the deviation of their origin, counted from its mean."""

    above: float

    def problem(self, model, theta, real):
        if model.name != "gaussian":
            return f"above is for the family gaussian; {model.name} is another, leave it out"
        return "" if abs(self.above) < 3 else f"above is {self.above!r}; give a number below 3"

    def draw(self, rows):
        def accepts(attempt, y):
            return y > rows.theta[0] + self.above * jnp.sqrt(rows.theta[1])

        return rows.until(accepts)

    def population(self, origin, model):
        a = self.above
        first = norm.pdf(a) / norm.sf(a)
        second, third = 1 + a * first, (a**2 + 2) * first
        moments = (first, second, third, 3 * second + a**3 * first)
        return NormalPopulation(origin, NoiseMoments(moments, np.zeros((2, 2))))


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["every"])
@dataclass(frozen=True)
class EveryOther(mcjax.Selection):
    """One of these methods only, as little as there may be."""

    every: int = 2

    def problem(self, model, theta, real):
        return ""

    def draw(self, rows):
        attempt = rows.attempt(0)
        kept = jnp.arange(len(rows.wanted)) % self.every == 0
        return Drawn(attempt.x, rows.labels(attempt), kept)


def study(keep, model=None, theta=(0.5, 2.0), share=0.5, **options):
    own = mcjax.Feed("0", "0", round(1000 * share), keep=keep)
    feeds = [own] if share == 1 else [own, mcjax.Feed("real", "0", round(1000 * (1 - share)))]
    net = mcjax.build_network(1, feeds, 1000)
    one = mcjax.condition(net, model or mcjax.gaussian(), theta)
    settings = {"generations": 2, "chains": 4096, "tolerance": 0.15} | options
    return mcjax.Study((one,), quantities=("bias", "covariance"), **settings)


@pytest.mark.statistical
def test_it_is_simulated_and_verified():
    result = mcjax.verify(study(Above(-0.3)))
    assert result.verdict == "verified"
    assert {cell.quantity for cell in result.cells} == {"bias", "covariance"}


@pytest.mark.statistical
def test_a_law_of_another_number_is_refuted():
    result = mcjax.verify(study(Above(-0.3)), theory=study(Above(-0.1)))
    assert result.verdict == "refuted"


def test_its_centres():
    """The mean of a loop moves by the first moment, in units of a deviation that shrinks."""
    [prediction] = mcjax.predict(study(Above(0.0), share=1, theta=(0.0, 1.0)))
    mean = prediction.laws["first_order"].mean[:, 0]
    spread = (1 - 2 / np.pi) ** np.arange(3)
    np.testing.assert_allclose(mean[:, 1] + 1, spread)
    steps = np.sqrt(2 / np.pi * spread[:2])
    np.testing.assert_allclose(np.diff(mean[:, 0]), steps)


def test_its_problems_are_input_errors():
    with pytest.raises(InputError, match=r"feeds\[0\].keep.above: is 4.0; give a number below 3"):
        study(Above(4.0))
    with pytest.raises(InputError, match=r"above: is for the family gaussian; linear is another"):
        study(Above(1.0), mcjax.linear())


@pytest.mark.system
def test_without_a_population_nothing_is_known_and_chains_run():
    own = study(EveryOther(), mcjax.logistic(), chains=64, generations=1)
    result = mcjax.verify(own)
    assert result.verdict == "inconclusive"
    assert not result.cells
    assert "no law is known of what EveryOther keeps" in result.inapplicable[""]["first_order"]
    assert result.outcomes[0].chains == 64
    data = list(mcjax.replay_data(own, "", 3, mcjax.replay(own, "", 3)))[1][0]
    assert [len(data[origin].y) for origin in ("0", "real")] == [250, 500]


def test_one_line_makes_it_known_to_study_files(tmp_path, monkeypatch):
    monkeypatch.setitem(selections.PLACES, "above", f"{__name__}:Above")
    path = tmp_path / "study.toml"
    path.write_text("""
[network]
models = ["a"]
initial = 50
feeds = [{ from = "a", to = "a", samples = 50, keep = { above = 0.5 } }]

[family]
name = "gaussian"
theta = [0.0, 1.0]
""")
    [feed] = mcjax.load_study(path).conditions[0].network.feeds
    assert feed.keep == Above(0.5)


@pytest.mark.system
def test_the_best_of_labels_that_are_no_numbers_is_refused():
    """There is no best one; the best entry of each place would be a label that nobody gave."""

    def loss(theta, x, y):
        return ((y - theta) ** 2).sum()

    def sample(key, theta, x):
        return theta + jax.random.normal(key, theta.shape, theta.dtype)

    model = mcjax.user_model(loss, sample)
    with pytest.raises(InputError, match=r"keep.best_of: needs labels that are numbers; .*\(2,\)"):
        mcjax.verify(study(mcjax.BestOf(2), model, theta=(0.5, 0.5), chains=4, generations=1))
