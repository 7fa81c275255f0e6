"""Grids over rates of fine-tuned models and over schedules, in the commands that run chains."""

import numpy as np
import pytest

import mcjax
from mcjax.cli import saving, verify
from mcjax.engine import engine

pytestmark = pytest.mark.system

STUDY = """
[network]
models = ["a"]
initial = 40
feeds = [
    { from = "a", to = "a", samples = 20 },
    { from = "real", to = "a", samples = 20 },
]
[family]
name = "linear"
theta = [0.5, -0.5]
[estimator]
name = "sgd"
start = "own"
momentum = 0.5
steps = 2
[run]
generations = 3
chains = 256
chunk = 128
tolerance = 0.9
[grid]
"estimator.learning_rate" = [0.1, 0.3]
"network.feeds.1.every" = [1, 2]
"""
NAMES = [
    f"estimator.learning_rate={rate}, network.feeds.1.every={every}"
    for rate in (0.1, 0.3)
    for every in (1, 2)
]


@pytest.fixture
def tuned(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize("state", ["reset", "carried"])
def test_a_run_that_is_stopped_goes_on(state, tuned, tmp_path, call_json, monkeypatch):
    """Also between generations of a schedule, and with a state that fits hand on."""
    tuned.write_text(STUDY.replace("steps = 2", f'steps = 2\nstate = "{state}"'))
    _, whole = call_json("verify", tuned, "--quiet", "--out", tmp_path / "whole")
    monkeypatch.setattr(saving, "SAVE_EVERY", 0.0)
    real, calls = engine.run_blocks, []

    def dies(*arguments, **options):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    out = tmp_path / "stopped"
    with monkeypatch.context() as patched:
        patched.setattr(engine, "run_blocks", dies)
        with pytest.raises(KeyboardInterrupt):
            verify.run_verify(tuned, as_json=True, out=out, quiet=True)
    _, resumed = call_json("verify", tuned, "--quiet", "--out", out)
    assert resumed == whole
    kept = [np.load(folder / "tallies.npz") for folder in (tmp_path / "whole", out)]
    assert kept[0].files == kept[1].files
    for name in kept[0].files:
        np.testing.assert_array_equal(kept[0][name], kept[1][name])
    thetas = []
    for name in NAMES:
        status, found = call_json("replay", out, "--condition", name, "--chain", 3)
        thetas.append([fit["theta"] for fit in found["generations"]])
        again = mcjax.replay(mcjax.load_study(tuned), name, 3).theta
        assert status == 0
        np.testing.assert_array_equal(np.ravel(thetas[-1]), np.ravel(again))
    assert len(set(map(str, thetas))) == 4


def test_plans_and_theories(tuned, tmp_path, call, call_json):
    """By the same chains, a theory of other samples is refuted, and one of the same is not."""
    tuned.write_text(STUDY.replace("chains = 256", "chains = 2048").replace("0.9", "0.3"))
    status, plan = call_json("verify", tuned, "--plan")
    assert status == 0
    assert [need["cells"] for need in plan["needs"]] == [16]
    assert [(p["conditions"], p["rates"]) for p in plan["programs"]] == [(4, 2)]
    _, shown, _ = call("verify", tuned, "--plan")
    assert "Program: 4 conditions at 2 learning rates or momenta of the linear" in shown
    assert shown.count("Program: ") == 1
    theory = tmp_path / "theory.toml"
    theory.write_text(tuned.read_text())
    status, found = call_json("verify", tuned, "--quiet", "--theory", theory)
    assert "refuted" not in {cell["verdict"] for cell in found["cells"]}
    theory.write_text(
        tuned.read_text().replace("samples = 20 ", "samples = 200 ").replace("= 40", "= 400")
    )
    status, found = call_json("verify", tuned, "--quiet", "--theory", theory)
    assert (status, found["verdict"]) == (1, "refuted")
    assert {cell["condition"] for cell in found["cells"]} == set(NAMES)
