"""Surveys never refute the law about models of which so few generations do not tell."""

import numpy as np

from mcjax.engine.moments import Moments
from mcjax.engine.powers import sum_pairs
from mcjax.engine.survey import LateErrors, late_weights
from mcjax.laws.first_order.switching_rates import rates_by_vertex, squares_by_generation
from mcjax.solvers.status import Status
from mcjax.study.survey import Survey
from mcjax.verdicts.quantities.collapse import TOO_FEW_GENERATIONS
from mcjax.verdicts.survey import judge_survey

HIDDEN = Survey(models=3, switching="periodic", sample=1, seed=371, generations=16, chains=4096)
"""In phase 0 model 0 collapses, and its growth is .22 of its error after 16 generations."""
SLOW = Survey(models=3, switching="periodic", sample=1, seed=607, generations=16, chains=4096)
"""Nothing collapses, and no limit is reached after 16 generations."""


def judged(survey, slopes=1.0):
    """Judge chains with the law's own slopes, times a factor, and its levels, with some noise."""
    network, size, chains = survey.network(int(survey.codes()[0][0])), survey.models, survey.chains
    squares = squares_by_generation(network, survey.generations)
    own = (late_weights(survey.generations, survey.phases) @ squares).reshape(2, -1)
    own[0] *= slopes
    noise = np.random.default_rng(0).normal(size=(2, chains, 2 * size))
    both = own[:, None] * (1 + 0.1 * (noise - noise.mean(1, keepdims=True)))
    centred = both - both.mean(1, keepdims=True)
    square = np.einsum("anv,bnv->vab", centred, centred)
    found = Moments(np.full(2 * size, chains), both.mean(1).T, square)
    pairs = np.asarray(sum_pairs(*both.swapaxes(1, 2), np.ones(both[0].T.shape, bool)))
    fits = np.zeros((1, size, len(Status)), int)
    moments = Moments(*(part[None] for part in found))
    late = LateErrors(moments, pairs[None], fits, np.array([chains]))
    return judge_survey(survey, [rates_by_vertex(network, survey.phases)], late)


def verdicts(found, vertex):
    cells = (cell for cell in found.cells if cell.model == vertex)
    return {cell.quantity: (cell.verdict, cell.note) for cell in cells}


def test_hidden_growth_is_inconclusive():
    """Growth itself is as predicted, and claims about other models are verified."""
    found = judged(HIDDEN)
    assert verdicts(found, "0@0")["collapse"] == ("inconclusive", TOO_FEW_GENERATIONS)
    assert verdicts(found, "0@0")["growth"][0] == "verified"
    assert found.verdict == "inconclusive"
    assert {cell.verdict for cell in found.cells if cell.model != "0@0"} == {"verified"}


def test_a_limit_that_is_not_reached_is_inconclusive():
    found = judged(SLOW)
    about = {(cell.quantity, cell.verdict, cell.note) for cell in found.cells}
    word = "inconclusive"
    assert about == {(q, word, TOO_FEW_GENERATIONS) for q in ("collapse", "limit")}


def test_where_growth_shows_a_model_without_it_refutes_the_law():
    found = judged(HIDDEN, slopes=0.0)
    refuted = {cell.model for cell in found.cells if cell.verdict == "refuted"}
    grow = zip(HIDDEN.vertices(), found.collapses[0], strict=True)
    assert refuted == {name for name, grows in grow if grows} - {"0@0"}
