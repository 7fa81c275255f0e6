"""Several processes over loopback: one result, and the one that a single process finds."""

import json
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.system

STUDY = """
[network]
models = ["a", "b"]
initial = 40
feeds = [
    { from = "a", to = "a", samples = 20 },
    { from = "real", to = "a", samples = 20 },
    { from = "a", to = "b", samples = 40 },
]
[family]
name = "logistic"
theta = [0.5, -0.5]
[run]
generations = 3
chains = 1500
chunk = 256
tolerance = 0.5
[grid]
family = ["logistic", "linear"]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "mcjax", "verify", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def together(*runs):
    """Exit status, standard output and error of each of several processes with these arguments."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = [
        start(*run, "--distributed", f"localhost:{port},{k},{len(runs)}")
        for k, run in enumerate(runs)
    ]
    return [(process.returncode, out, err) for process in started for out, err in [finish(process)]]


def finish(process):
    return process.communicate(timeout=120)


def numbers(folder):
    with np.load(folder / "tallies.npz") as data:
        return {name: data[name] for name in data.files}


def test_two_processes_find_what_one_does(file, tmp_path):
    alone = start(file, "--json", "--quiet", "--out", tmp_path / "one")
    expected, _ = finish(alone)
    # two go on with what one began
    finish(start(file, "--quiet", "--out", tmp_path / "two", "--chains", "700"))
    run = (file, "--json", "--quiet", "--out", tmp_path / "two")
    (status, out, _), (other, nothing, _) = together(run, run)
    assert status == other == alone.returncode
    assert json.loads(out) == json.loads(expected)
    assert nothing == ""  # one speaks for all
    one, two = numbers(tmp_path / "one"), numbers(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(two[name], value)


def test_what_one_cannot_do_all_say(file, tmp_path):
    """An error of one process reaches the others, and different studies are no job."""
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "diary.txt").write_text("dear diary")
    other = tmp_path / "other.toml"
    other.write_text(STUDY.replace("samples = 40", "samples = 50"))
    for runs, words in (
        ([(file, "--out", taken)] * 2, "is not empty; name a new folder"),
        ([(file,), (other,)], "has processes with different studies or settings; give all"),
        ([(file,), (file, "--until-decided")], "has processes with different studies or settings"),
        ([(file,), (tmp_path / "gone.toml",)], "gone.toml"),
    ):
        for status, out, err in together(*runs):
            assert (status, out) == (2, "")
            assert words in err


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("localhost", "HOST:PORT,INDEX,COUNT such as"),
        ("localhost:9876,2,2", "INDEX counts from 0 and is below COUNT"),
        ("localhost:0,0,2", "INDEX counts from 0"),
        (":9876,0,2", "INDEX counts from 0"),
    ],
)
def test_no_such_job(spec, words, file, call):
    status, out, err = call("verify", file, "--distributed", spec)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_a_job_that_no_scheduler_knows(file):
    process = start(file, "--distributed", "auto")
    out, err = finish(process)
    assert (process.returncode, out) == (2, "")
    assert "there is no job of several processes" in err
    assert len(err.strip().splitlines()) == 1


def test_no_other_is_left_waiting(file, tmp_path):
    """One process dies of a fault of its own: the others end too, and soon."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    script = "import sys\nfrom mcjax.cli import main, verify\nverify.judge = None\nmain.run()\n"
    spec = f"localhost:{port},{{}},2"
    began = time.monotonic()
    options = [str(file), "--quiet", "--out", str(tmp_path / "out"), "--distributed"]
    first = subprocess.Popen(
        [sys.executable, "-c", script, "verify", *options, spec.format(0)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    second = start(*options, spec.format(1))
    _, said = finish(first)
    finish(second)
    assert first.returncode == 70, said
    assert "not callable" in said
    assert time.monotonic() - began < 60
