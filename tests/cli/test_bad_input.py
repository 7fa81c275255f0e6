"""Bad input: one sentence with file and field, exit status 2, no traceback, nothing lost."""

import pytest
from sample_study import STUDY

SPOILT = {
    "not TOML": (STUDY.replace("[network]", "[network"), "not TOML"),
    "empty": ("", "is empty"),
    "misspelt key": (STUDY.replace("initial", "inital"), "network.inital"),
    "misspelt table": (STUDY.replace("[family]", "[famly]"), "did you mean 'family'"),
    "misspelt family": (STUDY.replace('"linear"', '"linaer"'), "did you mean 'linear'"),
    "misspelt parameter": (STUDY.replace("theta =", "sgima = 2.0\ntheta ="), "family.sgima"),
    "family without words": (STUDY.replace('"linear"', "[]"), "family.name"),
    "unknown model": (STUDY.replace('to = "b"', 'to = "d"'), "network.feeds[2].to"),
    "unknown origin": (STUDY.replace('from = "real"', 'from = "rael"'), "did you mean 'real'"),
    "negative": (STUDY.replace("samples = 200", "samples = -200"), "network.feeds[2].samples"),
    "zero": (STUDY.replace("initial = 200", "initial = 0"), "network.initial"),
    "fractional": (STUDY.replace("initial = 200", "initial = 200.5"), "network.initial"),
    "text for a number": (STUDY.replace("chains = 256", 'chains = "256"'), "run.chains"),
    "truth for a number": (STUDY.replace("chains = 256", "chains = true"), "run.chains"),
    "NaN weight": (STUDY.replace("weight = 1.0", "weight = nan"), "network.feeds[2].weight"),
    "infinite weight": (STUDY.replace("weight = 1.0", "weight = inf"), "network.feeds[2].weight"),
    "zero weight": (STUDY.replace("weight = 1.0", "weight = 0.0"), "network.feeds[2].weight"),
    "NaN theta": (STUDY.replace("[0.5, -0.5]", "[0.5, nan]"), "family.theta"),
    "empty theta": (STUDY.replace("[0.5, -0.5]", "[]"), "family.theta"),
    "theta no list": (STUDY.replace("[0.5, -0.5]", "0.5"), "family.theta"),
    "huge number": (STUDY.replace("chains = 256", "chains = 1" + "0" * 30), "run.chains"),
    "duplicate model": (STUDY.replace('"c"]', '"a"]'), "network.models"),
    "weights of one feed": (
        STUDY.replace('from = "real"', 'weight = 2.0\nfrom = "a"'),
        "network.feeds[1].weight",
    ),
    "model named real": (STUDY.replace('"c"]', '"real"]'), "network.models"),
    "feed into real": (STUDY.replace('to = "b"', 'to = "real"'), "network.feeds[2].to"),
    "no models": (STUDY.replace('["a", "b", "c"]', "[]"), "network.models"),
    "p not below n": (STUDY.replace("[0.5, -0.5]", str([0.1] * 200)), "network.initial"),
    "p not below feeds": (
        STUDY.replace("[0.5, -0.5]", str([0.1] * 150)).replace("samples = 200", "samples = 150"),
        "network.feeds",
    ),
    "initial incomplete": (STUDY.replace("initial = 200", "initial = {a = 200}"), "model 'b'"),
    "tolerance": (STUDY.replace("tolerance = 0.5", "tolerance = 1.5"), "run.tolerance"),
    "confidence": (STUDY.replace("confidence = 0.99", "confidence = nan"), "run.confidence"),
    "seed": (STUDY.replace("seed = 0", "seed = -1"), "run.seed"),
    "precision": (STUDY + 'precision = "half"', "run.precision"),
    "memory": (
        STUDY.replace("initial = 200", 'initial = 200\nmemory = "subsampled"'),
        "did you mean 'subsample'",
    ),
    "memory that grows": (
        STUDY.replace("initial = 200", 'initial = 200\nmemory = "accumulate"\ngrowth = 1.0'),
        "network.growth: is for memory = 'replace'",
    ),
    "draws": (STUDY.replace("initial = 200", 'initial = 200\ndraws = "shard"'), "did you mean"),
    "shared counts": (
        STUDY.replace("initial = 200", 'initial = 200\ndraws = "shared"'),
        "network.feeds[2].samples",
    ),
    "reused counts": (
        STUDY.replace("initial = 200", 'initial = 200\nreal = "reused"'),
        "network.feeds[1].samples",
    ),
    "no family": (STUDY.replace("[family]", "[run.x]"), "run.x"),
    "no network": ('[family]\nname = "linear"\ntheta = [1.0]\n', "network"),
    "noise": (STUDY.replace('"linear"', '"huber"\nnoise = "cauchy"'), "family.noise"),
    "noise parameter": (
        STUDY.replace('"linear"', '"huber"\nnoise = { name = "student_t" }'),
        "family.noise.df",
    ),
    "sigma": (STUDY.replace('"linear"', '"linear"\nsigma = -1.0'), "family.sigma"),
    "asymmetric covariance": (
        STUDY + "[covariates]\ncovariance = [[1.0, 0.5], [0.4, 1.0]]",
        "covariates.covariance",
    ),
    "indefinite covariance": (
        STUDY + "[covariates]\ncovariance = [[1.0, 2.0], [2.0, 1.0]]",
        "covariates.covariance",
    ),
    "covariance of another size": (
        STUDY + "[covariates]\ncovariance = [[1.0]]",
        "covariates.covariance",
    ),
    "design": (STUDY + '[covariates]\ndesign = "fixd"', "covariates.design"),
    "scale": (STUDY + "[grid]\nscale = [0.001]", "grid.scale"),
    "scale twice": (STUDY + "[grid]\nscale = [1, 1]", "grid"),
    "user file missing": (STUDY.replace('name = "linear"', 'file = "none.py"'), "none.py"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_one_sentence(name, tmp_path, call):
    text, expected = SPOILT[name]
    path = tmp_path / "spoilt.toml"
    path.write_text(text)
    status, out, err = call("verify", path)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("mcjax: ")
    assert str(tmp_path) in err
    assert expected in err
    assert "Traceback" not in err


def test_the_whole_file_is_good(study_file, call):
    """The companion: unspoilt, it runs."""
    assert call("verify", study_file, "--quiet")[0] == 0


@pytest.mark.parametrize("command", ["diagnose", "predict", "verify"])
def test_no_such_file_and_a_directory(command, tmp_path, call):
    for path in (tmp_path / "none.toml", tmp_path):
        status, _, err = call(command, path)
        assert status == 2
        assert err.count("\n") == 1
        assert str(path) in err


def test_binary_file(tmp_path, call):
    path = tmp_path / "study.toml"
    path.write_bytes(bytes(range(256)))
    status, _, err = call("diagnose", path)
    assert (status, err.count("\n")) == (2, 1)


def test_usage_in_one_sentence(call):
    for words in (
        ("verify", "a", "\x1b[31mb"),
        ("verfy",),
        ("verify", "--chains", "x"),
        ("diagnose",),
    ):
        status, out, err = call(*words)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("mcjax: ")
        assert "--help`" in err
        assert "\x1b" not in err


def test_a_folder_for_figures_that_cannot_be_made(study_file, call, monkeypatch):
    """It is noticed before anything is simulated and drawn."""
    monkeypatch.setattr("mcjax.api.simulate", lambda *_: pytest.fail("simulated"))
    status, out, err = call("figures", "flip", "--out", study_file / "figures")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "name another" in err


@pytest.mark.parametrize("option", [("--builtin", ""), ("--plan", "--power", "nan")])
def test_values_that_are_none(option, call):
    status, out, err = call("verify", *option)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert option[-2] in err


def test_power_without_plan(study_file, call):
    status, _, err = call("verify", study_file, "--power", "0.9")
    assert (status, err.count("\n")) == (2, 1)
    assert "--power: is for --plan" in err


@pytest.mark.parametrize("chains", [2**32, 10**20])
def test_chains_that_have_no_number(chains, study_file, call):
    status, _, err = call("verify", study_file, "--quiet", "--chains", chains)
    assert (status, err.count("\n")) == (2, 1)
    assert f"run.chains: is {chains}; give at most 4294967295" in err


def test_rows_that_no_simulation_holds(study_file, call):
    """The laws still predict; only a simulation is out of reach."""
    many = study_file.read_text().replace("= 200", "= 15_000_000_000_000")
    study_file.write_text(many.replace('"linear"', '"logistic"'))
    assert call("predict", study_file)[0] == 0
    status, _, err = call("verify", study_file, "--quiet")
    assert (status, err.count("\n")) == (2, 1)
    assert "15,000,000,000,000 rows" in err


@pytest.mark.parametrize("error", [MemoryError("8 GiB"), RuntimeError("RESOURCE_EXHAUSTED: 9")])
def test_memory_that_is_not_there(error, study_file, call, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("mcjax.cli.diagnose.read_pipeline", fail)
    status, _, err = call("diagnose", study_file)
    assert (status, err.count("\n")) == (2, 1)
    assert "more memory" in err


def test_long_sentences_lose_their_middle(tmp_path, call):
    path = tmp_path / "study.toml"
    path.write_text(STUDY.replace('to = "b"', f'to = "{"y" * 50_000}"'))
    status, _, err = call("diagnose", path)
    assert (status, err.count("\n")) == (2, 1)
    assert len(err) < 1500
    assert str(path) in err


def test_usage(call):
    assert call("verfy")[0] == 2
    assert call("verify", "a", "b")[0] == 2
    assert call("verify", "--chains", "x")[0] == 2
    assert call("figures", "flop")[0] == 2


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def loss(theta, x, y): return 0.0", "sample"),
        ("sample = 3\nloss = 4", "not a function"),
        ("import nothing_of_the_kind", "nothing_of_the_kind"),
        ("def loss(:", "SyntaxError"),
    ],
)
def test_user_model_file(code, expected, tmp_path, study_file, call):
    (tmp_path / "mine.py").write_text(code)
    study_file.write_text(study_file.read_text().replace('name = "linear"', 'file = "mine.py"'))
    status, _, err = call("verify", study_file)
    assert (status, err.count("\n")) == (2, 1)
    assert "mine.py" in err
    assert expected in err


def test_results_of_another_study_are_not_touched(study_file, tmp_path, call):
    out = tmp_path / "results"
    assert call("verify", study_file, "--quiet", "--out", out)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    study_file.write_text(study_file.read_text().replace("seed = 0", "seed = 1"))
    status, _, err = call("verify", study_file, "--out", out)
    assert (status, err.count("\n")) == (2, 1)
    assert "another study" in err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_folder_with_other_things_is_not_used(study_file, tmp_path, call):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("dear diary")
    status, _, err = call("verify", study_file, "--out", tmp_path / "notes")
    assert (status, err.count("\n")) == (2, 1)
    assert call("verify", study_file, "--out", study_file)[0] == 2


BROKEN = {
    "loss that raises": ("return undefined_name", "return x @ theta", "family.loss"),
    "loss that exits": ("raise SystemExit(1)", "return x @ theta", "family.loss"),
    "loss of the wrong shape": ("return (y - x) ** 2", "return x @ theta", "family.loss"),
    "sample of the wrong shape": ("return (y - x @ theta) ** 2", "return x", "family.sample"),
    "parameter it does not take": ("return y", "return y", "sharpness"),
}


@pytest.mark.parametrize("command", ["predict", "verify"])
@pytest.mark.parametrize("name", BROKEN)
def test_user_model_that_breaks_when_called(name, command, tmp_path, study_file, call):
    loss, sample, expected = BROKEN[name]
    code = f"def loss(theta, x, y): {loss}\ndef sample(key, theta, x): {sample}\n"
    (tmp_path / "mine.py").write_text(code)
    spec = 'file = "mine.py"' + ("\nsharpness = 2.0" if expected == "sharpness" else "")
    study_file.write_text(study_file.read_text().replace('name = "linear"', spec))
    status, out, err = call(command, study_file)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert str(study_file) in err
    assert expected in err
