"""A source with a truth of its own, on the command line: the centre, the spread, and verdicts."""

import numpy as np
import pytest

pytestmark = pytest.mark.system

STUDY = """
[network]
models = ["a"]
initial = 400

[[network.sources]]
name = "far"
samples = 100
theta = [-1.0]

[[network.feeds]]
from = "real"
to = "a"
samples = 100

[[network.feeds]]
from = "far"
to = "a"

[[network.feeds]]
from = "a"
to = "a"
samples = 200

[family]
name = "logistic"
theta = [1.0]

[run]
generations = 2
chains = 1024
tolerance = 0.3
quantities = ["bias", "covariance"]
"""


@pytest.fixture
def far_file(tmp_path):
    path = tmp_path / "far.toml"
    path.write_text(STUDY)
    return path


def test_predict_gives_centre_and_spread(far_file, call_json):
    _, found = call_json("predict", far_file)
    law = found["laws"]["first_order"]
    np.testing.assert_allclose(np.ravel(law["centre"]), [1, 0.43169, 0.20885], atol=6e-6)
    np.testing.assert_allclose(
        400 * np.ravel(law["spread"]), [6.93364, 4.72607, 4.69871], atol=6e-6
    )
    away, small = np.array(law["centre"]) - 1, np.array(law["small_sample_bias"])
    np.testing.assert_allclose(400 * np.ravel(small), [2.95205, 1.39792, 0.75683], atol=6e-6)
    np.testing.assert_allclose(law["bias"], np.abs(away + small)[..., 0])
    squares = (away**2 + 2 * away * small)[..., 0] + law["spread"]
    np.testing.assert_allclose(law["mse"], squares)
    assert law["mse_complete"] is True


def test_verify_judges_centre_and_spread(far_file, tmp_path, call):
    assert call("verify", far_file, "--quiet")[0] == 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(STUDY.replace("theta = [-1.0]", "theta = [-0.5]"))
    assert call("verify", far_file, "--quiet", "--theory", wrong)[0] == 1


KEPT = STUDY.replace("samples = 100\ntheta", 'samples = 100\nreal = "reused"\ntheta')
"""A source whose rows are read again, around which the bias of small samples is not known."""


def test_mean_squares_are_judged_with_the_bias_of_small_samples(far_file, call_json):
    far_file.write_text(STUDY.replace('["bias", "covariance"]', '["mse"]'))
    status, found = call_json("verify", far_file, "--quiet")
    assert status == 0
    assert {cell["verdict"] for cell in found["cells"]} == {"verified"}


def test_a_mean_square_that_is_known_in_part_is_not_judged(far_file, call_json):
    far_file.write_text(KEPT.replace('["bias", "covariance"]', '["mse", "collapse", "growth"]'))
    status, found = call_json("verify", far_file, "--quiet")
    assert status == 3
    assert {cell["quantity"] for cell in found["cells"]} >= {"mse", "collapse"}
    assert {cell["verdict"] for cell in found["cells"]} == {"inconclusive"}
    notes = {cell["note"] for cell in found["cells"] if cell["quantity"] == "mse"}
    words = "because real data are read again and again; judge bias and covariance"
    assert all(words in note for note in notes)


def test_diagnose_counts_it_as_real_data(far_file, call_json):
    _, found = call_json("diagnose", far_file)
    assert found["collapses"] is False


def test_the_table_shows_centres_where_mean_squares_are_incomplete(far_file, call):
    far_file.write_text(KEPT)
    status, out, _ = call("predict", far_file)
    assert status == 0
    assert "judge bias and covariance" in out
    assert "bias of small samples" not in out
    [away] = [line for line in out.splitlines() if "distance from the truth" in line]
    numbers = [float(word) for word in away.split() if word[0].isdigit()]
    np.testing.assert_allclose(numbers, [0, 1 - 0.43169, 1 - 0.20885], atol=1e-3)


def test_the_table_shows_the_bias_of_small_samples(far_file, call):
    status, out, _ = call("predict", far_file)
    assert status == 0
    assert "judge bias and covariance" not in out
    [bias] = [line for line in out.splitlines() if "bias of small samples" in line]
    numbers = [float(word) for word in bias.split() if word[0].isdigit()]
    np.testing.assert_allclose(400 * np.array(numbers), [2.952, 1.398, 0.757], atol=1e-3)
