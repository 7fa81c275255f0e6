"""A study with a ladder, judged once, and axes of figures that pyplot does not know."""

import pytest
from matplotlib.figure import Figure

import mcjax


@pytest.fixture(scope="session")
def judged():
    """Three models that differ, at three scales; some cells are verified and some are not."""
    feeds = [("a", "a", 20), ("real", "a", 20), ("a", "b$", 20), ("c", "c", 40)]
    net = mcjax.build_network(("a", "b$", "c"), feeds, 40)
    one = mcjax.condition(net, mcjax.linear(), [0.5], label="one")
    study = mcjax.Study(mcjax.ladder(one, [1, 2, 4]), generations=2, chains=512, tolerance=0.4)
    return mcjax.verify(study)


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()
