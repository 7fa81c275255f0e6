"""``mcjax published`` as a user runs it."""

import csv
import json

import pytest

pytestmark = pytest.mark.system


def test_published(call, tmp_path):
    """Table, data, figure; the second run simulates nothing."""
    out = tmp_path / "kept"
    status, shown, said = call("published", "A1", "--out", out, "--json", "--quiet")
    assert (status, said) == (0, "")
    [row] = json.loads(shown)["results"]
    assert row["id"] == "A1"
    assert row["verdict"] == "verified"
    assert row["planted_verdict"] == "refuted"
    assert abs(row["expected"] - 1.13636) < 5e-6
    assert json.loads((out / "published.json").read_text())["results"] == [row]
    for name in ("ratios.pdf", "ratios.png", "A1/tallies.npz"):
        assert (out / name).stat().st_size > 1000
    with (out / "published.csv").open() as file:
        [kept] = csv.DictReader(file)
    assert kept["source"] == row["source"]
    assert float(kept["empirical"]) == row["empirical"]
    status, shown, said = call("published", "A1", "--out", out)
    assert (status, said) == (0, "")  # nothing ran
    assert "verified: 1 number (1 verified, 0 refuted, 0 inconclusive) at ±3%" in shown


def test_an_unknown_result(call):
    status, shown, said = call("published", "A66")
    assert (status, shown) == (2, "")
    assert said.startswith("mcjax: ID: 'A66' is not one of A1, A2,")
