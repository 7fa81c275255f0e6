"""The command line on a family without covariates: predictions, plans, verdicts and results."""

import numpy as np
import pytest

pytestmark = pytest.mark.system

FILE = """
[network]
models = ["a", "b"]
initial = 20
feeds = [{ from = "a", to = "a", samples = 20 }, { from = "a", to = "b", samples = 10 }]

[family]
name = "gaussian"
theta = [1.0, 4.0]

[run]
generations = 3
chains = 640
tolerance = 0.4
quantities = ["mse", "functional"]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gaussian.toml"
    path.write_text(FILE)
    return path


def test_predictions(file, call, call_json):
    status, found = call_json("predict", file)
    assert status == 0
    law = found["laws"]["generative"]
    assert np.array(law["functionals"]["variance"]).shape == (4, 2)
    assert law["mse"] == [[None, None]] * 4  # the law tells no covariance of variances
    assert set(found["laws"]["lineage"]["functionals"]) == {"deviation", "log_deviation"}
    assert "functionals" not in found["laws"]["first_order"]
    status, out, _ = call("predict", file)
    assert status == 0
    assert "log_deviation" in out


def test_verdicts_and_a_run_in_two_goes(file, call, call_json, tmp_path):
    status, found = call_json("verify", file, "--quiet")
    cells = [cell for cell in found["cells"] if cell["quantity"].startswith("functional:")]
    assert {cell["law"] for cell in cells} == {"generative", "lineage"}
    assert len(cells) == 4 * 4 * 2
    one = next(c for c in cells if c["quantity"] == "functional:deviation" and c["generation"] == 3)
    assert one["ratio"] == pytest.approx(one["empirical"] / one["predicted"])
    assert one["interval"][0] < one["ratio"] < one["interval"][1]
    logs = [cell for cell in cells if cell["quantity"] == "functional:log_deviation"]
    assert all(cell["ratio"] is None for cell in logs)
    folder = tmp_path / "results"
    call("verify", file, "--quiet", "--out", folder, "--chains", "100")
    again, whole = call_json("verify", file, "--quiet", "--out", folder)
    assert (again, whole["cells"]) == (status, found["cells"])
    status, out, _ = call("verify", file, "--quiet", "--out", folder)
    assert "functional:mean_square" in out
    status, out, _ = call("verify", file, "--plan")
    assert status == 0
    words = " ".join(out.split())
    assert "No number of chains is known for functional:variance: the law generative" in words
    status, out, _ = call("verify", file, "--plan", "--theory", file)
    assert status == 0
    words = " ".join(out.split())
    assert "for functional:variance, and no chance of refuting it: the law generative" in words


def test_what_a_file_cannot_ask(file, call):
    for before, after, words in (
        ("[1.0, 4.0]", "[1.0, -4.0]", "family.theta: must be two numbers, a mean and a positive"),
        (
            '"gaussian"',
            '"linear"',
            "run.quantities: has 'functional', but linear has no functionals",
        ),
        (
            "[run]",
            '[covariates]\ndesign = "fixed"\n[run]',
            "covariates: do not exist in the family",
        ),
    ):
        file.write_text(FILE.replace(before, after))
        status, _, err = call("verify", file)
        assert status == 2
        assert words in err
