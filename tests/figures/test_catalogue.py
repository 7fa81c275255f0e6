"""Every figure there is, drawn small: its files, its curves and its table."""

import csv
import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import jax
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import mcjax
from mcjax.errors import InputError
from mcjax.figures import (
    entities,
    every_network,
    exploding_pair,
    explosion_map,
    fine_tuned,
    ladder,
    mediated,
    real_data,
    small_samples,
    three_failures,
    top_p,
    verifier,
    workflows,
)
from mcjax.figures.catalogue import FIGURES
from mcjax.figures.files import MADE_BY, refuse_foreign, save
from mcjax.generators.characters import random_params
from mcjax.generators.lm_entities import lm_entities
from mcjax.plot.style import figure
from mcjax.published.memory import graphs

pytestmark = pytest.mark.system

COMMITTED = Path(mcjax.__file__).parents[1] / "figures"
SMALL = {
    ladder: {"LADDERS": ("linear", "logistic"), "RUNGS": (50, 100)},
    small_samples: {"SHOWN": ("linear", "poisson"), "RUNGS": (50, 100), "BETWEEN": 2},
    every_network: {"MODELS": 2},
    explosion_map: {"PARAMETERS": (3, 10), "SHARES": np.linspace(0, 0.6, 5)},
    fine_tuned: {"GENERATIONS": 3},
    real_data: {"RUNGS": (50, 100), "GENERATIONS": 2},
    mediated: {"COUNTS": (2,), "ALPHAS": (0.0, 0.5), "DRAWS": 1, "GENERATIONS": 3},
    workflows: {"LAST": 2, "N": 1000, "graphs": lambda n: dict([*graphs(n).items()][:2])},
}
KEYS = {  # what tells the points of a curve from those of others
    "topologies": ("condition", "model", "law", "quantity"),
    "flip": ("condition", "model", "law", "quantity"),
    "workflows": ("panel", "condition", "law", "quantity"),
    "three-failures": ("panel", "condition", "law", "quantity"),
    "top-p": ("panel", "condition", "law", "quantity"),
    "taking-turns": ("panel", "condition", "law", "quantity"),
    "fine-tuned": ("panel", "condition", "law", "quantity"),
    "mediated-transfer": ("alpha", "law", "quantity"),
    "entities": ("alpha", "law", "quantity"),
}


def few_entities(chains):
    """One generation of hardly trained entities, at two weights of the pool."""
    study = builtin_entities(4)
    generator = lm_entities(steps=1, base_steps=1)
    conditions = [replace(condition, generator=generator) for condition in study.conditions[1:]]
    return replace(study, conditions=tuple(conditions), generations=1)


KEY = jax.random.key(0)
builtin_entities = entities.study_of
SMALL[entities] = {"study_of": few_entities}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw every figure with few chains; returns the folder and the figures by name."""
    folder = tmp_path_factory.mktemp("figures")
    figures, save_figure = {}, Figure.savefig

    def keep(fig, path, **settings):
        figures[Path(path).stem] = fig
        save_figure(fig, path, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", keep)
        patch.setattr("mcjax.generators.lm_docs.HELD_OUT", 8)
        patch.setattr("mcjax.generators.lm_entities.pretrained", lambda steps: random_params(KEY))
        patch.setattr("mcjax.generators.lm_entities.GENERATED", 16)
        for module, settings in SMALL.items():
            for name, value in settings.items():
                patch.setattr(module, name, value)
        for name, draw in FIGURES.items():
            paths = draw(folder, 64)
            assert [path.name for path in paths] == [f"{name}.{k}" for k in ("pdf", "png", "csv")]
    return folder, figures


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", FIGURES)
def test_files(drawn, name):
    folder, _ = drawn
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    rows = table(folder / f"{name}.csv")
    about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert about["made_by"] == MADE_BY
    assert about["figure"] == name
    assert list(about["columns"]) == list(rows[0])
    assert all(about["columns"].values())
    assert {"law", "quantity"} <= set(rows[0])
    points = [tuple(row.items()) for row in rows]
    assert len(set(points)) == len(points)


@pytest.mark.parametrize("name", KEYS)
def test_curves_are_of_one_law_and_go_forward(drawn, name):
    """No two lines of a panel are the same, and none goes back."""
    folder, figures = drawn
    rows = table(folder / f"{name}.csv")
    for _, own in groupby(rows, key=lambda row: [row[key] for key in KEYS[name]]):
        at = [float(row.get("x", row["generation"])) for row in own]
        assert at == sorted(set(at))
    if name in ("topologies", "flip"):
        assert len({row["law"] for row in rows}) == 1
    for axes in figures[name].axes:
        lines = [
            line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2
        ]
        for line in lines:
            assert (np.diff(line.get_xdata()) > 0).all()


def predicted(folder, name, quantity="mean"):
    """The lines of a figure: numbers by generation, by panel and condition."""
    lines = {}
    for row in table(folder / f"{name}.csv"):
        if row["quantity"] == quantity:
            line = lines.setdefault((row["panel"], row["condition"]), [])
            line.append(float(row["predicted"]))
    return lines


def test_selected_feeds_are_drawn_as_they_are_known(drawn):
    """Against closed forms: heat, and tails that top-p cuts off."""
    folder, _ = drawn
    for failure in three_failures.FAILURES:
        name = failure.name
        t = np.arange(three_failures.GENERATIONS + 1)
        centre = predicted(folder, "three-failures")[name, name]
        assert_allclose(centre, three_failures.TRUTH / failure.temperature**t, rtol=1e-6)
    for real, name in zip(top_p.SHARES, ("own output alone", "20% real data"), strict=True):
        for k in range(3, 6):
            end = predicted(folder, "top-p", f"mean {k + 1}")[name, name][-1]
            assert end == pytest.approx(real * top_p.CLASSES[k], rel=1e-9)


def test_verified_feeds_are_drawn_where_they_settle(drawn):
    """At the roots of what verified and real rows say, found by a simulator of its own."""
    folder, _ = drawn
    centres = predicted(folder, "verifier")
    variances = predicted(folder, "verifier", "variance")
    settled = {"90%": (0.86308, 0.57867), "50%": (0.35730, 1.17309), "10%": (0.04646, 1.03818)}
    slowest = 0.27624**verifier.GENERATIONS  # contraction at 90%, over the generations drawn
    for share, (centre, spread) in settled.items():
        place = "mixed", f"{share} verified"
        assert centres[place][-1] == pytest.approx(centre, abs=slowest + 5e-6)
        assert variances[place][-1] == pytest.approx(spread, rel=10 * slowest, abs=5e-6)


def test_fine_tuned_models_grow_by_their_progress(drawn):
    """In a loop, by the squared share of the way to the minimum over that of a refit."""
    folder, _ = drawn
    for k, curvature in enumerate(fine_tuned.CURVATURE, 1):
        lines = predicted(folder, "fine-tuned", f"variance {k}")
        slopes = [
            np.diff(lines[f"curvature {curvature:g}", f"own output, {how}"])[-1]
            for how in ("fine-tuned", "refit")
        ]
        assert slopes[0] / slopes[1] == pytest.approx((1 - (1 - curvature / 2) ** 4) ** 2)


def test_the_pair_explodes_at_its_radius(drawn):
    folder, _ = drawn
    lines = predicted(folder, "exploding-pair", "mse")
    grows = np.array(lines["mse", "covariates differ"])
    assert grows[-1] / grows[-3] == pytest.approx(2.36332**4, rel=1e-3)
    sound = np.array(lines["mse", "one law of covariates"])
    n = 2 * exploding_pair.HALF
    assert sound[-1] == pytest.approx(4 / 3 * 2 / n, rel=1e-4)  # n C = n C / 4 + I


def test_second_order_departs_like_1_over_n_and_its_doubtful_part_is_told(drawn):
    folder, figures = drawn
    rows = table(folder / "small-samples.csv")
    for family in SMALL[small_samples]["SHOWN"]:
        law = [r for r in rows if (r["family"], r["law"]) == (family, "second_order")]
        slopes = [float(r["rows"]) * (float(r["ratio"]) - 1) for r in law]
        assert [int(r["rows"]) for r in law] == [50, 70, 100]
        assert_allclose(slopes, slopes[0], rtol=1e-6)
    judged = {(r["family"], r["rows"]): r["judged"] for r in rows if r["law"] == "second_order"}
    assert judged["linear", "50"] == "True"
    assert judged["poisson", "50"] == "False"
    assert judged["poisson", "100"] == "True"
    whole, certain = figures["small-samples"].axes[1].lines[1:3]
    assert np.isfinite(whole.get_ydata()).all()
    assert np.isnan(certain.get_ydata()).tolist() == [
        judged["poisson", n] == "False" for n in ("50", "70", "100")
    ]


@pytest.mark.parametrize("name", FIGURES)
def test_committed_figures_are_of_this_program(drawn, name):
    """Their tables have the columns that the program writes, and a record that it drew them."""
    folder, _ = drawn
    if not COMMITTED.is_dir():
        pytest.skip("this is no copy of the repository")
    refuse_foreign(COMMITTED, name)
    heads = [list(table(at / f"{name}.csv")[0]) for at in (folder, COMMITTED)]
    assert heads[0] == heads[1]
    records = [json.loads((at / f"{name}.json").read_text()) for at in (folder, COMMITTED)]
    assert records[0] == records[1]


def one_point(folder, name="mine"):
    with figure(1, 1, 1) as (fig, _):
        return save(fig, folder, name, [{"model": "a", "predicted": 1}], "a point")


def test_tables_leave_out_digits_that_differ_between_processors(tmp_path):
    with figure(1, 1, 1) as (fig, _):
        rows = [{"model": "a", "chains": 10**10 + 1, "predicted": np.float64(200 / 3)}]
        save(fig, tmp_path, "mine", rows, "a point")
    assert (tmp_path / "mine.csv").read_text().splitlines()[1] == "a,10000000001,66.6666667"


@pytest.mark.parametrize("kind", ["png", "pdf", "csv", "json"])
def test_files_of_someone_else_are_not_written_over(tmp_path, kind):
    path = tmp_path / f"mine.{kind}"
    path.write_text("[]")
    with pytest.raises(InputError, match=r"mine\.\w+: --out: is not overwritten, as mine.json"):
        one_point(tmp_path)
    assert path.read_text() == "[]"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    path.unlink()
    one_point(tmp_path)
    one_point(tmp_path)  # its own are


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        one_point(tmp_path / "file")


def test_a_figure_that_fails_is_named_and_stops_no_other(tmp_path, monkeypatch, capsys):
    from mcjax.cli import main

    def broken(folder, chains):
        raise ValueError("nothing\nto draw")

    monkeypatch.setitem(FIGURES, "flip", broken)
    monkeypatch.setitem(FIGURES, "ladder", lambda folder, chains: one_point(folder, "ladder"))

    def call(*names):
        monkeypatch.setattr("sys.argv", ["mcjax", "figures", *names, "--out", str(tmp_path)])
        with pytest.raises(SystemExit) as stop:
            main.run()
        return stop.value.code, *capsys.readouterr()

    status, out, err = call("flip", "ladder")
    assert status == 70
    assert [Path(line).name for line in out.split()] == ["ladder.pdf", "ladder.png", "ladder.csv"]
    assert r"mcjax: the figure flip was not drawn: ValueError: nothing\nto draw" in err
    assert "Traceback" not in err
    (tmp_path / "ladder.json").write_text("{}")
    status, out, err = call("ladder")
    assert (status, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "ladder.json does not say that mcjax drew it" in err
