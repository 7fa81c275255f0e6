"""The law around rows of data is that of chains, and laws that trust the model are not."""

import numpy as np
import pytest
from rows import FRAME, MODELS, N, data_for, loop
from scipy.special import ndtr

import mcjax
from mcjax.laws.first_order.population_path import Populations

pytestmark = pytest.mark.statistical


def verdicts(condition, laws=None, **settings):
    settings = {"generations": 2, "chains": 4096, "tolerance": 0.15} | settings
    return mcjax.verify(mcjax.Study((condition,), **settings), laws=laws)


def of_model(condition, sigma=None):
    """Return the law of the model itself, which takes the rows to be as it describes them."""
    model = condition.model if sigma is None else mcjax.linear(sigma=sigma)
    trusted = mcjax.condition(
        condition.network, model, condition.theta, covariance=condition.data.second_moments
    )

    def law(_, generations):
        study = mcjax.Study((trusted,), generations=generations)
        return None, mcjax.predict(study)[0].laws["first_order"].covariance

    return mcjax.user_law(law, name="of the model")


def test_the_homoscedastic_law_is_refuted():
    """Least squares, whose noise grows with a covariate: the law of the rows holds."""
    data = data_for("linear")
    fitted = mcjax.condition(loop(400), mcjax.linear(), data=data)
    spread = float(np.std(data.y - data.x @ fitted.theta))
    condition = mcjax.condition(loop(400), mcjax.linear(sigma=spread), data=data)
    result = verdicts(condition, laws=[of_model(condition, spread)])
    by_law = {
        law: {cell.verdict for cell in result.cells if cell.law == law}
        for law in ("first_order", "of the model")
    }
    assert by_law == {"first_order": {"verified"}, "of the model": {"refuted"}}


def test_probit_of_rows_that_it_does_not_describe():
    """The inverse of the information is not the covariance of its fits."""
    bent = ndtr(2 * np.sin(3 * FRAME["a"]) + FRAME["b"] ** 2 - 2)
    frame = FRAME.assign(answer=np.random.default_rng(4).random(N) < bent)
    condition = mcjax.condition(loop(500), mcjax.probit(), data=data_for("probit", frame))
    score = Populations(condition).of(1, condition.theta[None]).score(condition.theta)

    def inverse(_, generations):
        first = np.linalg.inv(score.by_reader) / 1000
        covariance = [first]
        for _ in range(generations):
            covariance.append(first + covariance[-1] / 4)
        return None, np.array(covariance)

    law = mcjax.user_law(inverse, name="inverse")
    result = verdicts(condition, laws=[law], tolerance=0.25, quantities=("covariance",))
    found = {cell.law: cell.verdict for cell in result.cells}
    assert found == {"first_order": "verified", "inverse": "refuted"}


@pytest.mark.parametrize("name", ["huber", "logistic", "poisson"])
def test_the_path_moves_between_two_files(name):
    """One model reads all rows, the other those on one side, and its output."""
    late = data_for(name, FRAME[FRAME["a"] > -0.4])
    feeds = [("real", "0", 600), ("0", "0", 600), ("late", "1", 500), ("0", "1", 700)]
    sources = [mcjax.Source("late", data=late)]
    network = mcjax.build_network(["0", "1"], feeds, initial=1200, sources=sources)
    condition = mcjax.condition(network, MODELS[name], data=data_for(name))
    assert np.abs(condition.sources.offsets[1]).max() > 0.02
    judged = ("bias", "covariance") if name == "huber" else ("bias", "mse")
    result = verdicts(condition, quantities=judged, tolerance=0.3 if name == "huber" else 0.15)
    assert {cell.verdict for cell in result.cells} == {"verified"}


def test_normal_covariates_like_those_of_the_rows():
    data = data_for("logistic", synthetic_covariates="normal")
    condition = mcjax.condition(loop(500), mcjax.logistic(), data=data)
    result = verdicts(condition)
    assert {cell.verdict for cell in result.cells} == {"verified"}


def test_a_ladder_draws_from_the_same_rows():
    base = mcjax.condition(loop(100), MODELS["linear"], data=data_for("linear"), label="n")
    rungs = mcjax.ladder(base, (1, 2))
    assert [rung.network.initial for rung in rungs] == [(200,), (400,)]
    assert all(rung.data is base.data for rung in rungs)
    assert all((rung.theta == base.theta).all() for rung in rungs)
