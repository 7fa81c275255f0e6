"""``mcjax design``: what it prints and writes, and how it refuses what it cannot do."""

import json
import re
import subprocess
import sys
import tomllib

import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.study.identity import identity
from mcjax.study.load import load_survey

NETWORK = """
[network]
models = ["loop", "reader"]
initial = 100
feeds = [
    { from = "loop", to = "loop", samples = 100 },
    { from = "loop", to = "reader", samples = 100 },
]
"""
FAMILY = """
[family]
name = "linear"
theta = [0.5, -0.5]
[run]
generations = 5
chains = 64
"""
DESIGN = "\n[design]\nbudget = 100\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="study.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_json_has_what_scripts_read(call_json, file):
    status, answer = call_json("design", file(NETWORK + DESIGN))
    assert status == 0
    objective = answer["objective"]
    assert objective["before"] is None
    assert objective["bound"] == pytest.approx(objective["after"], rel=1e-9)
    assert answer["certified"]
    assert set(answer["real"]) == set(answer["mse"]) == {"loop", "reader"}
    loop = answer["real"]["loop"]
    assert (loop["before"], loop["rows"]) == (0, 76)
    assert loop["after"] == loop["cost"] == pytest.approx(76.12758, abs=1e-5)
    assert answer["mse"]["loop"]["after"] == pytest.approx(0.0083787, rel=1e-4)
    assert answer["cures"] == [{"from": "real", "to": "loop", "cost": 1.0}]
    assert answer["robust"] == {
        "asked": None,
        "feeds": [],
        "price": 0,
        "holds": {"added": True, "real": False, "any": False},
        "lost": [{"from": "real", "to": "loop"}],
        "added": [],
    }


def test_text_shows_rows_and_errors(call, file):
    status, out, err = call("design", file(NETWORK + DESIGN))
    assert status == 0
    assert err == "read: 2 models, 2 feeds, real data to none\n"
    assert re.search(r"loop +0 +76.128 +76 +grows +0.0083787", out)
    assert "No allocation does better" in out


def test_a_written_study_has_the_whole_rows_and_all_else(call, file, tmp_path):
    path, target = file(NETWORK + FAMILY + DESIGN), tmp_path / "after.toml"
    for _ in range(2):  # what was written here may be written again
        assert call("design", path, "--write", target)[0] == 0
    study, after = mcjax.load_study(path), mcjax.load_study(target)
    assert (after.generations, after.chains) == (study.generations, study.chains)
    [condition] = after.conditions
    real = {f.reader: f.samples for f in condition.network.feeds if f.origin == "real"}
    assert real == {"loop": 76, "reader": 24}
    models = [f for f in condition.network.feeds if f.origin != "real"]
    assert models == list(study.conditions[0].network.feeds)


def test_a_written_topology_has_feeds_one_by_one(call, file, tmp_path):
    text = (
        '[network]\ntopology = "ring"\nmodels = 3\nsamples = 50\ninitial = 40\ndraws = "shared"\n'
    )
    target = tmp_path / "after.toml"
    assert call("design", file(text + DESIGN), "--write", target)[0] == 0
    _, out, _ = call("diagnose", target, "--json")
    assert json.loads(out)["collapses"] is False


def test_a_written_study_has_feeds_in_place_of_one_network_that_stays(call, file, tmp_path):
    file(NETWORK, "day.toml")
    text = '[network]\nmodels = ["loop", "reader"]\ninitial = 100\n'
    switching = '[network.switching]\nnetworks = ["day.toml"]\n'
    target = tmp_path / "after.toml"
    assert call("design", file(text + switching + DESIGN), "--write", target)[0] == 0
    _, out, _ = call("diagnose", target, "--json")
    assert json.loads(out)["collapses"] is False


def test_files_of_others_are_not_written_over(call, file):
    path = file(NETWORK + DESIGN)
    for target in (path, file("mine", "other.toml")):
        before = target.read_text()
        status, _, err = call("design", path, "--write", target)
        assert (status, err.count("\n")) == (2, 2)
        assert "--write: is there" in err
        assert target.read_text() == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/dev/full", "is there, and was not written by mcjax design; name another file"),
        ("/dev/zero", "is there, and was not written by mcjax design; name another file"),
        (".", "is a directory; name another file"),
        ("", "is a directory; name another file"),
        ("x" * 300, "cannot be written: File name too long; make room or name another file"),
        ("nowhere/after.toml", "cannot be written, as its folder does not exist"),
        ("-", "is '-', and a study is written to a file only; name a file"),
    ],
)
def test_what_is_no_file_is_not_written(call, file, tmp_path, monkeypatch, target, words):
    monkeypatch.chdir(tmp_path)
    status, out, err = call("design", file(NETWORK + DESIGN), "--write", target)
    assert (status, out) == (2, "")
    assert f"--write: {words}" in err.splitlines()[-1]
    assert not (tmp_path / "-").exists()


def test_a_long_first_line_is_read_no_further_than_it_matters(file, call, tmp_path):
    target = file("# Written by mcjax design." + "x" * 10**6, "other.toml")
    assert call("design", file(NETWORK + DESIGN), "--write", target)[0] == 2


def test_a_study_that_names_files_is_written_beside_them(call, file, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    family = '[family]\nfile = "mine.py"\ntheta = [1.0]\n'
    path = file(NETWORK + family + DESIGN)
    status, _, err = call("design", path, "--write", tmp_path / "elsewhere" / "after.toml")
    assert status == 2
    assert "beside" in err


def test_other_commands_leave_the_table_out(call, file):
    plain, asked = file(NETWORK + FAMILY, "plain.toml"), file(NETWORK + FAMILY + DESIGN)
    assert identity(mcjax.load_study(plain)) == identity(mcjax.load_study(asked))
    assert call("diagnose", plain)[1] == call("diagnose", asked)[1]


def test_unequal_weights_have_no_bound(call_json, call, file):
    path = file(NETWORK.replace("samples = 100 }", "samples = 100, weight = 0.5 }") + DESIGN)
    status, answer = call_json("design", path)
    assert status == 0
    assert not answer["certified"]
    assert answer["objective"]["bound"] is None
    assert "weights of 'loop', 'reader'" in answer["doubt"]
    assert "local optimum" in call("design", path)[1]


def test_few_rows_of_regressions_explode_by_the_exact_law(call_json, file):
    rows = NETWORK.replace("samples = 100", "samples = 11")
    family = FAMILY.replace("[0.5, -0.5]", str([0.5] * 10))
    status, answer = call_json("design", file(f"{rows}{family}\n[design]\nbudget = 4\n"))
    assert status == 0
    assert "loop" in answer["explodes"]


FAULTS = {
    "no table": (NETWORK, "", "design: is missing"),
    "nothing asked": (NETWORK, "costs = 2", "design.budget: is missing"),
    "both": (NETWORK, "budget = 10\ntargets = 0.1", "design.budget: and targets exclude"),
    "zero": (NETWORK, "budget = 0", "design.budget: is 0"),
    "not finite": (NETWORK, "budget = nan", "design.budget: is nan"),
    "too much": (
        NETWORK,
        "budget = 1e300",
        "design.budget: is 1e+300; give a positive number up to",
    ),
    "text": (NETWORK, 'budget = "much"', "design.budget: is a text; give a number"),
    "field": (NETWORK, "budget = 10\nsizes = 3", "design.sizes: is not a field"),
    "model": (NETWORK, "budget = 10\ncosts = { lop = 2 }", "design.costs.lop: is no model"),
    "cost": (NETWORK, "budget = 10\ncosts = { loop = 0 }", "design.costs: has a number"),
    "word": (NETWORK, 'budget = 10\nobjective = "men"', "design.objective: is 'men'"),
    "weights": (NETWORK, "budget = 10\nobjective = { loop = -1 }", "design.objective: has"),
    "no weight": (NETWORK, "budget = 10\nobjective = {}", "design.objective: has"),
    "targets and objective": (NETWORK, 'targets = 1\nobjective = "max"', "design.objective: and"),
    "negative rows": (NETWORK, "budget = 10\nat_least = -1", "design.at_least: "),
    "part of a row": (NETWORK, "budget = 10\nat_least = 1.5", "design.at_least: "),
    "bounds": (NETWORK, "budget = 10\nat_least = 5\nat_most = 4", "design.at_most: asks for 4"),
    "dear bounds": (NETWORK, "budget = 10\nat_least = 6", "design.budget: is 10, and the rows"),
    "no cure": (
        NETWORK,
        "budget = 3\ncosts = 4",
        "design.budget: is 3, which does not end all collapse; a real row for 'loop' does, and"
        " makes the cost 4",
    ),
    "closed": (NETWORK, "budget = 9\nat_most = { loop = 0 }", "design.at_most: leaves 'loop'"),
    "target": (NETWORK, "targets = -0.1", "design.targets: has a number"),
    "odd target": (NETWORK, "targets = { loop = nan, reader = 1 }", "design.targets: has a number"),
    "no target": (NETWORK, "targets = {}", "design.targets: is for no model"),
    "out of reach": (
        NETWORK,
        "targets = 0.001\nat_most = 50",
        "design.targets.loop: is 0.001, and the model has this error with all rows of at_most,",
    ),
    "frozen": (
        NETWORK.replace('to = "loop"', 'to = "reader"').replace('from = "loop"', 'from = "reader"'),
        "targets = { loop = 0.001 }",
        "design.targets.loop: is 0.001, and the model is frozen, 0.01",
    ),
    "memory": (NETWORK + 'memory = "accumulate"', "budget = 10", "network.memory: is 'accum"),
    "schedule": (
        NETWORK.replace("samples = 100", "samples = 100, every = 2"),
        "budget = 10",
        "network.feeds: change with time",
    ),
    "growth": (NETWORK + "growth = 0.5", "budget = 10", "network.feeds: change with time"),
    "reused": (NETWORK + 'real = "reused"', "budget = 10", "network.real: is 'reused'"),
    "other truth": (
        NETWORK + 'sources = [{ name = "forum", theta = [1.0] }]',
        "budget = 10",
        "network: has data that are of several laws",
    ),
    "penalty": (
        NETWORK + '[family]\nname = "linear"\ntheta = [1.0]\npenalty = { ridge = 0.1 }',
        "budget = 10",
        "network: has data that are of several laws, or penalised",
    ),
    "steps": (
        NETWORK + '[estimator]\nname = "sgd"\nlearning_rate = 0.1\nsteps = 9\nstart = "own"',
        "budget = 10",
        "estimator: takes steps from a start",
    ),
    "many": (
        '[network]\ntopology = "ring"\nmodels = 200\nsamples = 9\ninitial = 9',
        "targets = 0.1",
        "network.models: are 200, and such a design takes at most 100",
    ),
    "survey": ("[survey]\nmodels = 3", "budget = 10", "network: is missing"),
}


@pytest.mark.parametrize("case", list(FAULTS))
def test_what_cannot_be_designed_is_one_sentence(case, call, file):
    text, design, fault = FAULTS[case]
    path = file(f"{text}\n[design]\n{design}\n" if design else text)
    status, out, err = call("design", path)
    assert (status, out) == (2, "")
    sentence = err.splitlines()[-1]
    assert sentence.startswith(f"mcjax: {path}: {fault}")
    assert "Traceback" not in err


def test_a_design_has_no_place_in_a_grid_or_a_survey(file):
    varied = NETWORK + FAMILY + DESIGN + '[grid]\n"design.budget" = [1, 2]\n'
    with pytest.raises(InputError, match=r"grid.design.budget: cannot vary"):
        mcjax.load_study(file(varied))
    with pytest.raises(InputError, match=r"design: and \[survey\] exclude each other"):
        load_survey(file("[survey]\nmodels = 3" + DESIGN))


def test_design_imports_no_jax(file):
    code = (
        "import sys; from mcjax.cli import main; sys.argv = ['mcjax', 'design', sys.argv[1]]\n"
        "try: main.run()\n"
        "except SystemExit: pass\n"
        "assert not {'jax', 'matplotlib', 'optax', 'xarray', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(file(NETWORK + DESIGN))], check=True)


def test_shares_are_written_as_samples(call, tmp_path):
    """The rows that shares are of would be refused beside feeds with samples."""
    share = '{ from = "a", to = "a", share = 0.9 }, { from = "real", to = "a", share = 0.1 }'
    network = f'[network]\nmodels = ["a"]\ninitial = 100\nrows = 100\nfeeds = [{share}]\n'
    path, written = tmp_path / "shares.toml", tmp_path / "written.toml"
    path.write_text(network + "[design]\nbudget = 20\n")
    assert call("design", path, "--write", written)[0] == 0
    status, _, err = call("diagnose", written)
    assert (status, err) == (0, "read: 1 model, 2 feeds, real data to 1\n")
    assert "rows" not in tomllib.loads(written.read_text())["network"]
