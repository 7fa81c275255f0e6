"""Published results: constants against laws, and the table from simulation to verdict."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.engine.outcome import Tally
from mcjax.errors import InputError
from mcjax.published.entry import BOUND, EXACT, ChainEstimate, ConditionResult
from mcjax.published.judge import Run, judge_runs, run_entry
from mcjax.published.registry import ENTRIES, GROUPS, chosen
from mcjax.published.weights import best_weight, settled_risk
from mcjax.report.published import published_json
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED

PRINTED = {  # of check values given to a few places
    ("A1", 5e-6),
    ("A3'", 5e-6),
    ("A6", 1e-6),
    ("B1", 5e-6),
    ("B5", 5e-6),
    ("A5", 1e-6),
}
FEW = {"A11'": 16_384, "C1": 16_384, "C2": 1024, "C3": 1024}


def told(entry, depth=1):
    """What laws say, row by row, without simulation."""
    study = entry.study(depth)
    laws = api.predict(study)
    found = [ConditionResult(c, None, p) for c, p in zip(study.conditions, laws, strict=True)]
    return [row.predict(found) for row in entry.rows]


LONG = ("A6", "A11'")
"""Entries whose laws take seconds."""
by_name = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.system if n in LONG else ()) for n in ENTRIES],
)


@by_name
def test_constants_are_what_laws_say(name):
    """The published constant and the law's code agree to the places that are published."""
    entry = ENTRIES[name]
    off = dict(PRINTED).get(name, 1e-8)
    for row, value in zip(entry.rows, told(entry), strict=True):
        if row.constant is not None:
            assert value == pytest.approx(row.constant, rel=1e-8, abs=off), row.setting


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_are_complete(name):
    entry = ENTRIES[name]
    assert all((entry.claim, entry.formula, entry.reference))
    assert len({row.setting for row in entry.rows}) == len(entry.rows)
    deep, plain = entry.study(4), entry.study(1)
    assert deep.chains == 4 * plain.chains
    first = [c.network.initial[0] for c in plain.conditions]
    more = [c.network.initial[0] for c in deep.conditions]
    assert more == ([n for n in first] if entry.kind == EXACT else [4 * n for n in first])


def test_the_golden_ratio_is_found():
    """By a search on the law: the best weight, and the risk there, are its reciprocal."""
    golden = 2 / (1 + math.sqrt(5))
    assert best_weight(1) == pytest.approx(golden, abs=1e-6)
    assert settled_risk(golden, 1) == pytest.approx(golden, abs=1e-9)
    assert best_weight(2) == pytest.approx(math.sqrt(3) - 1, abs=1e-6)


def test_choice():
    assert chosen([]) == list(ENTRIES.values())
    assert [e.id for e in chosen(["A6", "A1"])] == ["A1", "A6"]
    assert {e.group for e in chosen(["memory"])} == {"memory"}
    assert set(GROUPS) == {"memory", "weights", "estimators", "generative", "selection"}
    with pytest.raises(InputError, match=r"ID: 'A99' is not one of A1, .* \(did you mean 'A9'\?\)"):
        chosen(["A99"])


def with_fewer_chains(entry):
    return replace(entry, study=lambda depth: replace(entry.study(depth), chains=32_768))


@pytest.fixture(scope="module")
def runs():
    return [run_entry(with_fewer_chains(ENTRIES[name])) for name in ("A1", "A10")]


@pytest.mark.system
def test_the_law_is_verified_and_an_error_of_5_percent_refuted(runs):
    results = judge_runs(runs, 0.03)
    assert [(r.cell.verdict, r.planted) for r in results] == [(VERIFIED, REFUTED)] * 2
    assert {r.entry.kind for r in results} == {EXACT, BOUND}


@pytest.mark.system
def test_a_bound_is_one_sided(runs):
    """Far below it is no refutation, unlike far from a number that is claimed."""
    run = runs[1]
    early = Run(run.entry, run.study, run.results, run.tallies)
    row = run.entry.rows[0]

    def below(found):
        return row.observe(found)._replace(value=0.5)

    low = replace(run.entry, rows=(replace(row, observe=below),))
    [result] = judge_runs([replace(early, entry=low)], 0.03)
    assert result.cell.verdict == VERIFIED
    asymptotic = replace(low, kind="asymptotic")
    [result] = judge_runs([replace(early, entry=asymptotic)], 0.03)
    assert result.cell.verdict == REFUTED


@pytest.mark.parametrize("name", ["A1", "A10"])
def test_a_wrong_published_constant_is_refuted(runs, name):
    """Although the law's number is right: both are judged."""
    [run] = [run for run in runs if run.entry.id == name]
    assert told_wrong(run, 1.1) == [VERIFIED if name == "A10" else REFUTED]
    assert told_wrong(run, 0.9) == [REFUTED]


def told_wrong(run, factor):
    """The verdicts on the rows of an entry whose constants are off by a factor."""
    wrong = tuple(replace(row, constant=factor * row.constant) for row in run.entry.rows)
    results = judge_runs([replace(run, entry=replace(run.entry, rows=wrong))], 0.03)
    assert {result.cell.verdict for result in results} <= {VERIFIED, INCONCLUSIVE}
    return [result.verdict for result in results]


@by_name
def test_every_entry_judges_its_constants(name):
    """On chains that show what the law says: each row by itself, one wrong constant at a time."""
    entry = ENTRIES[name]
    study = entry.study(1)
    laws = api.predict(study)
    found = [ConditionResult(c, None, p) for c, p in zip(study.conditions, laws, strict=True)]

    def seen(row):
        value = row.predict(found)
        estimate = ChainEstimate(value, 0.002 * value, 65_536)
        return replace(row, observe=lambda _: estimate, predict=lambda _: value)

    rows = tuple(seen(row) for row in entry.rows)
    assert any(row.constant is not None for row in rows)

    def verdicts(rows):
        run = Run(replace(entry, rows=rows), study, found, [])
        return [result.verdict for result in judge_runs([run], 0.03)]

    assert set(verdicts(rows)) == {VERIFIED}
    for k, row in enumerate(rows):
        if row.constant is not None:
            for factor in (0.94, 1.06):
                wrong = (*rows[:k], replace(row, constant=factor * row.constant), *rows[k + 1 :])
                refuted = entry.kind != BOUND or factor < 1
                expected = [REFUTED if refuted and j == k else VERIFIED for j in range(len(rows))]
                assert verdicts(wrong) == expected


@pytest.mark.system
def test_few_chains_are_inconclusive():
    """Not verified, whatever they show."""
    entry = ENTRIES["A1"]
    study = entry.study(1)
    [tally] = api.simulate(study, chains=[256])
    assert isinstance(tally, Tally)
    found = [ConditionResult(study.conditions[0], tally.outcome, api.predict(study)[0])]
    [result] = judge_runs([Run(entry, study, found, [tally])], 0.03)
    assert result.cell.verdict == INCONCLUSIVE
    assert result.cell.chains_needed > 256


def test_json(runs):
    made = json.loads(json.dumps(published_json(judge_runs(runs, 0.03), 0.03)))
    assert made["verdict"] == VERIFIED
    for row in made["results"]:
        assert {"id", "formula", "expected", "empirical", "standard_error", "verdict"} <= set(row)
        assert np.isfinite([row["expected"], row["empirical"], row["standard_error"]]).all()


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["A11'", "C1", "C2", "C3"])
def test_wrong_constants_on_selected_and_biased_data_are_refuted(name):
    """By chains few enough that the right ones need not be verified yet."""
    entry = ENTRIES[name]
    few = replace(entry, study=lambda depth: replace(entry.study(depth), chains=FEW[name]))
    run = run_entry(few)
    for factor in (1.1, 0.9):
        assert set(told_wrong(run, factor)) == {REFUTED}


@pytest.mark.slow
def test_the_whole_table():
    """Every number verified at 3%, every constant that is off by 5% refuted."""
    results = judge_runs([run_entry(entry) for entry in ENTRIES.values()], 0.03)
    assert {r.verdict for r in results} == {VERIFIED}
    assert {r.planted for r in results} == {REFUTED}
