"""Which path ran, and ``--path``."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.system

STUDY = """
[network]
models = ["a"]
initial = 60
feeds = [{ from = "a", to = "a", samples = 30 }, { from = "real", to = "a", samples = 30 }]

[family]
name = "logistic"
theta = [0.5, -0.5]

[run]
generations = 2
chains = 64
tolerance = 0.9
"""


def test_verify_and_replay_say_which_path_ran(call, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    folder = tmp_path / "results"
    _, out, _ = call("verify", file, "--json", "--path", "reference", "--out", folder)
    assert set(json.loads(out)["paths"].values()) == {"reference"}
    theta = {}
    for options, path in (((), "reference"), (("--path", "auto"), "fast")):
        status, out, _ = call("replay", folder, "--chain", "3", "--json", *options)
        found = json.loads(out)
        assert (status, found["path"]) == (0, path)
        theta[path] = [fit["theta"] for fit in found["generations"]]
    np.testing.assert_allclose(theta["fast"], theta["reference"], atol=1e-5)


@pytest.mark.parametrize("path", ["fast", "quick"])
def test_no_other_path_can_be_asked_for(call, tmp_path, path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY.replace("[run]", f'[run]\npath = "{path}"'))
    status, _, err = call("verify", file)
    assert status == 2
    assert "run.path" in err
