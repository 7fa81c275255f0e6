"""Exit status 1 says refuted and nothing else, whatever becomes of the process's surroundings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

MCJAX = [sys.executable, "-m", "mcjax"]
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")


def run(*arguments, **options):
    """``mcjax ARGUMENTS`` in a process of its own, with what is told apart from the results."""
    own = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("JAX_", "XLA_")) or "_CACHE" in key
    }
    options["env"] = own | options.get("env", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 300} | options
    return subprocess.run([*MCJAX, *map(str, arguments)], text=True, **options)


def closed_pipe():
    """The end to write of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb")


def messages(process):
    """What is on standard error, without the line in which `diagnose` says what it read."""
    lines = process.stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("read: "))


def only_a_sentence(process, *words):
    assert process.returncode == 2
    told = messages(process)
    assert told.startswith("mcjax: ")
    assert told.count("\n") == 1
    for word in words:
        assert word in told


@pytest.mark.parametrize(
    "command",
    [["verify", "--quiet"], ["verify", "--quiet", "--json"], ["diagnose"], ["diagnose", "--json"]],
    ids=" ".join,
)
def test_a_closed_pipe_ends_quietly(command, study_file):
    with closed_pipe() as pipe:
        process = run(*command, study_file, stdout=pipe)
    assert (process.returncode, messages(process)) == (141, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell):
    program = "import sys; sys.argv[0] = 'mcjax'; from mcjax.cli.main import run; run()"
    words = {"COMP_WORDS": "mcjax diag", "COMP_CWORD": "diag" if shell == "fish" else "1"}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | words | {"_MCJAX_COMPLETE": f"{shell}_{task}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for task in ("source", "complete")
    ]
    assert "_MCJAX_COMPLETE" in outputs[0]
    assert "diagnose" in outputs[1]


def test_progress_into_a_closed_pipe(study_file):
    with closed_pipe() as pipe:
        assert run("verify", study_file, stderr=pipe).returncode == 141


@needs_full
@pytest.mark.parametrize(
    "command", [["verify", "--quiet"], ["diagnose"], ["diagnose", "--json"]], ids=" ".join
)
def test_a_full_disk(command, study_file):
    with FULL.open("w") as full:
        only_a_sentence(run(*command, study_file, stdout=full), "No space left")


@needs_full
def test_no_room_for_the_sentence_either(study_file):
    with FULL.open("w") as full:
        assert run("diagnose", study_file, stdout=full, stderr=full).returncode == 2
        assert run("diagnose", "none.toml", stderr=full).returncode == 2


@pytest.mark.parametrize("flags", ["--bogus", "--xla_cpu_enable_fast_math=maybe", "/no/such/file"])
def test_flags_that_xla_refuses(flags, study_file):
    only_a_sentence(run("predict", study_file, env={"XLA_FLAGS": flags}), "XLA_FLAGS", flags)


def test_flags_that_xla_takes(study_file):
    flags = "--xla_force_host_platform_device_count=2"
    assert run("predict", study_file, env={"XLA_FLAGS": flags}).returncode == 0


@pytest.mark.parametrize(
    ("name", "value"), [("JAX_PLATFORMS", "none"), ("JAX_ENABLE_X64", "perhaps")]
)
def test_an_environment_in_which_jax_does_not_start(name, value, study_file):
    only_a_sentence(run("verify", study_file, env={name: value}), name, value)


def test_a_platform_that_is_not_there(study_file):
    process = run("verify", study_file, env={"JAX_PLATFORMS": "rocm"})
    only_a_sentence(process, "JAX_PLATFORMS", "'rocm'")


def test_families_where_jax_cannot_be_imported():
    only_a_sentence(run("families", env={"JAX_ENABLE_X64": "perhaps"}), "JAX_ENABLE_X64")


@pytest.fixture
def locked(tmp_path):
    """A folder that nobody may write: for root, whom no permission stops, one of the kernel's."""
    if os.geteuid() == 0:
        return Path("/proc/sys")
    tmp_path.chmod(0o500)
    return tmp_path


@pytest.mark.parametrize(
    "command", [["verify", "--quiet"], ["figures", "flip", "--chains", "64"]], ids=" ".join
)
def test_a_folder_that_cannot_be_written(command, study_file, locked):
    file = [study_file] if command[0] == "verify" else []
    process = run(*command, *file, "--out", locked / "results")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(f"mcjax: {locked}")
    assert "Traceback" not in process.stderr


def test_a_file_system_without_locks(study_file, tmp_path, call, monkeypatch):
    def acquire(*_, **__):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    status, _, err = call("verify", study_file, "--quiet", "--out", tmp_path / "results")
    assert (status, err.count("\n")) == (2, 1)
    assert "locks" in err


def test_a_law_that_exits(study_file, tmp_path, call):
    (tmp_path / "mine.py").write_text("def law(condition, generations):\n    raise SystemExit(1)\n")
    status, _, err = call("predict", study_file, "--law", tmp_path / "mine.py")
    assert (status, err.count("\n")) == (2, 1)
    assert "law.mine" in err


def test_refuted_is_one(study_file, tmp_path):
    """The companion: what status 1 is for."""
    wrong = tmp_path / "wrong.toml"
    feed = '[[network.feeds]]\nfrom = "real"\nto = "a"\nsamples = 100\n'
    wrong.write_text(study_file.read_text().replace(feed, ""))
    process = run("verify", study_file, "--quiet", "--theory", wrong, "--chains", 2048)
    assert (process.returncode, process.stderr) == (1, "")
