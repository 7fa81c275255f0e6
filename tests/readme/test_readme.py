"""The code in README.md and docs/ runs and prints what the pages show.

Each page has a folder of its own, in which its blocks run in order, all in this process, where
programs are compiled once. Each begins with the settings that JAX has in a new process:

``toml``, ``python``
    If the first line is ``# name.toml`` or ``# name.py``, the block is written to that file. Any
    other ``python`` block runs.
``console``
    Every line is a ``mcjax`` command. It ends with status 0, or with the status that a comment at
    the end of the line names: ``# exit status 1``.
``text``
    Lines that the block before printed. A line that ends with "…" may go on differently, and a
    line that is only "…" stands for any others.
``sh``
    Not run (clusters, long runs), but options and commands must exist.
"""

import importlib.util
import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import click
import jax
import pytest
from matplotlib import pyplot

import mcjax
from mcjax.cli import main
from mcjax.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in (
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
QUICK = (
    *("docs/pipelines.md", "docs/pipeline-records.md", "docs/pipeline-files.md"),
    "docs/design.md",
)
"""Pages whose code runs by default."""
NEEDS = {"docs/language-models.md": "equinox"}
"""Packages that pages need beyond those of mcjax."""
MOST_LINES = 180


def blocks_of(text):
    """Return the fenced blocks of a page as (language, text) pairs."""
    return re.findall(r"^```([^\n`]*)\n(.*?)^```$", text, re.S | re.M)


def pages_with_code():
    for name, text in PAGES.items():
        if {language for language, _ in blocks_of(text)} & {"console", "python"}:
            yield pytest.param(name, marks=[] if name in QUICK else pytest.mark.system)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs a block of a page in its folder and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    settings = {
        "jax_enable_x64": False,
        "jax_numpy_dtype_promotion": "standard",
        "jax_numpy_rank_promotion": "allow",
    }
    before = {name: getattr(jax.config, name) for name in settings}
    modules = set(sys.modules)

    def run(language, text):
        for name, value in settings.items():
            jax.config.update(name, value)
        if language == "console":
            for line in text.splitlines():
                run_command(line)
        else:
            (tmp_path / "block.py").write_text(text, encoding="utf-8")
            runpy.run_path("block.py", run_name="__main__")
        return capsys.readouterr().out

    def run_command(line):
        command = shlex.split(line, comments=True)
        assert command[0] == "mcjax", line
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main.run()
        status = re.search(r"# exit status (\d+)$", line)
        assert (ended.value.code or 0) == (int(status[1]) if status else 0), line

    yield run
    pyplot.close("all")
    for name, value in before.items():
        jax.config.update(name, value)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", list(pages_with_code()))
def test_code_runs_and_prints_what_is_shown(page, tmp_path, run):
    if package := NEEDS.get(page):
        pytest.importorskip(package, reason=f"{page} shows {package}; run pip install {package}")
    printed = ""
    for language, text in blocks_of(PAGES[page]):
        file = re.match(r"# (\S+\.(?:toml|py))\n", text)
        if language in ("toml", "python") and file:
            (tmp_path / file[1]).write_text(text, encoding="utf-8")
        elif language in ("python", "console"):
            printed = run(language, text)
        elif language == "text":
            missing = [line for line in text.splitlines() if not shown(line, printed)]
            assert not missing, f"{page} shows {missing}\nbut this was printed:\n{printed}"


def shown(line, printed):
    """Whether a line of the page, however it is spaced, is one of the lines printed."""
    wanted = line.split()
    if wanted in ([], ["…"]):
        return True
    lines = [other.split() for other in printed.splitlines()]
    if wanted[-1] == "…":
        return any(other[: len(wanted) - 1] == wanted[:-1] for other in lines)
    return wanted in lines


@pytest.mark.parametrize("page", list(PAGES))
def test_no_block_is_blank(page):
    """A blank block of output shows nothing, and any output would hold it."""
    assert all(text.replace("…", "").strip() for _, text in blocks_of(PAGES[page]))


@pytest.mark.parametrize("page", list(PAGES))
def test_commands_that_do_not_run_have_commands_and_options_that_exist(page):
    for language, text in blocks_of(PAGES[page]):
        for line in text.splitlines() if language in ("sh", "console") else ():
            words = shlex.split(line, comments=True)
            if "mcjax" not in words:
                continue
            name, *arguments = words[words.index("mcjax") + 1 :]
            try:
                cli.commands[name].make_context(name, arguments)
            except (KeyError, click.UsageError) as error:
                pytest.fail(f"{page}: {line}: {error}")


@pytest.mark.parametrize("page", list(PAGES))
def test_links_and_pictures_exist(page):
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.S | re.M)
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose):
        file, _, section = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), f"{page} links to {target}"
        assert path.resolve().is_relative_to(ROOT), f"{page} links to {target}"
        if section:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
            assert section in map(slug, headings), f"{page} links to {target}"


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", list(PAGES))
def test_files_of_the_repository_that_are_named_exist(page):
    for name in re.findall(r"`((?:mcjax|tests|benchmarks)/[\w/.-]*)`", PAGES[page]):
        assert (ROOT / name).exists(), f"{page} names {name}"


def test_the_map_of_the_code_lists_the_rooms_in_order():
    rooms = re.findall(r"^    (\w+) +\w", mcjax.__doc__, re.M)
    assert re.findall(r"^\| `(\w+)` \|", PAGES["docs/architecture.md"], re.M) == ["errors", *rooms]


def test_every_page_is_on_the_map():
    """Or on the map of its folder, which is on the map."""
    maps = [name for name in PAGES if name.startswith("docs/") and name.endswith("index.md")]
    listed = {
        (ROOT / name).parent / page
        for name in maps
        for page in re.findall(r"^- \[.*?\]\(([\w/-]+\.md)\)", PAGES[name], re.M)
    }
    pages = {ROOT / name for name in PAGES if name.startswith("docs/")}
    assert listed == pages - {ROOT / "docs" / "index.md"}


def test_readme_is_short_and_begins_with_the_two_commands():
    assert len(PAGES["README.md"].splitlines()) <= MOST_LINES
    main, tests = [text for language, text in blocks_of(PAGES["README.md"]) if language == "sh"][:2]
    assert "mcjax verify" in main
    assert "pytest" in tests


def benchmark(name):
    """Return a script of the benchmarks as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["real_ladders", "real_growth"])
def test_the_tables_of_real_data_are_the_ones_measured(name):
    """Hold the tables to what ``benchmarks/real_tables.py`` makes of the results kept."""
    kept = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8"))
    table = benchmark("real_tables").TABLES[name]
    assert table(kept["results"]) in PAGES["docs/real-data.md"]
