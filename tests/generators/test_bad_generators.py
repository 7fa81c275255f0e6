"""What is wrong with a generator, or with its study, is one sentence with a remedy."""

import re
import sys

import pytest

from mcjax.cli import main

GOOD = """
import jax
import numpy as np

def init(key):
    return 0.0

def fit(key, params, rows):
    return rows.mean()

def sample(key, params, n):
    return params + jax.random.normal(key, (n,))

def measure(key, params, rows):
    return {"mean": params}

def real(key, n):
    return jax.random.normal(key, (n,))
"""
NETWORK = """
[network]
models = ["a"]
initial = 20
feeds = [{ from = "a", to = "a", samples = 20 }]
"""
STUDY = '[family]\nfile = "mine.py"\n[run]\ngenerations = 4\nchains = 4\n'
CODE = {
    "no measure": ("def measure", "def measured", r"measure: is missing; define measure\(key"),
    "no real": ("def real", "def unreal", "real: is missing; define real"),
    "real of nothing": (
        "def real(key, n):\n    return jax.random.normal(key, (n,))",
        "real = []",
        "family.real: is list; give real",
    ),
    "show": ("def real", "show = 3\n\ndef real", "family.show: is not a function"),
    "a picture of nothing": (
        "def real",
        "def show(rows):\n    return rows[0]\n\ndef real",
        r"family.show: returned float64\[\] for 2 rows .*mine.py.*; let show\(rows\) return",
    ),
    "expectations of nothing": (
        "def real",
        "def expected(key, params, n):\n    return params\n\ndef real",
        r"family.expected: is for show, which is missing; define show\(rows\)",
    ),
    "expectations without rows": (
        "def real",
        "def show(rows):\n    return rows\n\n"
        "def expected(key, params, n):\n    return params\n\ndef real",
        "family.expected: returned .* for 2 rows.*mine.py.*; return arrays with 2 rows each",
    ),
    "arguments": ("def fit(key, params, rows)", "def fit(rows)", r"takes: .*; define fit\(key"),
    "an error": ("rows.mean()", "rows.sum() / nothing", r"family.fit: failed with NameError.*mine"),
    "no rows": ("rows.mean()", "params", "family.fit: does not depend on rows"),
    "no key": ("+ jax.random.normal(key, (n,))", "+ np.zeros(n)", "does not depend on key"),
    "no params": ("return params + ", "return 1.0 + ", "does not depend on params"),
    "numpy's numbers": (
        "params + jax.random.normal(key, (n,))",
        "params + jax.random.normal(key, (n,)) + np.random.random()",
        "not the same at every call",
    ),
    "numpy's numbers in init": ("return 0.0", "return np.random.random()", "family.init: uses"),
    "numpy's numbers in fit": (
        "return rows.mean()",
        "return rows.mean() + np.random.random()",
        "family.fit: uses a number that is not the same at every call",
    ),
    "numpy's numbers in a measure": (
        '{"mean": params}',
        '{"mean": params + np.random.random()}',
        "family.measure: uses a number that is not the same at every call",
    ),
    "numpy's numbers in real": (
        "normal(key, (n,))\n",
        "normal(key, (n,)) + np.random.random()\n",
        "not the same at every call",
    ),
    "real that is not finite": (
        "def real(key, n):\n    return jax.random.normal(key, (n,))",
        "real = np.array([1.0, np.nan])",
        "family.real: has values that are not finite",
    ),
    "a name twice": (
        '{"mean": params}',
        '{"mean": params[None], "mean[0]": params}',
        r"returned 'mean\[0\]' twice",
    ),
    "too few rows": (
        "normal(key, (n,))\n\ndef meas",
        "normal(key, (n - 1,))\n\ndef meas",
        "20 rows",
    ),
    "other rows": (
        "return params + jax.random.normal(key, (n,))",
        "return params + jax.random.normal(key, (n, 2))",
        "and real rows are float64",
    ),
    "no dictionary": ('{"mean": params}', "params", "return a dict of numbers by name"),
    "a text": (
        "return rows.mean()",
        "return 'model'",
        r"family.fit: returned str \(.*mine.py:\d+\);",
    ),
    "texts": (
        "normal(key, (n,))\n\ndef meas",
        "normal(key, (n,)), 'x'\n\ndef meas",
        "returned str",
    ),
    "names of several types": (
        '{"mean": params}',
        '{1: params, "a": params}',
        r"family.measure: returned a dictionary with keys of several types \(.*mine.py:\d+\); make",
    ),
    "a matrix": ('{"mean": params}', '{"mean": rows[:, None]}', "a vector of numbers"),
}
FIELDS = {
    "theta": (
        'file = "mine.py"',
        'file = "mine.py"\ntheta = [1.0]',
        "theta: is not a field",
    ),
    "steps": ("[run]", "[estimator]\nsteps = 3\n[run]", "estimator.steps: is not a field"),
    "start": ("[run]", '[estimator]\nstart = "ow"\n[run]', "did you mean 'own'"),
    "precision": (
        "chains = 4",
        'chains = 4\nprecision = "float32"',
        "precision: has no meaning",
    ),
    "data": ("[run]", '[data]\nfile = "x.csv"\n[run]', "data: is for statistical models"),
    "covariates": ("[run]", "[covariates]\n[run]", "covariates: is for statistical models"),
    "no file": ("mine.py", "other.py", "family.file"),
}
FEEDS = {
    "a weight": ("samples = 20", "samples = 20, weight = 2.0", "knows nothing"),
    "a selection": ("samples = 20", "samples = 20, keep = { flip = 0.1 }", "keep; leave it out"),
    "memory": ("initial = 20", 'initial = 20\nmemory = "accumulate"', "take memory 'replace'"),
    "a chance": ("samples = 20", "samples = 20, probability = 0.5", "leave out their prob"),
    "a source": (
        "feeds",
        'sources = [{ name = "s", theta = [1.0] }]\nfeeds',
        "not: 's'; give it sources",
    ),
}
COMMANDS = {
    "predict": (["predict", "study.toml"], "defines a generator"),
    "law": (["verify", "study.toml", "--law", "second_order"], "--law: is for statistical models"),
    "path": (["verify", "study.toml", "--path", "reference"], "--path: is for statistical models"),
}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command on files, and returns the sentence with status 2."""
    monkeypatch.chdir(tmp_path)

    def run(code=GOOD, network=NETWORK, study=STUDY, command=("verify", "study.toml", "--quiet")):
        (tmp_path / "mine.py").write_text(code)
        (tmp_path / "study.toml").write_text(network + study)
        monkeypatch.setattr(sys, "argv", ["mcjax", *command])
        with pytest.raises(SystemExit) as ended:
            main.run()
        printed = capsys.readouterr()
        assert ended.value.code == 2, printed
        assert not printed.out
        [line] = printed.err.strip().splitlines()
        return line

    return run


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize("case", CODE)
def test_code(case, refused):
    old, new, expected = CODE[case]
    assert re.search(expected, refused(code=changed(GOOD, old, new)))


@pytest.mark.parametrize("case", FIELDS)
def test_study_files(case, refused):
    old, new, expected = FIELDS[case]
    assert re.search(expected, refused(study=changed(STUDY, old, new)))


@pytest.mark.parametrize("case", FEEDS)
def test_networks(case, refused):
    old, new, expected = FEEDS[case]
    assert re.search(expected, refused(network=changed(NETWORK, old, new)))


@pytest.mark.parametrize("case", COMMANDS)
def test_commands(case, refused):
    command, expected = COMMANDS[case]
    assert re.search(expected, refused(command=command))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vae-digit", r"did you mean 'vae-digits'\?"),
        ("lm_docs", r"did you mean 'lm-docs'\?"),
        ("linar", "is 'linar', not one of linear"),
    ],
)
def test_near_names(name, expected, refused):
    study = changed(STUDY, 'file = "mine.py"', f'name = "{name}"')
    assert re.search(f"family.name: .*{expected}", refused(study=study))


def test_fits_from_their_own_parameters_return_what_they_begin_with(refused):
    code = changed(GOOD, "return rows.mean()", "return (params, rows.mean())")
    code = changed(code, "params + jax", "jax.tree.leaves(params)[-1] + jax")
    code = changed(code, '{"mean": params}', '{"mean": rows.mean()}')
    study = changed(STUDY, "[run]", '[estimator]\nstart = "own"\n[run]')
    assert "return parameters arranged like those" in refused(code=code, study=study)
