"""What is no study file is refused with the place of the fault."""

import pytest

from mcjax.errors import InputError
from mcjax.study.schema import parse_tables, read_tables, to_study

GOOD = """
[network]
models = ["a"]
initial = 100
feeds = [
  { from = "a", to = "a", samples = 50 },
  { from = "real", to = "a", samples = 50, weight = 2 },
]
"""

REFUSED = {
    "unknown table": (GOOD + "[famly]", "famly", "did you mean 'family'"),
    "unknown table, like none": (GOOD + "[xyz]", "xyz", "known are network, data_mediated, family"),
    "unknown key": ("[network]\ninital = 3", "network.inital", "did you mean 'initial'"),
    "unknown key of run": (GOOD + "[run]\nchians = 3", "run.chians", "did you mean 'chains'"),
    "unknown key of grid": (GOOD + "[grid]\nscales = [1]", "grid.scales", "did you mean 'scale'"),
    "unknown key of covariates": (
        GOOD + "[covariates]\ncovariance = [[1.0]]\nmean = [0.0]",
        "covariates.mean",
        "known are covariance",
    ),
    "unknown key of the second feed": (
        GOOD.replace("weight", "wieght"),
        "network.feeds[1].wieght",
        "did you mean 'weight'",
    ),
    "key of a feed by its Python name": (
        GOOD.replace('from = "real"', 'origin = "real"'),
        "network.feeds[1].origin",
        "known are from, to, samples, share, weight",
    ),
    "missing key": ('[network]\nmodels = ["a"]', "network.initial", "is missing"),
    "missing key of a feed": (
        GOOD.replace('from = "real", ', ""),
        "network.feeds[1].from",
        "is missing",
    ),
    "text covariance": (
        GOOD + '[covariates]\ncovariance = "I"',
        "covariates.covariance",
        "is a text",
    ),
    "text": (GOOD + '[run]\nchains = "64"', "run.chains", "is a text; give a whole number"),
    "bool": (GOOD + "[run]\nchains = true", "run.chains", "is true or false; give a whole number"),
    "fraction": (
        GOOD + "[run]\ngenerations = 1.5",
        "run.generations",
        "is a number; give a whole number",
    ),
    "date": (GOOD + "[run]\nprecision = 2020-01-01", "run.precision", "give a text"),
    "number for text": (
        GOOD.replace('"real"', "3"),
        "network.feeds[1].from",
        "is a whole number; give a text",
    ),
    "table for a list": (GOOD + "[grid]\nscale = {}", "grid.scale", "a list"),
    "list for a table": (GOOD + "run = []", "network.run", "not a field"),
    "value for a table": ("network = 3", "network", "is a whole number; give a table"),
    "list of tables for a table": (GOOD + "[[run]]\nchains = 5", "run", "is a list; give a table"),
    "initial by name": (
        GOOD.replace("initial = 100", "initial = { a = 0 }"),
        "network.initial",
        "a whole number >= 1",
    ),
    "count of 0": (
        GOOD.replace("samples = 50 }", "samples = 0 }"),
        "network.feeds[0].samples",
        "1",
    ),
    "count too large": (
        GOOD.replace("= 100", "= 9223372036854775808"),
        "network.initial",
        "9223372",
    ),
    "huge": (GOOD + "[run]\nchains = 1" + "0" * 400, "run.chains", "a whole number <= 4294967295"),
    "one chain": (GOOD + "[run]\nchains = 1", "run.chains", "a whole number >= 2"),
    "no generation": (GOOD + "[run]\ngenerations = -1", "run.generations", "a whole number >= 0"),
    "no chunk": (GOOD + "[run]\nchunk = 0", "run.chunk", "a whole number >= 1"),
    "tolerance of 0": (GOOD + "[run]\ntolerance = 0", "run.tolerance", "> 0"),
    "tolerance of 1": (GOOD + "[run]\ntolerance = 1.0", "run.tolerance", "< 1"),
    "confidence of 1": (GOOD + "[run]\nconfidence = 1", "run.confidence", "< 1"),
    "seed below 0": (GOOD + "[run]\nseed = -1", "run.seed", "a whole number >= 0"),
    "empty sweep": (GOOD + "[grid]\nseed = []", "grid.seed", "length >= 1"),
    "seed in a sweep": (GOOD + "[grid]\nseed = [0, 1, -1]", "grid.seed[2]", "a whole number >= 0"),
    "entry of a matrix": (
        GOOD + '[covariates]\ncovariance = [[1.0, "x"]]',
        "covariates.covariance[0][1]",
        "is a text; give a number",
    ),
}


def test_a_good_file():
    """The companion: unspoilt, it is read, and whole numbers do for fractions."""
    content = to_study(parse_tables(GOOD + "[grid]\nscale = [1, 0.5]", "f.toml"), "f.toml")
    assert [f.weight for f in content.network.feeds] == [1.0, 2.0]
    assert [f.origin for f in content.network.feeds] == ["a", "real"]
    assert content.grid.scale == [1.0, 0.5]
    assert content.family is None
    assert content.run.chains == 4096


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    text, field, says = REFUSED[name]
    with pytest.raises(InputError) as caught:
        to_study(parse_tables(text, "f.toml"), "f.toml")
    error = caught.value
    assert (error.file, error.field) == ("f.toml", field)
    assert says in error.message
    assert str(error) == f"f.toml: {field}: {error.message}"
    assert "`" not in str(error)
    assert "$" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "[network",
        "initial = ",
        GOOD + GOOD,
        "[network]\ninitial = 1\ninitial = 2",
        "\x00",
        pytest.param("a = " + "[" * 3000 + "]" * 3000, id="nested too deeply"),
    ],
)
def test_not_toml(text):
    with pytest.raises(InputError, match="is not TOML") as caught:
        to_study(parse_tables(text, "f.toml"), "f.toml")
    assert caught.value.file == "f.toml"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n"])
def test_empty(text):
    with pytest.raises(InputError, match="is empty"):
        to_study(parse_tables(text, "f.toml"), "f.toml")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.toml", "does not exist"),
        ("nowhere/none.toml", "does not exist"),
        (".", "is a directory"),
        ("bytes.toml", "not text in UTF-8"),
        ("bytes.toml/none.toml", ""),
        pytest.param("a" * 300, "", id="a name too long"),
        pytest.param("a\0b.toml", "", id="a name with a zero byte"),
    ],
)
def test_files_that_cannot_be_read(name, says, tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        read_tables(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)
    assert says in caught.value.message


def test_text_in_utf8(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('[network]\nmodels = ["θ"]\r\ninitial = 3\r\n', encoding="utf-8")
    assert read_tables(path)["network"]["models"] == ["θ"]
