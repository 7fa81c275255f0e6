"""Lost chains are counted by model, generation and reason, and no mean hides them."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.tiles import summarise
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import build_network
from mcjax.report.tables import show_verification
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import INCONCLUSIVE
from mcjax.verdicts.failures import lost_chains


def test_losses_of_known_chains():
    """Four chains of two models; the first model loses one at t = 1 and another at t = 2."""
    theta = np.arange(24.0).reshape(1, 4, 3, 2, 1)
    status = np.zeros((1, 4, 3, 2), np.int32)
    status[0, 1, 1:, 0] = Status.SEPARATED, Status.PARENT_FAILED
    status[0, 2, 2, 0] = Status.STEP_LIMIT
    theta[0, :, :, :, 0][status[0] > 0] = np.nan
    [outcome] = summarise(Trajectory(theta, status, 0 * status), np.zeros(1))
    net = build_network("ab", [("a", "a", 9)], 9)
    [loss] = lost_chains([condition(net, linear(), [0.0], label="x")], [outcome])
    assert (loss.condition, loss.model) == ("x", "a")
    assert loss.rates == {
        "separated": (0, 0.25, 0),
        "step_limit": (0, 0, 0.25),
        "parent_failed": (0, 0, 0.25),
    }
    assert loss.lost == (0, 0.25, 0.5)
    squares = theta[0, :, :, 0, 0] ** 2
    np.testing.assert_allclose(loss.mse, np.nanmean(squares, 0))
    np.testing.assert_allclose(loss.mse_complete, squares[[0, 3]].mean(0))


def test_no_chain_left():
    theta = np.full((1, 3, 2, 1, 1), np.nan)
    status = np.full((1, 3, 2, 1), Status.SEPARATED, np.int32)
    [outcome] = summarise(Trajectory(theta, status, 0 * status), np.zeros(1))
    net = build_network("a", [("a", "a", 9)], 9)
    [loss] = lost_chains([condition(net, linear(), [0.0])], [outcome])
    assert loss.lost == (1, 1)
    assert np.isnan([*loss.mse, *loss.mse_complete]).all()


@pytest.fixture(scope="module")
def absorbed():
    """A logistic regression on its own output: sooner or later its labels separate."""
    net = build_network("ab", [("a", "a", 40), ("a", "b", 40)], 40)
    one = condition(net, logistic(), np.ones(3))
    study = Study((one,), generations=12, chains=512, tolerance=0.2)
    return study, api.verify(study)


@pytest.mark.system
def test_separation_absorbs(absorbed):
    _, found = absorbed
    first, reader = found.losses
    assert np.all(np.diff(first.lost) >= 0)
    assert first.lost[-1] > 0.5
    assert sum(first.rates["separated"]) == pytest.approx(first.lost[-1])
    # whoever reads a lost model is lost a generation later
    np.testing.assert_allclose(reader.rates["parent_failed"][1:], first.lost[:-1])
    assert first.mse_complete[3] < first.mse[3]  # those that stay were nearer all along


def test_no_cell_is_judged_on_survivors(absorbed):
    study, found = absorbed
    for cell in found.cells:
        if cell.lost > 0.1 * study.tolerance * study.chains:
            assert cell.verdict == INCONCLUSIVE
            assert cell.note == f"{cell.lost} of 512 chains have no estimate"
            assert cell.interval == (-np.inf, np.inf)
    assert found.verdict == INCONCLUSIVE


def test_the_table_shows_no_mean_of_survivors(absorbed, capsys):
    study, found = absorbed
    show_verification(Console(width=132), study, api.predict(study), found, 1.0)
    out = capsys.readouterr().out
    assert "Chains lost" in out
    assert f"{found.cells[-1].chains} left" in out
    assert "too many chains have no estimate" in out
    assert out.count("Not judged") <= 2


def test_the_table_says_at_which_generations_nothing_is_judged(absorbed, capsys):
    study, found = absorbed
    plain = [replace(cell, note="") for cell in found.cells]
    some = [replace(c, note="heavy tail" if c.generation in (1, 3) else "") for c in plain]
    every = [replace(c, note="heavy tail") for c in plain]
    law = found.cells[0].law
    for cells, told in (
        (some, f"Not judged: mse of a, b by {law} at generations 1, 3: heavy tail"),
        (every, f"Not judged: mse of a, b by {law}: heavy tail"),
    ):
        noted = replace(found, cells=tuple(cells))
        show_verification(Console(width=132), study, api.predict(study), noted, 1.0)
        assert told in capsys.readouterr().out.splitlines()
