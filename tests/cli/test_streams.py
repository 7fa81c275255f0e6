"""Standard input, pipes and devices, none of which is waited for without end."""

import io
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from sample_study import STUDY

from mcjax import files
from mcjax.errors import InputError
from mcjax.files import read_bytes, read_text, reading_once

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def write(path, *parts, pause=0.05):
    """Write parts into a named pipe, from another thread."""

    def run():
        time.sleep(pause)
        with path.open("wb", buffering=0) as file:
            for part in parts:
                file.write(part)
                time.sleep(pause)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def standard_input(monkeypatch):
    """Put a text on standard input, which is not the system's."""

    def put(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


@pytest.mark.parametrize("command", ["diagnose", "predict", "laws"])
def test_standard_input(command, standard_input, call, study_file):
    standard_input(STUDY)
    status, out, err = call(command, "-")
    wanted = call(command, study_file)
    assert (status, out, err) == wanted
    assert status == 0


@pytest.mark.system
def test_results_of_standard_input(standard_input, call, tmp_path):
    """The study is kept, though its file is not known."""
    standard_input(STUDY)
    status, _, err = call("verify", "-", "--quiet", "--out", tmp_path / "out")
    assert status in (0, 3), err
    status, _, err = call("replay", tmp_path / "out", "--chain", "0")
    assert (status, err.count("\n")) == (2, 1)
    assert "--file" in err


def test_errors_of_standard_input(standard_input, call):
    standard_input("[network]\ninitial = 5\n")
    assert call("diagnose", "-") == (
        2,
        "",
        "mcjax: -: network.models: is missing; give names or a count\n",
    )


@needs_pipes
def test_a_pipe_is_read_once(pipe, call, study_file):
    """A study is needed several times, and a pipe gives it once."""
    writer = write(pipe, STUDY.encode()[:100], STUDY.encode()[100:])
    status, out, _ = call("verify", pipe, "--quiet", "--json")
    writer.join()
    assert status in (0, 3)
    assert out == call("verify", study_file, "--quiet", "--json")[1]


@needs_pipes
def test_only_a_command_remembers(pipe):
    with reading_once():
        writer = write(pipe, b"first")
        assert read_text(pipe) == read_text(pipe) == "first"
        writer.join()
    writer = write(pipe, b"second")
    assert read_text(pipe) == "second"
    writer.join()


@needs_pipes
def test_a_pipe_that_nobody_writes(pipe, monkeypatch, call):
    monkeypatch.setattr(files, "NO_WRITER", 0.1)
    status, _, err = call("diagnose", pipe)
    assert (status, err.count("\n")) == (2, 1)
    assert f"{pipe}: is a pipe that nobody has opened" in err


@needs_pipes
def test_a_pipe_that_falls_silent(pipe, monkeypatch):
    monkeypatch.setattr(files, "SILENCE", 0.2)
    writer = write(pipe, b"begin", pause=0.8)
    with pytest.raises(InputError, match="has sent nothing"):
        read_bytes(pipe)
    writer.join()


@needs_pipes
def test_an_empty_pipe(pipe):
    writer = write(pipe)
    assert read_bytes(pipe) == b""
    writer.join()


@pytest.mark.parametrize("size", [20, 1000])
def test_files_are_bounded(size, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 100)
    (tmp_path / "file").write_bytes(bytes(size))
    if size == 20:
        assert len(read_bytes(tmp_path / "file")) == 20
    else:
        with pytest.raises(InputError, match="holds more than"):
            read_bytes(tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no /dev/zero")
def test_devices_without_end(monkeypatch, call):
    monkeypatch.setattr(files, "LARGEST", 10**6)
    status, _, err = call("diagnose", "/dev/zero")
    assert (status, err.count("\n")) == (2, 1)
    assert "/dev/zero: holds more than" in err
    assert call("diagnose", "/dev/null")[0] == 2


@pytest.mark.parametrize("command", ["diagnose", "predict", "verify", "laws"])
@pytest.mark.parametrize("name", ["none.toml", "", "x" * 5000, "study.toml/none"])
def test_names_of_no_file(command, name, tmp_path, call, study_file):
    status, out, err = call(command, tmp_path / name if name else tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "mcjax: " in err


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no /dev/zero")
def test_laws_and_families_of_no_regular_file(monkeypatch, call, study_file):
    monkeypatch.setattr(files, "LARGEST", 10**6)
    for file, problem in (("/dev/zero", "holds more than"), ("/dev/null", "is no regular file")):
        _, _, err = call("predict", study_file, "--law", file)
        assert f"{study_file}: --law: {file} {problem}" in err
