"""The numbers of the page on speed, and those of README.md, are the results kept."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def speed_page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    before = set(sys.modules)
    import speed_page

    yield speed_page
    for name in {"speed_page", "report"} - before:
        sys.modules.pop(name, None)


def test_the_page_on_speed_is_made_of_the_results(speed_page):
    page = speed_page.PAGE.read_text(encoding="utf-8")
    assert speed_page.filled(page) == page, "run `python benchmarks/speed_page.py`"
    parts = re.findall(r"<!-- results: (\w+) -->", page)
    assert sorted(parts) == sorted(speed_page.PARTS)
    assert page.count("<!-- end -->") == len(parts)


def test_other_results_make_another_page(speed_page, monkeypatch):
    page, read = speed_page.PAGE.read_text(encoding="utf-8"), speed_page.read

    def later(name):
        kept = read(name)
        if name == "speed":
            kept["results"]["study"]["seconds"] *= 2
        return kept

    monkeypatch.setattr(speed_page, "read", later)
    assert speed_page.filled(page) != page


def test_the_first_page_rounds_what_was_measured(speed_page):
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    [said] = re.findall(
        r"about (\S+) µs including .*? about (\d+) times faster than hand-written NumPy and (\d+)"
        r" times faster than statsmodels",
        text,
    )
    rows = speed_page.read("speed")["results"]["logistic, 1 core"]
    found = [speed_page.own(rows), *(speed_page.times(rows, who) for who in ("NumPy", "stats"))]
    assert [float(number) for number in said] == pytest.approx(found, rel=0.25)
