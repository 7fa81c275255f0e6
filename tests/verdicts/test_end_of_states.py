"""Growth that a first-order law foresees for ever, in models of classes, which die out."""

import numpy as np
import pytest

from mcjax import api
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.network import build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.study.theory import theory_for
from mcjax.verdicts.claims import SATURATED
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED

LAWS = {"first_order", "generative"}


def loop(model, theta, rows=50, generations=40, **options):
    net = topologies.self_loop(samples=rows, initial=rows)
    one = condition(net, model, theta)
    return Study((one,), generations=generations, **({"chains": 8192, "tolerance": 0.15} | options))


@pytest.mark.parametrize(
    ("model", "theta"), [(categorical(), (0.5, 0.3, 0.2)), (bernoulli(), (0.4,))], ids=["3", "2"]
)
@pytest.mark.statistical
def test_the_exact_law_decides_where_the_other_does_not_reach(model, theta):
    study = loop(model, theta)
    result = api.verify(study)
    assert {cell.law for cell in result.cells} == LAWS
    exact = [cell for cell in result.cells if cell.law == "generative"]
    assert {cell.verdict for cell in exact} == {VERIFIED}
    limit = [cell for cell in result.cells if cell.law == "first_order"]
    # a share of t / n of the variance is lost, and the law is at most as much off
    early = [cell for cell in limit if cell.generation / 50 <= study.tolerance]
    assert {cell.verdict for cell in early} == {VERIFIED}
    late = [cell for cell in limit if cell not in early]
    assert {(cell.verdict, cell.note) for cell in late} == {(INCONCLUSIVE, SATURATED)}
    assert result.verdict == VERIFIED
    assert result.waiting == ()


@pytest.mark.statistical
def test_a_wrong_exact_law_is_refuted_there():
    study = loop(categorical(), (0.5, 0.3, 0.2))
    wrong = theory_for(study, loop(categorical(), (0.5, 0.3, 0.2), rows=75))
    result = api.verify(study, wrong)
    refuted = {cell.law for cell in result.cells if cell.verdict == REFUTED}
    assert "generative" in refuted
    assert result.verdict == REFUTED


def test_what_is_left_out_bounds_the_departure_from_the_exact_law():
    """On a network, by the laws alone: c_ii of the two laws."""
    feeds = [("a", "a", 30), ("a", "b", 20), ("real", "b", 20), ("b", "c", 25)]
    one = condition(build_network(["a", "b", "c"], feeds, 40), categorical(), (0.6, 0.3, 0.1))
    [found] = api.predict(Study((one,), generations=30))
    first, exact = found.laws["first_order"], found.laws["generative"]
    assert (first.left_out[0] == 0).all()
    assert (np.abs(1 - exact.mse / first.mse) <= first.left_out + 1e-12).all()
    assert (first.left_out[-1] < 3 * np.abs(1 - exact.mse / first.mse)[-1].max()).all()


def test_states_without_an_end_are_reached_for_ever():
    [found] = api.predict(loop(poisson_mean(), (2.0,)))
    assert (found.laws["first_order"].left_out == 0).all()
