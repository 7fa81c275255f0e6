"""Chains whose data accumulate while something draws their centres away from the truth."""

import numpy as np
import pytest

from mcjax import api
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.models.gaussian import gaussian
from mcjax.models.location import linear
from mcjax.models.penalised import penalised
from mcjax.network import Feed, Source, build_network
from mcjax.selections.best_of import BestOf
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import VERIFIED

pytestmark = pytest.mark.statistical

POOL = {"memory": "accumulate"}


def pair(rows=300, keep=None, **options):
    """Two models that read the truth, and a selection of what one of them generates."""
    feeds = [Feed("a", "a", rows, 1.0, keep), Feed("real", "a", rows // 2)]
    feeds += [Feed("a", "b", rows, 2.0, keep), Feed("real", "b", rows)]
    return build_network("ab", feeds, 2 * rows, **options, **POOL)


OTHER = {
    "best of two, spreading": condition(pair(keep=BestOf(2)), gaussian(), [0.0, 1.0], label="best"),
    "penalty and covariates": condition(
        pair(draws="shared"),
        penalised(linear(), ridge=0.2),
        [1.0],
        label="penalty",
        own_covariances={"a": [[0.3]]},
    ),
}


@pytest.mark.parametrize("name", OTHER)
def test_whatever_draws_centres_away_accumulates(name):
    study = Study((OTHER[name],), generations=3, chains=6144, tolerance=0.15,
                  quantities=("covariance", "bias"))  # fmt: skip
    assert api.verify(study).verdict == VERIFIED


def between(real="fresh", **options):
    """Two models of few rows that read themselves and one another; one reads another truth."""
    feeds = [("far", "a", 6), ("a", "a", 6), ("a", "b", 6), ("b", "a", 6), ("b", "b", 6)]
    far = Source("far", theta=(10.0,), real=real)
    return build_network("ab", feeds, 6, sources=[far], **options)


MEANS = {
    "forgets": (between(draws="shared"), True),
    "accumulates": (between(**POOL), True),
    "reused": (between("reused"), False),
    "shared": (between(draws="shared", **POOL), False),
}


@pytest.mark.parametrize("name", MEANS)
def test_least_squares_has_the_mean_of_its_centres(name, z_limit):
    """At any number of rows, unless shares in a fit depend on the errors of parents."""
    net, exact = MEANS[name]
    one = condition(net, linear(sigma=0.1), [0.0], label=name)
    [tally] = api.simulate(Study((one,), generations=3, chains=65_536))
    error = tally.outcome.moments.error
    law = FirstOrder().predict(one, 3)
    assert law.mse_complete == exact
    off = np.abs(error.mean - law.mean) / error.standard_error()
    assert (off.max() < z_limit) == exact
