"""``mcjax check``, and the commands that refuse what it refuses."""

import json

import pytest

LOSS = "def loss(theta, x, y):\n    return (y - x @ theta) ** 2\n"
SAMPLE = (
    "def sample(key, theta, x):\n    return x @ theta + jax.random.normal(key, dtype=x.dtype)\n"
)
HEAD = "import numpy as np\nimport jax\n"
NOISE = "def sample(key, theta, x):\n    return x @ theta + np.random.normal()\n"


@pytest.fixture
def own(tmp_path, study_file):
    """Write a family of one's own, and a study of it."""
    path = tmp_path / "mine.py"

    def write(code):
        path.write_text(HEAD + code)
        study_file.write_text(study_file.read_text().replace('name = "linear"', 'file = "mine.py"'))
        return path

    return write


@pytest.mark.system
def test_all_that_is_checked_of_a_study(own, study_file, call, call_json):
    own(LOSS + SAMPLE)
    status, found = call_json("check", study_file)
    assert status == 0
    assert all(check["passed"] for check in found["checks"])
    assert {tuple(check) for check in found["checks"]} == {("name", "passed", "message")}
    names = [check["name"] for check in found["checks"]]
    assert {"file", "loss", "sample", "randomness", "gradient", "curvature"} <= set(names)
    status, out, err = call("check", study_file)
    assert (status, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [["passed", f"{n}:"] for n in names]


def test_a_check_that_fails(own, study_file, call, call_json):
    path = own(LOSS + NOISE)
    status, found = call_json("check", study_file)
    assert status == 2
    assert [check["name"] for check in found["checks"] if not check["passed"]] == ["randomness"]
    status, out, err = call("check", study_file)
    assert (status, err.count("\n")) == (2, 1)
    assert "checks failed: randomness" in err
    assert "FAILED  randomness: family.sample: gives one label" in out
    for command in ("verify", "predict"):
        status, out, err = call(command, study_file)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert f"{study_file}: family.sample: gives one label for all keys ({path}:5)" in err


@pytest.mark.system
def test_what_functions_print_does_not_spoil_json(own, study_file, call):
    """Neither when the file is imported, nor when JAX traces or runs a function."""
    loud = SAMPLE.replace(
        "    return", "    print('traced')\n    jax.debug.print('run')\n    return"
    )
    own("print('imported')\n" + LOSS + loud)
    for command in (
        ["check"],
        ["predict"],
        ["laws"],
        ["verify", "--plan"],
        ["verify", "--chains", 64],
    ):
        _, out, err = call(command[0], study_file, *command[1:], "--json")
        assert json.loads(out), err


def test_a_python_file(own, call_json, tmp_path):
    path = own(LOSS + NOISE)
    status, found = call_json("check", path, "--theta", "0.5,-0.5")
    assert status == 2
    assert [check["passed"] for check in found["checks"]][-1] is False
    path = own("def loss(eta, y):\n    return eta\ndef sample(key, eta):\n    return 1 / 0\n")
    status, found = call_json("check", path, "--theta", "0.5")
    assert status == 2
    assert "ZeroDivisionError" in found["checks"][-1]["message"]


@pytest.mark.parametrize(
    ("loss", "sample", "blamed"),
    [
        ("theta, x", "key, theta, x", "loss(theta, x, y)"),
        ("theta, y", "key, theta, x", "loss(theta, x, y)"),
        ("theta, x, y", "key, theta", "sample(key, theta, x)"),
        ("theta", "key, theta, x", "loss(theta, x, y)"),
        ("eta", "key, eta", "loss(eta, y)"),
        ("eta, y", "key", "sample(key, eta)"),
        ("eta, y, x", "key, eta", "loss(eta, y)"),
    ],
)
def test_the_function_whose_arguments_are_wrong_is_blamed(loss, sample, blamed, own, call_json):
    label = "return jax.random.normal(key)"
    path = own(f"def loss({loss}):\n    return 0.0\ndef sample({sample}):\n    {label}\n")
    status, found = call_json("check", path, "--theta", "1,-1")
    assert status == 2
    check = found["checks"][-1]
    assert check["name"] == blamed.partition("(")[0]
    assert f"family.{check['name']}: is called with other arguments" in check["message"]
    assert f"define {blamed}" in check["message"]


@pytest.mark.parametrize("command", ["check", "verify", "diagnose"])
def test_python_code_in_place_of_a_study(command, call, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(HEAD + LOSS + SAMPLE)
    status, out, err = call(command, path)
    assert (status, err.count("\n")) == (2, 1)
    assert "holds Python code, and a study is TOML; save the code as FILE.py" in out + err


def test_a_file_without_the_functions(own, call_json):
    path = own(LOSS)
    status, found = call_json("check", path, "--theta", "1,1")
    assert status == 2
    [check] = found["checks"]
    assert check["name"] == "file"
    assert "sample: is missing" in check["message"]


@pytest.mark.parametrize("theta", [[], ["--theta", "1"]])
@pytest.mark.parametrize(("code", "fault"), [("\n", "is empty"), ("x = 3\n", "defines no model")])
def test_a_file_of_nothing_is_told_what_it_needs(code, fault, theta, tmp_path, call_json):
    path = tmp_path / "mine.py"
    path.write_text(code)
    status, found = call_json("check", path, *theta)
    assert status == 2
    assert found["checks"][0]["message"] == (
        f"{path}: {fault}; define loss(theta, x, y) and sample(key, theta, x), or, of a generator,"
        " init, fit, sample, measure and real"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mine.py"], "--theta: is missing"),
        (["mine.py", "--theta", "x"], "--theta: is 'x'; give numbers"),
        (["study.toml", "--theta", "1"], "--theta: is for code in a file whose name ends in .py"),
        (["none.toml"], "does not exist"),
    ],
)
def test_usage(arguments, words, own, call, tmp_path, monkeypatch):
    own(LOSS + SAMPLE)
    monkeypatch.chdir(tmp_path)
    status, out, err = call("check", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_built_in_model_and_a_law(study_file, call_json, tmp_path):
    status, found = call_json("check", study_file)
    assert (status, len(found["checks"])) == (0, 2)
    assert "nothing of your own" in found["checks"][1]["message"]
    law = tmp_path / "mine.py"
    law.write_text("def law(condition, generations):\n    condition.theta[0] = 3\n")
    status, found = call_json("check", study_file, "--law", law)
    assert status == 2
    [*_, check] = found["checks"]
    assert (check["name"], check["passed"]) == ("law.mine", False)
    assert f"({law}:2); what mcjax hands over does not change" in check["message"]
