"""Laws whose covariance is singular: judged on its range, refuted beyond it or not judged."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.models.generative import categorical
from mcjax.network import Feed, build_network
from mcjax.selections.temperature import Temperature
from mcjax.study.study import Study, condition
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.judge import judge
from mcjax.verdicts.whitening import BEYOND, range_of, whiten

THETA = np.array([0.4, 0.34, 0.26])


def study(temperature=0.7, models=1, chains=8000):
    names = [str(i) for i in range(models)]
    feeds = [
        feed
        for name in names
        for feed in (("real", name, 1000), Feed(name, name, 1000, keep=Temperature(temperature)))
    ]
    one = condition(build_network(names, feeds, 2000), categorical(), THETA)
    return Study((one,), 2, chains, 0.1, quantities=("bias", "covariance", "normality"))


@pytest.mark.statistical
def test_a_law_is_verified_and_a_wrong_one_refuted():
    own = study()
    outcomes = [tally.outcome for tally in api.simulate(own)]
    right, wrong = (
        judge(own, api.predict(s), outcomes) for s in (own, replace(study(0.8), chains=own.chains))
    )
    assert right.verdict == "verified"
    assert {cell.quantity for cell in right.cells} == {"bias", "covariance", "normality"}
    assert wrong.verdict == "refuted"


@pytest.mark.statistical
def test_a_covariance_that_is_off_by_a_fifth_is_refuted():
    own = study(chains=20_000)
    [predictions] = api.predict(own)
    law = predictions.laws["first_order"]
    scaled = replace(law, covariance=1.35 * law.covariance)
    laws = [replace(predictions, laws={"first_order": scaled})]
    found = judge(own, laws, [tally.outcome for tally in api.simulate(own)])
    verdicts = {cell.verdict for cell in found.cells if cell.quantity == "covariance"}
    assert verdicts == {"refuted"}


@pytest.mark.statistical
def test_variation_beyond_the_range_is_not_judged():
    """The law of a model that has lost a class, judged by chains that have not."""
    own = study(chains=256)
    [tally] = api.simulate(own)
    [predictions] = api.predict(own)
    law = predictions.laws["first_order"]
    lost = np.array([[0.2, -0.2, 0.0], [-0.2, 0.2, 0.0], [0.0, 0.0, 0.0]])
    narrow = replace(law, covariance=np.broadcast_to(lost, law.covariance.shape))
    assert (narrow.rank == 1).all()
    laws = [replace(predictions, laws={"first_order": narrow})]
    found = judge(own, laws, [tally.outcome])
    notes = {cell.quantity: cell.note for cell in found.cells if cell.generation == 2}
    assert notes == dict.fromkeys(("bias", "covariance", "normality"), BEYOND)


@pytest.mark.system
def test_whitened_errors_have_as_many_coordinates_as_directions():
    own = study(models=2, chains=512)
    [tally] = api.simulate(own)
    [predictions] = api.predict(own)
    law = predictions.laws["first_order"]
    assert law.rank.tolist() == [[2, 2]] * 3
    whitened = whiten(Comparison(own.conditions[0], law, 0.1), tally.outcome)
    assert whitened.errors.shape == (512, 2, 2)
    for i in range(2):
        np.testing.assert_allclose(whitened.covariance_of(law)[i, :, i], np.eye(2), atol=1e-9)


def test_a_basis_of_the_range():
    block = np.diag(THETA) - np.outer(THETA, THETA)
    basis = range_of(block)
    assert basis.shape == (2, 3)
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(basis.sum(1), 0, atol=1e-12)
