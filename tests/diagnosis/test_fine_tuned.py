"""The diagnosis of models whose fits take steps from a start."""

import json

import jax
import numpy as np
import optax
import pytest
from click.testing import CliRunner

import mcjax
from mcjax.cli.main import cli
from mcjax.report.diagnosis import show_diagnosis

CURVATURE = np.diag([1.0, 0.3, 0.03])
LOOP, HALF = [("a", "a", 100)], [("a", "a", 50), ("real", "a", 50)]
GD, FAR = optax.sgd(0.5), optax.sgd(1.5)
DECAY = optax.chain(GD, optax.add_decayed_weights(-0.05))
UNIT = np.trace(np.linalg.inv(CURVATURE))


def diagnosed(feeds, steps=GD, k=4, theta=(1.0, 0.0, 0.0), models=("a",), **settings):
    estimator = mcjax.Optax(steps, k, name="steps", **settings)
    network = mcjax.build_network(models, feeds, initial=100)
    condition = mcjax.condition(
        network, mcjax.linear(), theta, covariance=CURVATURE, estimator=estimator
    )
    return mcjax.diagnose(condition)


def test_a_start_at_own_parameters_changes_rates_alone():
    """A loop has the slope of its law, in place of that of refits, and half real data a limit."""
    loop, half = diagnosed(LOOP, start="own"), diagnosed(HALF, start="own")
    refit = mcjax.diagnose(mcjax.build_network(["a"], LOOP, initial=100))
    assert loop.unstable_sources == refit.unstable_sources
    assert loop.repairs == refit.repairs
    assert loop.models["a"].radius == pytest.approx(1)
    assert loop.models["a"].growth == pytest.approx(10 * 1.75521e-3 / UNIT, rel=1e-5)
    assert half.models["a"].limit == pytest.approx(10 * 5.01859e-3 / UNIT, rel=1e-5)
    assert not half.collapses
    assert "overshoot" not in loop.note


def test_a_base_anchors_the_variance_alone():
    fitted, given = (diagnosed(LOOP, start="base", base=base) for base in (None, (1.5, 0.0, 0.0)))
    for diagnosis in (fitted, given):
        assert not diagnosis.collapses
        assert diagnosis.unstable_sources == ()
        assert diagnosis.models["a"].radius == pytest.approx(1 - 0.5**4)
    assert not fitted.models["a"].forgets
    assert given.models["a"].forgets
    assert [anchor.kind for anchor in given.models["a"].anchors] == ["base"]
    exact = diagnosed(LOOP, start="base", base=(1.0, 0.0, 0.0)).models["a"]
    assert (exact.forgets, exact.anchors) == (False, ())


def test_one_member_at_a_base_saves_its_component_and_not_its_neighbours():
    ring = [("a", "b", 100), ("b", "a", 100), ("c", "c", 100)]
    found = diagnosed(ring, models=("a", "b", "c"), start={"a": "base"}).models
    assert [found[name].collapses for name in "abc"] == [False, False, True]


def test_a_start_at_an_anchored_model_anchors():
    feeds = [*LOOP, ("b", "b", 50), ("real", "b", 50)]
    found = diagnosed(feeds, models=("a", "b"), start={"a": "b"}).models
    assert not found["a"].collapses
    reader = [*LOOP, ("real", "b", 50)]  # and one at a model that collapses is reached by it
    found = diagnosed(reader, models=("a", "b"), start={"b": "a"}).models
    assert found["b"].collapses
    assert found["b"].path == ("a", "b")


def test_weight_decay_is_a_false_anchor():
    found = diagnosed(LOOP, DECAY, start="own").models["a"]
    assert (found.collapses, found.forgets) == (False, True)
    assert [anchor.kind for anchor in found.anchors] == ["decay"]


def test_steps_that_overshoot_let_a_base_explode():
    """At 1.5 times the inverse curvature an error at the start comes back half and reversed."""
    found = diagnosed(LOOP, FAR, 1, start="base")
    assert found.models["a"].explodes
    assert found.models["a"].radius == pytest.approx(1.5)
    assert "the steps overshoot, of an error at their start they leave -0.5 times" in found.note
    own = diagnosed(HALF, FAR, 1, start="own")
    assert not own.collapses


def test_verdicts_of_own_starts_are_those_of_refits():
    rng = np.random.default_rng(0)
    names = tuple("abcd")
    for _ in range(12):
        edges = rng.random((5, 4)) < 0.3
        feeds = [
            ((*names, "real")[j], names[i], int(rng.integers(20, 80)))
            for j, i in np.argwhere(edges).tolist()
        ]
        network = mcjax.build_network(names, feeds, initial=100)
        expected = mcjax.diagnose(network)
        found = diagnosed(feeds, models=names, start="own")
        for name in names:
            assert found.models[name].collapses == expected.models[name].collapses
            assert found.models[name].sources == expected.models[name].sources


def test_steps_without_a_linear_law_are_not_known(capsys):
    found = diagnosed([("a", "a", 20)], optax.adam(0.1), start="own")
    assert found.collapses is None
    assert "have no linear law: of an error at their start they keep" in found.inapplicable
    show_diagnosis(found)
    assert "No single new feed" not in capsys.readouterr().out  # none was looked for


FILE = """
[network]
models = ["a"]
initial = 100
feeds = [{ from = "a", to = "a", samples = 100 }]

[estimator]
name = "sgd"
steps = 4
learning_rate = 0.5
start = "base"
"""
FAMILY = '[family]\nname = "linear"\ntheta = [1.0, 0.0]\n'


def test_files(tmp_path):
    """The estimator of a file counts, and without a family nothing is known."""
    path = tmp_path / "study.toml"
    path.write_text(FILE + FAMILY)
    told = CliRunner().invoke(cli, ["diagnose", str(path)]).stdout
    assert "No model of 1 collapses." in told
    assert "(fits take steps from where they start: verdicts are by the spectral radius" in told
    assert "No single new feed" not in told
    plain = json.loads(CliRunner().invoke(cli, ["diagnose", str(path), "--json"]).stdout)
    assert plain["collapses"] is False
    assert plain["note"].startswith("fits take steps")
    assert plain["finite_sample"] == {
        "inapplicable": "fits take steps, and the law is for fits to the minimum"
    }
    path.write_text(FILE)
    plain = json.loads(CliRunner().invoke(cli, ["diagnose", str(path), "--json"]).stdout)
    assert plain["collapses"] is None
    assert "add [family]" in plain["inapplicable"]


@pytest.mark.parametrize("paths", ["own", "common"])
def test_networks_that_are_drawn_are_not_known(paths):
    """No law of refits is told of steps: neither verdicts, nor rates, nor the exact law."""
    loop, real = mcjax.Generation(LOOP), mcjax.Generation([("real", "a", 100)])
    drawn = mcjax.Drawn(loop, real, probabilities=[0.5, 0.5], paths=paths)
    network = mcjax.build_network(["a"], drawn, initial=100)
    estimator = mcjax.Optax(GD, 4, name="steps", start="own")
    condition = mcjax.condition(network, mcjax.linear(), [0.0, 0.0], estimator=estimator)
    found = mcjax.diagnose(condition)
    assert found.collapses is None
    assert not found.in_any_order
    assert "fits take steps" in found.inapplicable
    assert "fits take steps" in found.finite_sample
    assert mcjax.diagnose(network).collapses is False


def test_feeds_that_take_turns_need_the_family(tmp_path):
    path = tmp_path / "study.toml"
    turns = "samples = 100, every = 2 }, { from = 'real', to = 'a', samples = 10, every = 3 }"
    path.write_text(FILE.replace("samples = 100 }", turns) + FAMILY)
    plain = json.loads(CliRunner().invoke(cli, ["diagnose", str(path), "--json"]).stdout)
    assert plain["collapses"] is False
    assert len(plain["models"]["a"]["phases"]) == 6
    path.write_text(FILE.replace("samples = 100 }", turns))
    plain = json.loads(CliRunner().invoke(cli, ["diagnose", str(path), "--json"]).stdout)
    assert plain["collapses"] is None
    assert "add [family]" in plain["inapplicable"]


def test_a_loop_of_small_steps_collapses_beside_the_noise_of_refits():
    """However small its slope is beside the noise of its reader."""
    feeds = [*LOOP, ("a", "b", 50), ("real", "b", 50)]
    small, start = optax.sgd(1e-5), {"a": "own", "b": "refit"}
    found = diagnosed(feeds, small, k=1, models=("a", "b"), start=start).models
    assert [found[name].collapses for name in "ab"] == [True, True]
    assert 0 < found["a"].growth < 1e-9


def test_steps_too_small_to_tell_are_not_judged():
    found = diagnosed(HALF, optax.sgd(1e-9), k=1, start="own")
    assert found.models["a"].noise is None
    assert "too little to tell" in found.inapplicable


def test_steps_from_the_parameters_behind_the_data():
    """A loop collapses by the noise of its steps, and weight decay holds it away from the truth."""
    found, held = diagnosed(LOOP), diagnosed(LOOP, DECAY)
    assert found.models["a"].noise
    fit = ((1 - (1 - 0.5 * np.diag(CURVATURE)) ** 4) ** 2 / np.diag(CURVATURE)).sum() / 100
    assert found.models["a"].growth == pytest.approx(fit / UNIT)
    assert isinstance(found.finite_sample, str)  # why the exact law does not speak
    assert (held.collapses, held.models["a"].forgets) == (False, True)
    half = diagnosed(HALF)
    assert half.models["a"].limit == pytest.approx(fit / UNIT / (1 - 0.25))
    again = mcjax.build_network(["a"], HALF, initial=50, real="reused")
    estimator = mcjax.Optax(GD, 4, name="steps")
    condition = mcjax.condition(again, mcjax.linear(), [0.0], estimator=estimator)
    assert "start such as 'own'" in mcjax.diagnose(condition).inapplicable


def test_steps_away_from_the_minimum_are_told():
    found = diagnosed(LOOP, optax.sgd(-0.1), start="own")
    assert "lead away from the minimum" in found.note
    assert found.models["a"].explodes or found.models["a"].noise


def test_steps_with_a_pull_of_their_own_have_no_law():
    """It would pass for weight decay."""
    pull = optax.stateless(lambda updates, _: jax.tree.map(lambda leaf: leaf + 0.01, updates))
    found = diagnosed(LOOP, optax.chain(GD, pull), start="own")
    assert "a pull or noise of their own" in found.inapplicable
