"""A run that is killed, starved of disk or doubled loses nothing and changes no number."""

import json
import random
import signal
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
generations = 4
chains = 30000
chunk = 512
tolerance = 0.5
"""
COMMAND = [sys.executable, "-m", "mcjax", "verify", "--quiet", "--json"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(STUDY)
    return path


def start(file, out, *options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, file, "--out", out, *options], **pipes, text=True)


def numbers(folder):
    with np.load(folder / "tallies.npz") as data:
        return {name: data[name] for name in data.files}


@pytest.fixture(scope="module")
def undisturbed(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    process = start(file, out)
    process.communicate()
    assert process.returncode in (0, 3)
    return out


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments(kills, file, undisturbed, tmp_path):
    rng, out, hit = random.Random(kills), tmp_path / "out", 0
    while hit < kills:
        process = start(file, out)
        before = (out / "tallies.npz").stat().st_mtime_ns if (out / "tallies.npz").exists() else 0
        while process.poll() is None:  # some run before their first save, most after it
            now = (out / "tallies.npz").stat().st_mtime_ns if (out / "tallies.npz").exists() else 0
            if now != before and rng.random() < 0.7:
                break
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5))
        done = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if done:
            break
        hit += 1
    assert hit >= 2
    again = start(file, out)
    assert json.loads(again.communicate()[0])["chains"] == 30_000
    found, expected = numbers(out), numbers(undisturbed)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    cells = [json.loads((o / "verification.json").read_text())["cells"] for o in (out, undisturbed)]
    assert cells[0] == cells[1]


def test_two_processes_on_one_folder(file, tmp_path):
    out = tmp_path / "out"
    first = start(file, out)
    while not (out / "study.json").exists():
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # so that it cannot end before the second one has begun
    second = start(file, out, "--chains", "64")
    _, said = second.communicate()
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert "is in use by another mcjax process; wait for it or name another folder" in said
    assert len(said.strip().splitlines()) == 1
    assert first.poll() is None  # undisturbed
    first.kill()
    first.communicate()
    third = start(file, out, "--chains", "64")  # a dead owner is none
    third.communicate()
    assert third.returncode in (0, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_no_room_left(file, undisturbed, tmp_path):
    """Files may not grow beyond a limit: what was there stays, and one sentence says why."""
    out = tmp_path / "out"
    start(file, out, "--chains", "128").communicate()
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    room = len(before["tallies.npz"]) + 100

    limited = (
        f"import os, resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}));"
        f"os.execv({sys.executable!r}, {[*COMMAND, str(file), '--out', str(out)]!r})"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", limited], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _, said = process.communicate()
    assert process.returncode == 2
    assert "tallies.npz: --out: cannot be written: File too large" in said
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after["tallies.npz"] == before["tallies.npz"]
    assert after["verification.json"] == before["verification.json"]
    assert not [name for name in after if name.endswith(".part")]
    start(file, out).communicate()  # and with room again it goes on to the same numbers
    expected = numbers(undisturbed)
    for name, value in numbers(out).items():
        np.testing.assert_array_equal(value, expected[name])
