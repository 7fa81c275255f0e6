"""A memory rule written against the public interface alone, from study to verdict."""

import sys
from pathlib import Path

import numpy as np
import pytest

import mcjax

sys.path.insert(0, str(Path(__file__).parent))
from sliding_window import SlidingWindow

pytestmark = pytest.mark.system

GENERATIONS = 3


def study(memory, model=None, theta=(0.5, -0.5), chains=64):
    net = mcjax.topologies.self_loop(samples=20, real=20, initial=40, memory=memory)
    one = mcjax.condition(net, model or mcjax.logistic(), theta)
    return mcjax.Study((one,), generations=GENERATIONS, chains=chains, precision="float64")


@pytest.mark.parametrize(
    ("width", "memory"), [(1, "replace"), (GENERATIONS + 1, "accumulate")], ids=["one", "all"]
)
def test_the_widest_and_the_narrowest_window_are_rules_that_exist(width, memory):
    """Rows and weights are the same, so estimates are, to the tolerance of their paths."""
    windowed, other = (mcjax.replay(study(rule), "", 7) for rule in (SlidingWindow(width), memory))
    np.testing.assert_array_equal(windowed.status, other.status)
    np.testing.assert_allclose(windowed.theta, other.theta, atol=1e-6)


def test_sums_over_the_widest_window_are_over_all_rows():
    """Models with sufficient statistics draw the rows of their pool unless sums add up."""
    studies = [
        study(rule, mcjax.gaussian(), (0.5, 2.0))
        for rule in (SlidingWindow(GENERATIONS + 1), "accumulate")
    ]
    windowed, other = (mcjax.replay(one, "", 7).theta for one in studies)
    np.testing.assert_allclose(windowed, other, atol=1e-10)


def test_a_window_is_fitted_to_its_own_rows():
    """The third generation reads the samples of the second and third, and not the first."""
    one = study(SlidingWindow(2), mcjax.linear())
    trajectory = mcjax.replay(one, "", 7)
    fed = [generation[0] for generation in mcjax.replay_data(one, "", 7, trajectory)]
    for t in range(1, GENERATIONS + 1):
        rows = [data for s in (t - 1, t) for data in fed[s].values()]
        x = np.concatenate([data.x for data in rows], axis=1)
        y = np.concatenate([data.y for data in rows])
        expected = np.linalg.lstsq(x.T, y, rcond=None)[0]
        np.testing.assert_allclose(trajectory.theta[t, 0], expected, atol=1e-6)


def test_no_law_applies_and_the_verdict_says_so():
    result = mcjax.verify(study(SlidingWindow(2)))
    assert result.verdict == "inconclusive"
    assert not result.cells
    assert "sliding window" in result.inapplicable[""]["first_order"]
    assert result.outcomes[0].chains == 64


def test_the_settings_of_a_rule_are_part_of_a_study():
    """A folder of results of one width must not go on with another."""
    nets = [study(SlidingWindow(width)).conditions[0].network for width in (2, 3)]
    assert [net.described()["memory"]["width"] for net in nets] == [2, 3]
    assert study("replace").conditions[0].network.described()["memory"] == "replace"
