"""Studies whose grid varies dotted fields: names of conditions find them in every command."""

import pytest
from sample_study import STUDY

pytestmark = pytest.mark.system

GRID = """
[grid]
network.feeds.2.samples = [150, 200]
"family.theta" = [[0.5, -0.5], [1.0, 1.0]]
"""
NAMES = [
    f"family.theta={theta}, network.feeds.2.samples={samples}"
    for theta in ([0.5, -0.5], [1.0, 1.0])
    for samples in (150, 200)
]


@pytest.fixture
def grid_file(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(STUDY + GRID)
    return path


def test_verdicts_and_replays_by_name(grid_file, tmp_path, call, call_json):
    out = tmp_path / "results"
    status, found = call_json("verify", grid_file, "--quiet", "--out", out)
    assert status == 0
    assert list(dict.fromkeys(cell["condition"] for cell in found["cells"])) == NAMES
    rows = {}
    for name in NAMES:
        status, replayed = call_json("replay", out, "--condition", name, "--chain", 3)
        assert (status, replayed["condition"]) == (0, name)
        rows[name] = [fit["theta"] for fit in replayed["generations"]]
        status, table, _ = call("replay", out, "--condition", name, "--chain", 3)
        assert (status, table.count(name)) == (0, 1)
    assert len(set(map(str, rows.values()))) == 4
    other = NAMES[0].replace("150", "160")
    status, _, err = call("replay", out, "--condition", other, "--chain", 3)
    assert (status, err.count("\n")) == (2, 1)
    assert f"did you mean {NAMES[0]!r}?" in err.replace('"', "'")
    grid_file.write_text(STUDY + GRID.replace("150", "160"))  # is another study
    status, _, err = call("verify", grid_file, "--out", out)
    assert (status, err.count("\n")) == (2, 1)
    assert "another study" in err


def test_theories_are_matched_by_name(grid_file, tmp_path, call, call_json):
    theory = tmp_path / "theory.toml"
    theory.write_text(grid_file.read_text().replace("samples = 100", "samples = 10"))
    assert call("verify", grid_file, "--quiet", "--theory", theory)[0] == 1
    status, found = call_json("verify", grid_file, "--plan", "--theory", theory)
    assert status == 0
    assert [program["conditions"] for program in found["programs"]] == [4]
    theory.write_text(STUDY + GRID.replace("150", "160"))
    status, _, err = call("verify", grid_file, "--quiet", "--theory", theory)
    assert (status, err.count("\n")) == (2, 1)
    assert f"{theory}: theory: lacks the conditions '" in err
    assert ", which the study lacks; give both the same conditions, in one order" in err


def test_predictions_show_the_names(grid_file, call):
    status, out, _ = call("predict", grid_file)
    assert status == 0
    for name in NAMES:
        assert name in " ".join(out.split())


def test_a_field_that_cannot_vary_is_bad_input(grid_file, call):
    grid_file.write_text(STUDY + '[grid]\n"run.chains" = [128, 256]\n')
    status, out, err = call("verify", grid_file)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"mcjax: {grid_file}: grid.run.chains: cannot vary: ")
