"""Surveys of pairs of networks that switch: the law is verified, and wrong laws are refuted."""

from functools import partial

import numpy as np
import pytest

from mcjax import api
from mcjax.errors import InputError
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.switching_rates import rates_by_vertex
from mcjax.models.information import UNIT
from mcjax.network.pairs import PAIRS
from mcjax.study.survey import Survey
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

RESTS_IN_TURN = 0b000010 * 64 + 0b001000
"""Model 0 reads model 1 while that rests, then the other way round."""
EVERY_SECOND = 0b000001 * 64
"""A loop that is fitted in every second generation, and a model that never is."""
PASSED_BY = (0b100000 + 0b000010) * 64 + (0b000100 + 0b001000)
"""Model 0 reads model 1, which reads real data, then the other way round."""
SOUND_TOGETHER = (0b000101 + 0b010000) * 64 + (0b000001 + 0b110000)
"""Loops, of which either reads real data in every second generation."""


def rates(code, without=None, switching="periodic"):
    net = PAIRS[switching].network(code, 2, 1000)
    return rates_by_vertex(net, PAIRS[switching].phases, without)


def test_laws_of_pairs_by_hand():
    """In units of a fit, 1 / 1000; vertices are 0@0, 1@0, 0@1, 1@1."""
    found = rates(RESTS_IN_TURN)
    assert found.collapses.all()
    np.testing.assert_allclose(1000 * found.growth, 1)
    found = rates(EVERY_SECOND)
    assert found.collapses.tolist() == [True, False] * 2
    np.testing.assert_allclose(1000 * found.growth[[0, 2]], 1 / 2)
    assert not rates(EVERY_SECOND, "kept").collapses.any()
    found = rates(PASSED_BY)
    assert found.collapses.tolist() == [True, False, False, True]
    np.testing.assert_allclose(1000 * found.growth[[0, 3]], 1)
    np.testing.assert_allclose(1000 * found.limit[[1, 2]], 1)
    assert not rates(PASSED_BY, "phases").collapses.any()
    assert not rates(PASSED_BY, switching="random").collapses.any()


def test_two_networks_that_collapse_are_sound_in_turn():
    """2,000 rows in the generation with real data, 1,000 in the other: in units of 1 / 1000,
    x = y / 4 + 1 / 2 and y = x + 1, so that x = 1 and y = 2."""
    found = rates(SOUND_TOGETHER)
    assert not found.collapses.any()
    np.testing.assert_allclose(1000 * found.limit, [1, 2, 2, 1])


def test_drawn_pairs_follow_mean_squares_not_squares_of_means():
    """A loop with real data half of the time: x = (x + 1) / 2 + (x / 4 + 1 / 2) / 2, so x = 2;
    with the mean share 3/4 it would be 3/4 / (1 - 9/16) = 12/7."""
    code = 0b01 * 4 + 0b11
    net = PAIRS["random"].network(code, 1, 1000)
    np.testing.assert_allclose(1000 * rates_by_vertex(net, 1).limit, 2)
    np.testing.assert_allclose(1000 * rates_by_vertex(net, 1, "squares").limit, 12 / 7)


def test_equal_networks_have_the_rates_of_one_in_both_phases():
    found = rates(0b000001 * 64 + 0b000001)
    assert found.collapses.tolist() == [True, False] * 2
    np.testing.assert_allclose(1000 * found.growth[[0, 2]], 1)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("switching", "wrong"),
    [("periodic", ("phases", "kept", "closed", "period")), ("random", ("squares", "kept"))],
)
def test_every_sampled_pair_is_verified_and_wrong_laws_are_not(switching, wrong):
    survey = Survey(
        models=2, switching=switching, sample=128, piece=128, generations=64, chains=3072
    )
    pieces = [piece for _, piece in api.survey_pieces(survey)]
    judge = partial(api.judge_pieces, survey, pieces)
    verdict = judge()
    assert (verdict.verdict, set(verdict.networks)) == (VERIFIED, {VERIFIED})
    vertices = survey.models * survey.phases
    assert len(verdict.cells) == 2 * vertices * len(verdict.codes)
    assert 0.05 < verdict.collapses.mean() < 0.3
    names = {cell.model for cell in verdict.cells}
    assert names == ({"0", "1"} if vertices == 2 else {"0@0", "0@1", "1@0", "1@1"})
    for clause in wrong:
        assert judge(clause).verdict == REFUTED


@pytest.mark.statistical
def test_means_by_phase_are_those_of_the_recursion(z_limit):
    """The level of either phase is the mean over the generations of that phase."""
    survey = Survey(models=2, switching="periodic", sample=64, piece=64, generations=17)
    [late] = [piece for _, piece in api.survey_pieces(survey)]
    time = np.arange(18)
    for k, code in enumerate(survey.codes()[0].tolist()):
        c = covariances(linear_system(survey.network(code), UNIT), 17)
        squares = np.diagonal(c, axis1=1, axis2=2)
        for z in (0, 1):
            level = squares[(time >= 8) & ((time - 1) % 2 == z)].mean(0)
            own = late.network(k).moments
            for i in (0, 1):
                error = np.sqrt(own.square[2 * z + i, 1, 1]) / own.chains[2 * z + i]
                assert abs(own.mean[2 * z + i, 1] - level[i]) < max(z_limit * error, 1e-12)


def test_clauses_of_other_surveys_are_refused():
    with pytest.raises(InputError, match="give closed, self-loop or period"):
        api.judge_pieces(Survey(models=1), [], "phases")
    with pytest.raises(InputError, match="kept or squares"):
        api.judge_pieces(Survey(models=1, switching="random"), [], "period")
