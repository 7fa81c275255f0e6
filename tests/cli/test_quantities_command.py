"""The command line on more quantities than the MSE, on ladders, and before a run."""

import re

import pytest
from sample_study import STUDY

pytestmark = pytest.mark.system

EVERY = 'quantities = ["mse", "collapse", "growth", "bias", "covariance", "normality"]\n'


@pytest.fixture
def ladder_file(tmp_path):
    path = tmp_path / "ladder.toml"
    text = STUDY.replace("[run]\n", f"[run]\n{EVERY}")
    path.write_text(text + "\n[grid]\nscale = [1, 2, 4]\n")
    return path


def test_every_quantity_and_the_ladder_are_shown(ladder_file, call, call_json):
    status, out, _ = call("verify", ladder_file, "--quiet")
    assert status in (0, 3)
    for words in (
        "Ladder of sample sizes, generation 3",
        "limit of the ratio",
        "cross_covariance",
        "standard deviations",
        "between distribution functions",
    ):
        assert words in out
    same, found = call_json("verify", ladder_file, "--quiet")
    assert same == status
    quantities = {cell["quantity"] for cell in found["cells"]}
    assert quantities == {
        *("mse", "collapse", "drift", "bias", "covariance", "cross_covariance", "normality"),
        "mse_asymptote",
    }
    assert len(found["ladders"]) == 4 * 3
    ladder = found["ladders"][0]
    assert (ladder["condition"], ladder["law"], ladder["rungs"]) == ("", "first_order", 3)
    assert 0 < ladder["misfit"] <= 1
    assert 0 < ladder["form_error"] < ladder["standard_error"]
    assert ladder["power"] == 1
    bias = next(cell for cell in found["cells"] if cell["quantity"] == "bias")
    assert bias["ratio"] is None
    assert bias["predicted"] == 0
    assert 0 <= bias["interval"][0] <= bias["empirical"] <= bias["interval"][1]


@pytest.mark.parametrize(
    ("quantity", "generations", "reason"),
    [
        ("collapse", 1, "with T = 1 there are too few generations to tell growth"),
        ("growth", 0, "with T = 0 there is no generation after the first"),
        ("efficiency", 3, "all models read one real source"),
        ("normality", 3, "the law predicts no distribution"),
    ],
)
def test_a_quantity_with_nothing_to_judge_says_why(
    study_file, call, call_json, quantity, generations, reason
):
    """On the terminal, in JSON and in a plan; also where another law judges it."""
    text = study_file.read_text().replace("generations = 3", f"generations = {generations}")
    study_file.write_text(text.replace("[run]", f'[run]\nquantities = ["{quantity}"]'))
    for option in ((), ("--plan",)):
        _, out, _ = call("verify", study_file, *option)
        assert f"Not judged: {quantity} by finite_sample: {reason}" in out
        _, found = call_json("verify", study_file, *option)
        by_law = {one["law"]: one for one in found["unjudged"]}
        assert by_law["finite_sample"]["quantity"] == quantity
        assert by_law["finite_sample"]["reason"].startswith(reason)
    assert ("first_order" in by_law) == (quantity != "normality")


def test_what_is_not_judged_has_a_subject(study_file, call):
    text = study_file.read_text().replace("chains = 256", "chains = 40")
    study_file.write_text(text)
    _, out, _ = call("verify", study_file)
    lines = [line for line in out.splitlines() if line.startswith("Not judged: ")]
    assert lines
    assert all(re.match(r"Not judged: mse of a, b, c by [\w, ]+: ", line) for line in lines)


def test_a_plan_names_units_and_the_fewest_chains(study_file, call):
    text = study_file.read_text()
    study_file.write_text(text.replace("[run]", '[run]\nquantities = ["mse", "bias", "growth"]'))
    _, out, _ = call("verify", study_file, "--plan")
    assert re.search(r"mse .* off by [\d.]+%", out)
    assert re.search(r"bias .* off by [\d.]+ \(standard deviations\)", out)
    assert re.search(r"drift .* nothing: no verdict with fewer than \d+", out)
    _, out, _ = call("verify", study_file, "--plan", "--chains", "9999")
    assert re.search(r"drift .* off by [\d.]+ \(\(observed - predicted\) / error\)", out)


def test_a_plan_runs_no_study(study_file, call, call_json):
    status, out, _ = call("verify", study_file, "--plan")
    assert status == 0
    assert "To verify at ±50% with power 90%" in out
    assert "256 chains for each condition (1 in all)" in out
    status, found = call_json("verify", study_file, "--plan", "--power", "0.99", "--chains", "999")
    assert status == 0
    assert found["chains"] == 999
    assert found["power"] == 0.99
    assert found["chains_needed"] == max(need["chains"] for need in found["needs"])
    assert {(n["law"], n["quantity"], n["cells"]) for n in found["needs"]} == {
        ("first_order", "mse", 12),
        ("finite_sample", "mse", 12),
    }
    assert found["seconds"] > 0
    assert found["memory_bytes"] is None or found["memory_bytes"] > 2**20


def test_a_plan_against_another_theory(study_file, call, call_json, tmp_path):
    """How likely is it that the law of a pipeline without its real feed is refuted?"""
    other = tmp_path / "other.toml"
    real = """[[network.feeds]]
from = "real"
to = "a"
samples = 100
"""
    other.write_text(study_file.read_text().replace(real, ""))
    asked = "verify", study_file, "--plan", "--theory", other
    for more, likely in ((), True), (("--chains", "100"), False):
        status, found = call_json(*asked, *more)
        assert status == 0
        for need in found["needs"]:
            assert 0.1 < need["chance"] <= 1
            assert (need["chance"] >= found["power"]) == (need["refuting"] <= found["chains"])
            assert (need["chance"] >= found["power"]) == likely
            assert 32 <= need["refuting"] < 512
    status, out, _ = call(*asked)
    assert status == 0
    assert "chance that 256" in out
    assert "chains to refute" in out
    status, found = call_json("verify", study_file, "--plan")
    assert {need["chance"] for need in found["needs"]} == {None}
    status, _, err = call("verify", study_file, "--plan", "--theory", tmp_path / "none.toml")
    assert status == 2
    assert "none.toml" in err


def test_until_decided(study_file, call_json, call):
    status, found = call_json("verify", study_file, "--until-decided", "--chains", "4096")
    assert (status, found["verdict"]) == (0, "verified")
    assert max(cell["chains"] for cell in found["cells"]) < 4096
    assert found["waiting"] == []
    assert call("verify", "--builtin", "every-3", "--until-decided")[0] == 2


def test_a_plan_for_no_study(call, tmp_path):
    status, _, err = call("verify", "--builtin", "every-3", "--plan")
    assert status == 2
    assert "--plan: is for a study" in err
    assert call("verify", "--plan", "--power", "1")[0] == 2
    for option in (["--out", tmp_path / "x"], ["--until-decided"], ["--without", "period"]):
        status, _, err = call("verify", "--plan", *option)
        assert status == 2
        assert f"{option[0]}: does nothing with --plan" in err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('quantities = ["mse", "grwth"]', "did you mean 'growth'"),
        ("quantities = []", "name at least"),
        ('quantities = "mse"', "is a text"),
    ],
)
def test_quantities_that_are_none(study_file, call, setting, words):
    study_file.write_text(STUDY.replace("[run]\n", f"[run]\n{setting}\n"))
    status, _, err = call("verify", study_file)
    assert status == 2
    assert "run.quantities" in err
    assert words in err
    assert err.count("\n") == 1
