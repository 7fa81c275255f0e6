"""What reports show of generated rows, and of what models learn of each other's tasks."""

import dataclasses
import io
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generators_of_tests import GAUSSIAN, study
from rich.console import Console

import mcjax
from mcjax.figures.generated import _tiled, samples_png
from mcjax.generators.judge import judge_generators
from mcjax.generators.simulate import simulate
from mcjax.report.generators import GeneratorStore, generators_json, show_generators

TEXTS = dataclasses.replace(
    GAUSSIAN, show=lambda rows: [f"{row:.3f}\n[b]" for row in rows], about="normal numbers"
)


@pytest.fixture(scope="module")
def made():
    return study("stable", generator=TEXTS, generations=3, chains=70)


@pytest.fixture(scope="module")
def stops(made):
    found = []
    simulate(made, report=lambda added, measured: found.append(measured()))
    return found


@pytest.fixture(scope="module")
def verification(made, stops):
    return judge_generators(made, stops[-1])


def test_texts_are_of_the_first_chain_and_of_all_generations(made, stops):
    shown = stops[-1].shown[0]
    assert shown.shape == (4, 4, 2)
    assert (shown[:, 0] == shown[0, 0]).all()  # a frozen teacher
    assert all((shown[1:, 1:] != shown[:-1, 1:]).ravel())
    few = simulate(dataclasses.replace(made, chains=3))
    assert (few.shown[0] == shown).all()


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_texts_are_kept_where_a_run_is_stopped(made, stops, stop, tmp_path):
    """In the first block, after it, and in the second one."""
    file = tmp_path / "study.toml"
    file.write_text("# a study", encoding="utf-8")
    store = GeneratorStore(tmp_path / "results", made, file)
    store.save(stops[stop])
    again = simulate(made, store.load())
    np.testing.assert_array_equal(again.values[0], stops[-1].values[0])
    assert (again.shown[0] == stops[-1].shown[0]).all()


EXPECTED = dataclasses.replace(
    TEXTS, about="", expected=lambda key, params, n: jnp.zeros((n, *jnp.shape(params))) + params
)


def test_expectations_are_shown_in_place_of_rows(made):
    """And change nothing else."""
    other = study("stable", generator=EXPECTED, generations=3, chains=3)
    seen, plain = simulate(other), simulate(dataclasses.replace(made, chains=3))
    np.testing.assert_array_equal(seen.values[0], plain.values[0])
    means = seen.values[0][0, :, :, 0]
    shown = [[f"{mean:.3f}\n[b]" for mean in row] for row in means]
    assert (seen.shown[0] == np.array(shown)[:, :, None]).all()
    assert "Samples are expectations" in " ".join(judge_generators(other, seen).notes)
    assert "Samples" not in " ".join(judge_generators(made, plain).notes)


@pytest.mark.parametrize("stop", [1, 3, 5])
@pytest.mark.parametrize("before", [dataclasses.replace(GAUSSIAN, show=None), TEXTS])
def test_a_folder_that_showed_something_else_goes_on_and_says_so(
    made, stops, before, stop, tmp_path
):
    """One of an earlier version, in which nothing was shown, or rows and not expectations."""
    file = tmp_path / "study.toml"
    file.write_text("# a study", encoding="utf-8")
    shown = stops[stop] if before.show else without_samples(stops[stop])
    old = study("stable", generator=before, generations=3, chains=70)
    GeneratorStore(tmp_path / "results", old, file).save(shown)
    new = study("stable", generator=EXPECTED, generations=3, chains=70)
    again = simulate(new, GeneratorStore(tmp_path / "results", new, file).load())
    np.testing.assert_array_equal(again.values[0], stops[-1].values[0])
    assert again.shown == (None,)
    verification = judge_generators(new, again)
    assert "No samples of stable are shown, because the folder is of an" in verification.notes[0]
    assert samples_png(verification) == b""


def without_samples(measured):
    """Return what an earlier version has kept."""
    running = measured.running
    if running is not None:
        running = running._replace(block=running.block._replace(shown=None))
    return measured._replace(shown=(None,), running=running)


def test_texts_are_reported(made, verification, tmp_path):
    output = io.StringIO()
    show_generators(Console(file=output, width=200), verification, 0.0)
    shown = verification.shown[0]
    first = str(shown[3, 1, 0]).partition("\n")[0]
    assert rf"3  {first}\n[b]" in output.getvalue()
    assert "normal numbers" in output.getvalue()
    assert "Fits start from scratch: at init\n" in output.getvalue()
    samples = generators_json(verification)["samples"]["stable"]["1"]
    assert samples == shown[:, 1].tolist()
    file = tmp_path / "study.toml"
    file.write_text("# a study", encoding="utf-8")
    GeneratorStore(tmp_path / "results", made, file).finish(verification)
    text = Path(tmp_path, "results", "samples.txt").read_text(encoding="utf-8")
    assert text.startswith(f"== stable, 0, t = 0\n{shown[0, 0, 0]}\n")
    assert text.count("== ") == shown.size


def test_chains_of_a_folder_are_counted_where_fewer_are_asked_for(made, stops):
    verification = judge_generators(dataclasses.replace(made, chains=64), stops[-1])
    output = io.StringIO()
    show_generators(Console(file=output, width=200), verification, 0.0)
    assert "; 70 chains for each condition" in output.getvalue()
    assert "70 chains" in str(verification)


def test_pictures_are_numbers_in_json_alone(tmp_path):
    pictures = dataclasses.replace(GAUSSIAN, show=lambda rows: np.ones((2, 3, 3)))
    verification = mcjax.verify_generators(study("stable", generator=pictures, generations=1))
    assert verification.shown[0].shape == (2, 4, 2, 3, 3)
    output = io.StringIO()
    show_generators(Console(file=output, width=200), verification, 0.0)
    assert "generated" not in output.getvalue()
    found = json.dumps(generators_json(verification)["samples"]["stable"]["0"])
    assert json.loads(found) == np.ones((2, 2, 3, 3)).tolist()


def test_pictures_are_drawn_by_model_and_generation():
    shown = np.random.default_rng(0).random((2, 4, 2, 3, 5))
    pictures = dataclasses.replace(GAUSSIAN, show=lambda rows: np.zeros((2, 3, 5)))
    verification = mcjax.verify_generators(study("stable", generator=pictures, generations=1))
    whole = _tiled(shown[:, :, 0])
    assert whole.shape == (15, 11)
    np.testing.assert_array_equal(whole[8:11, 6:], shown[1, 2, 0])
    assert whole.mask[3].all()
    assert not whole.mask[0, :5].any()
    drawn = [
        samples_png(dataclasses.replace(verification, shown=(rows,)))
        for rows in (shown, np.repeat(shown[..., None], 3, -1), shown[..., 0], None)
    ]
    assert [file[:4] for file in drawn] == [b"\x89PNG", b"\x89PNG", b"", b""]


def test_changes_of_losses_are_reported():
    losses = dataclasses.replace(
        GAUSSIAN,
        measure=lambda key, params, rows: {f"loss on {k}": (params - k) ** 2 for k in range(4)},
    )
    verification = mcjax.verify_generators(study("stable", generator=losses, generations=2))
    output = io.StringIO()
    show_generators(Console(file=output, width=200), verification, 0.0)
    change = verification.values[0] - verification.values[0][:, :1]
    own = np.einsum("ctmm->ct", change) / 4
    told = generators_json(verification)["transfers"]["stable"]
    np.testing.assert_allclose(told["own data"]["change"], own.mean(0), rtol=1e-12)
    error = own.std(0, ddof=1) / len(own) ** 0.5
    np.testing.assert_allclose(told["own data"]["standard_error"][1:], error[1:], rtol=1e-12)
    assert set(told) == {"own data", "others' data"}
    assert "change of the loss since t = 0" in output.getvalue()
    assert (
        jax.tree.leaves(generators_json(mcjax.verify_generators(study("stable")))["transfers"])
        == []
    )
