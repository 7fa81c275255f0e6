"""The README's code blocks run, in its order, and say what it says."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def blocks():
    return re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.S)


def test_blocks_run(blocks, tmp_path):
    ran = {"toml": 0, "console": 0, "python": 0}
    for language, text in blocks:
        if language == "toml":
            name = re.match(r"# (\S+\.toml)\n", text)[1]
            (tmp_path / name).write_text(text)
        elif language == "console":
            for line in text.splitlines():
                command = shlex.split(line)
                assert command[0] == "mcjax"
                done = run([sys.executable, "-m", *command], tmp_path)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        elif language == "python":
            done = run([sys.executable, "-W", "error", "-c", text], tmp_path)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("verified {}")
        if language in ran:
            ran[language] += 1
    assert min(ran.values()) >= 1


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_pictures_and_links_exist():
    targets = re.findall(r"\]\((?!http)([^)]+)\)", README.read_text(encoding="utf-8"))
    assert len(targets) >= 5
    for target in targets:
        assert (README.parent / target).exists(), target


def test_the_table_of_speed_is_the_one_measured():
    """Which ``benchmarks/report.py`` makes of the results kept."""
    folder = README.parent / "benchmarks"
    spec = importlib.util.spec_from_file_location("report", folder / "report.py")
    report = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(report)
    kept = json.loads((folder / "results" / "speed.json").read_text(encoding="utf-8"))
    assert report.summary(kept["results"]) in README.read_text(encoding="utf-8")
