"""Optima that were derived by hand or by brute force, to five digits."""

import math

import pytest
from designs import CHAIN, LOOPS, READER, RING, STAR, designed, errors_of, rows_of

import mcjax
from mcjax.design import design_file

BUDGETS = {
    "reader": (READER, "budget = 100", [76.12758, 23.87242], 0.010956),
    "dear reader": (READER, 'budget = 100\ncosts = { "1" = 4 }', [100, 0], 0.011667),
    "star": (STAR, "budget = 300", [151.38735, *[29.72253] * 5], 0.0095518),
    "ring": (RING, "budget = 200", [50] * 4, 0.012),
    "chain": (CHAIN, "budget = 200", [74.96279, 46.55620, 51.19557, 27.28544], 0.0113598),
    "loops": (LOOPS, "budget = 100", [47.54483, 52.45517], 0.0134742),
    "star, largest": (
        STAR,
        'budget = 300\nobjective = "max"',
        [125.71465, *[34.85707] * 5],
        0.0104463,
    ),
}
TARGETS = {
    "both": (READER, "targets = 0.01", [61.80340, 61.80340], 123.60680),
    "dear reader": (
        READER,
        'targets = 0.01\ncosts = { "1" = 4 }',
        [110.00012, 43.05027],
        282.2012,
    ),
    "reader": (READER, 'targets = { "1" = 0.01 }', [45.57030, 74.53166], 120.1020),
    "star": (STAR, "targets = 0.01", [126.94269, *[39.26424] * 5], 323.2639),
}


@pytest.mark.parametrize("case", [*BUDGETS, *(f"targets: {name}" for name in TARGETS)])
def test_the_optimum_is_the_known_one(case, tmp_path):
    feeds, design, rows, value = {**BUDGETS, **{f"targets: {k}": v for k, v in TARGETS.items()}}[
        case
    ]
    allocation = designed(tmp_path, feeds, design)
    assert rows_of(allocation) == pytest.approx(rows, abs=6e-6)
    assert allocation.objective.after == pytest.approx(value, rel=5e-5)
    assert allocation.gap < 1e-9
    assert not allocation.doubt


def test_errors_and_values_of_a_loop_with_a_reader(tmp_path):
    allocation = designed(tmp_path, READER, "budget = 100")
    assert errors_of(allocation) == pytest.approx([0.00838, 0.01353], abs=5e-6)
    assert allocation.objective.before == math.inf
    loop, reader = allocation.shares.values()
    assert loop.value == pytest.approx(reader.value, rel=1e-6)  # as both have some rows
    assert (loop.rows, reader.rows) == (76, 24)


def test_a_dear_reader_gets_nothing_because_its_rows_are_worth_less(tmp_path):
    loop, reader = designed(tmp_path, *BUDGETS["dear reader"][:2]).shares.values()
    assert reader.value < loop.value


def test_targets_of_the_reader_alone_ask_for_less_at_the_loop(tmp_path):
    both = rows_of(designed(tmp_path, *TARGETS["both"][:2]))
    reader = rows_of(designed(tmp_path, *TARGETS["reader"][:2]))
    assert reader[0] / both[0] == pytest.approx(1 - 0.26, abs=0.005)


def test_bounds_are_kept(tmp_path):
    bounds = 'budget = 200\nat_least = { "3" = 60 }\nat_most = { "0" = 40, "2" = 40 }'
    rows = rows_of(designed(tmp_path, CHAIN, bounds))
    assert rows[3] == pytest.approx(60)
    assert (rows[0], rows[2]) == pytest.approx((40, 40))
    assert sum(rows) == pytest.approx(200)


def test_models_without_a_weight_that_feed_none_get_nothing(tmp_path):
    allocation = designed(tmp_path, STAR, 'budget = 100\nobjective = { "1" = 2 }')
    assert rows_of(allocation)[2:] == [0, 0, 0, 0]
    assert allocation.objective.after == pytest.approx(2 * errors_of(allocation)[1])


def test_a_frozen_model_stays_frozen(tmp_path):
    allocation = designed(tmp_path, [(1, 0, 50), (0, 0, 50), (0, 2, 100)], "budget = 30")
    assert rows_of(allocation)[1] == 0
    assert errors_of(allocation)[1] == pytest.approx(1 / 100)


def test_a_model_of_real_data_alone_keeps_some(tmp_path):
    allocation = designed(tmp_path, [*LOOPS, ("real", 2, 500)], "budget = 100")
    shares = list(allocation.shares.values())
    assert shares[2].before == 500
    assert shares[2].errors[1] == pytest.approx(1 / shares[2].after)


def test_real_rows_have_the_weight_of_the_file(tmp_path):
    """A row of weight 2 beside rows of weight 1 is as one of weight 1 beside rows of weight 1/2."""
    path = tmp_path / "weighted.toml"
    texts = (
        '{ from = "0", to = "0", samples = 100 },'
        '{ from = "real", to = "0", samples = 1, weight = 1.25 }',
        '{ from = "0", to = "0", samples = 100, weight = 0.8 }',
    )
    found = []
    for text in texts:
        path.write_text(
            f"[network]\nmodels = 1\ninitial = 10\nfeeds = [{text}]\n[design]\ntargets = 0.02\n"
        )
        found.append(rows_of(design_file(path))[0])
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("draws", ["private", "shared"])
def test_whole_rows_have_the_errors_that_a_diagnosis_shows(tmp_path, draws):
    allocation = designed(tmp_path, CHAIN, "budget = 201", f'draws = "{draws}"')
    diagnosis = mcjax.diagnose(allocation.network)
    for name, share in allocation.shares.items():
        assert diagnosis.models[name].limit == pytest.approx(share.errors[2])
    assert sum(share.rows for share in allocation.shares.values()) == 201
    assert (
        allocation.objective.after <= allocation.objective.rows < allocation.objective.after * 1.001
    )


def test_targets_need_rows_of_very_different_size(tmp_path):
    """Two loops, of which the error is nearly 1 / (2 m) and exactly 0.01."""
    feeds = [(0, 0, 1_000_000), (1, 1, 1)]
    allocation = designed(tmp_path, feeds, 'targets = { "0" = 0.1, "1" = 0.01 }\nat_most = 1000')
    large, small = rows_of(allocation)
    assert large == pytest.approx(5, rel=1e-5)
    assert (1 + small) / (small * (2 + small)) == pytest.approx(0.01)
    assert allocation.gap < 1e-5


def test_targets_that_are_kept_to_need_nothing(tmp_path):
    allocation = designed(tmp_path, [(0, 1, 50)], 'targets = { "1" = 0.031 }')
    assert rows_of(allocation) == [0, 0]
    assert (allocation.objective.after, allocation.gap) == (0, 0)


def test_no_row_is_free_where_bounds_meet(tmp_path):
    bounds = 'budget = 100\nobjective = "max"\nat_least = 10\nat_most = 10'
    allocation = designed(tmp_path, READER, bounds)
    assert rows_of(allocation) == [10, 10]
    assert allocation.objective.after == max(errors_of(allocation))
