"""Throughput: what is counted, what a run reports, and files side by side."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from mcjax.bench import run
from mcjax.bench.measure import Case, Result
from mcjax.bench.operations import count_operations
from mcjax.bench.records import read_record
from mcjax.cli.main import cli
from mcjax.errors import InputError

SMALL = Case("linear", p=1, rows=20, models=1)
KEYS = {"family", "p", "rows", "fits_per_second", "bound_share", "compile_seconds"}


def counted(function, *shapes, dtype=np.float32):
    given = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    return count_operations(jax.make_jaxpr(function)(*given).jaxpr)


def test_operations_of_products_and_sums():
    found = counted(lambda a, b: (a @ b).sum(), (3, 4), (4, 5))
    np.testing.assert_array_equal(found.fixed, [2 * 3 * 4 * 5 + 15, 0])


def test_what_no_result_needs_is_not_counted():
    found = counted(lambda a: [jnp.exp(a), a * a][1], (6,))
    np.testing.assert_array_equal(found.fixed, [6, 0])


def test_what_is_computed_twice_is_counted_once():
    found = counted(lambda a, b: (a * b) * (a * b) + (b * a) + 0.0, (6,), (6,))
    np.testing.assert_array_equal(found.fixed, [4 * 6, 0])


def test_double_precision_is_counted_apart():
    found = counted(lambda a: a + a, (7,), dtype=np.float64)
    np.testing.assert_array_equal(found.fixed, [0, 7])


def test_loops_of_known_length_are_multiplied():
    def sums(a):
        scanned = jax.lax.scan(lambda now, _: (now + a, None), a, None, length=3)[0]
        return jax.lax.fori_loop(jnp.int32(0), jnp.int32(4), lambda _, now: now * a, scanned)

    found = counted(sums, (5,))
    # the counter of the second loop also adds, and is compared
    assert 5 * (3 + 4) <= found.fixed.sum() <= 5 * (3 + 4) + 8
    assert not found.loops


def test_loops_that_depend_on_data_are_kept_apart():
    def until(a):
        return jax.lax.while_loop(lambda now: now.sum() < 9, lambda now: now + a, a * a)

    found = counted(until, (6,))
    np.testing.assert_array_equal(found.fixed, [6, 0])
    np.testing.assert_array_equal(found.loops, [[6, 0]])
    np.testing.assert_array_equal(found.total(10), [66, 0])


def test_of_two_branches_the_cheaper_counts():
    def either(a):
        return jax.lax.cond(a[0] > 0, lambda: a * a + a, lambda: a + a)

    assert counted(either, (8,)).fixed.sum() < 8 + 4  # a comparison, and one addition each


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(run, "cases", lambda quick, devices: [SMALL])
    monkeypatch.setattr(run, "product_rate", lambda dtype, devices: 1e9)
    monkeypatch.setattr("mcjax.bench.measure.QUICK_SECONDS", 0.01)
    monkeypatch.setattr("mcjax.bench.measure.product_rate", lambda dtype, devices: 1e9)
    monkeypatch.setattr("mcjax.bench.measure.bandwidth", lambda size, devices: 1e9)


def called(*arguments):
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.system
def test_a_run_is_kept_and_printed(small, tmp_path):
    path = tmp_path / "here.json"
    done = called("--quick", "--json", "--out", path)
    said = json.loads(done.stdout)
    assert said == json.loads(path.read_text())
    [result] = said["results"]
    assert set(result) >= KEYS
    assert result["fits_per_second"] > 0
    assert result["path"] == "statistics"
    assert 0 < result["bound_share"] < 10  # rates are made up
    assert result["converged"] == result["passes"] == 1
    assert 0 < result["chains_microseconds"] < 3 * result["microseconds"]
    assert said["device"] == jax.devices()[0].device_kind
    assert set(said["machine"]["versions"]) >= {"jax", "jaxlib"}

    faster = {**said, "results": [{**result, "fits_per_second": 2 * result["fits_per_second"]}]}
    other = tmp_path / "there.json"
    other.write_text(json.dumps(faster))
    [ratio] = json.loads(called("--compare", path, other, "--json").stdout)["results"]
    assert ratio["speed_ratio"] == 2
    table = called("--compare", path, other).stdout
    assert "linear" in table
    assert "A: 1 x" in table

    faster["results"][0]["p"] = 3
    other.write_text(json.dumps(faster))
    with pytest.raises(InputError, match="no case in common"):
        called("--compare", path, other)


def test_a_run_is_a_table(small):
    done = called("--quick")
    assert "fits/s" in done.stdout
    assert "1 of 1 measurements" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--compare", "missing.json", "missing.json"), "does not exist"),
        (("--compare", "odd.json", "odd.json"), "is no result of"),
        (("--compare", "odd.json", "odd.json", "--quick"), "does nothing with --compare"),
        (("--out", "missing/here.json"), "is no directory"),
        (("--out", "."), "is a directory"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.json").write_text('{"device": 3}')
    with pytest.raises(InputError, match=sentence) as error:
        called(*arguments)
    assert "\n" not in str(error.value)


def test_what_is_measured_is_kept_if_the_rest_is_not(small, tmp_path, monkeypatch):
    one = Result(*SMALL, *("statistics", 64), *[1.0] * 7, *("arithmetic", 1.0, 1.0))
    path = tmp_path / "here.json"

    def measure(case, quick):
        if case.p == 2:
            raise KeyboardInterrupt
        return one

    monkeypatch.setattr(run, "cases", lambda quick, devices: [SMALL, SMALL._replace(p=2)])
    monkeypatch.setattr(run, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        run.run_bench(as_json=True, out=path, quick=True)
    assert read_record(path).results == [one]
