"""A law written against the public interface alone, from study to verdict."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mcjax

sys.path.insert(0, str(Path(__file__).parent))
from self_loop_law import LAW, SelfLoop

FILE = Path(__file__).with_name("self_loop_law.py")
STUDY = """
[network]
models = ["a"]
initial = 60
feeds = [{ from = "a", to = "a", samples = 30 }]

[family]
name = "linear"
theta = [1.0, 1.0]
sigma = 2.0

[covariates]
covariance = [[1.0, 0.5], [0.5, 2.0]]

[run]
generations = 3
chains = 8192
tolerance = 0.15
"""
PLANTED = "walk = 1.5 * np.cumsum"


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return mcjax.load_study(path)


class Wrong(SelfLoop):
    """The same with n in place of n - p - 1."""

    name = "wrong"

    def predict(self, condition, generations):
        p, samples = len(condition.theta), condition.network.feeds[0].samples
        right = super().predict(condition, generations)
        factor = 0.5 * (samples - p - 1) / samples
        return mcjax.Prediction.of(factor * right.covariance, models=1)


def test_it_is_judged_beside_the_built_in_laws(study):
    [predictions] = mcjax.predict(study, [LAW])
    own, exact = (predictions.laws[name] for name in ("self_loop", "finite_sample"))
    np.testing.assert_allclose(own.mse, exact.mse)
    result = mcjax.verify(study, laws=[LAW, Wrong()])
    verdicts = {
        name: {cell.verdict for cell in result.cells if cell.law == name}
        for name in ("self_loop", "wrong")
    }
    assert verdicts == {"self_loop": {"verified"}, "wrong": {"refuted"}}


LOOP = mcjax.topologies.self_loop(samples=30, initial=60)
RING = mcjax.topologies.ring(2, samples=30, initial=60)
GROWING_LOOP = replace(LOOP, later=mcjax.Growing(LOOP.later.generations[0], 1.0))


@pytest.mark.parametrize(
    ("network", "model", "words"),
    [
        (LOOP, mcjax.logistic(), "not those of least squares"),
        (RING, mcjax.linear(), "not one model"),
        (GROWING_LOOP, mcjax.linear(), "do not draw equally many rows"),
        (replace(LOOP, memory="accumulate"), mcjax.linear(), "do not draw equally many rows"),
        (mcjax.topologies.self_loop(samples=3, initial=60), mcjax.linear(), "so few rows"),
    ],
    ids=["model", "network", "growth", "memory", "rows"],
)
def test_it_says_where_it_does_not_apply(network, model, words):
    study = mcjax.Study((mcjax.condition(network, model, [1.0, 1.0]),), generations=1)
    [predictions] = mcjax.predict(study, [LAW])
    assert words in predictions.inapplicable["self_loop"]


@pytest.mark.by_default("True-1")
@pytest.mark.parametrize(("planted", "status"), [(False, 0), (True, 1)])
def test_it_is_judged_from_a_file(study, tmp_path, planted, status):
    text = FILE.read_text()
    if planted:
        assert "walk = np.cumsum" in text
        text = text.replace("walk = np.cumsum", PLANTED)
    (tmp_path / "mine.py").write_text(text)
    command = ["verify", "study.toml", "--law", "mine.py", "--json", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "mcjax", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    cells = json.loads(done.stdout)["cells"]
    verdicts = {cell["verdict"] for cell in cells if cell["law"] == "self_loop"}
    assert verdicts == {"refuted" if planted else "verified"}
