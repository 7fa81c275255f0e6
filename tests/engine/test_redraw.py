"""The data drawn again are those that the chain fitted: fitting them gives its estimates."""

import numpy as np
import pytest

from mcjax import api
from mcjax.errors import InputError
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

THETA = (0.5, -0.5)
COVARIANCE = [[1.0, 0.3], [0.3, 2.0]]
FEEDS = [
    ("a", "a", 61, 2.0),
    ("real", "a", 70),
    ("a", "b", 80),
    ("b", "c", 33),
    ("a", "c", 45),
]


NETWORKS = {
    "private": build_network("abc", FEEDS, 90),
    "shared": topologies.star(3, samples=60, real=41, initial=101, draws="shared"),
    "reused": build_network(
        "ab", [("a", "b", 50), ("real", "a", 77), ("b", "a", 40)], 77, real="reused"
    ),
}


def study_of(model, chains=4, **options):
    """All networks and a larger one, so that one program, which is padded, serves them all."""
    own = {key: options.pop(key) for key in ("design",) if key in options}
    large = topologies.ring(5, samples=90, real=90, initial=120)
    conditions = [
        condition(net, model, THETA, COVARIANCE, label=name, seed=3, **own)
        for name, net in (NETWORKS | {"large": large}).items()
    ]
    return Study(tuple(conditions), generations=3, chains=chains, **options)


def joined(data):
    """All rows that one model fitted, in float64."""
    parts = [[np.asarray(leaf, float) for leaf in part] for part in data.values()]
    return [np.concatenate(leaves, axis=-1) for leaves in zip(*parts, strict=True)]


def logistic_fit(x, y, weight):
    """Newton's method, by itself."""
    theta = np.zeros(len(x))
    for _ in range(50):
        p = 1 / (1 + np.exp(-theta @ x))
        hessian = (weight * p * (1 - p) * x) @ x.T
        theta = theta + np.linalg.solve(hessian, x @ (weight * (y - p)))
    return theta


CASES = {
    **{name: (name, logistic(), logistic_fit, {}) for name in NETWORKS},
    "fixed": ("private", logistic(), logistic_fit, {"design": "fixed"}),
    "float64": ("private", logistic(), logistic_fit, {"precision": "float64"}),
}


@pytest.mark.system
@pytest.mark.parametrize("name", CASES)
def test_refitting_the_data_gives_the_estimates(name):
    label, model, refit, options = CASES[name]
    net, study = NETWORKS[label], study_of(model, **options)
    found = api.replay(study, label, 2)
    other = api.replay(study, label, 3)
    data = list(api.replay_data(study, label, 2, found))
    assert len(data) == 4
    for t, fits in enumerate(data):
        for i, own in enumerate(fits):
            assert {origin: len(d.y) for origin, d in own.items()} == {
                f.origin: f.samples for f in net.reads(t)[i]
            }
            theta = refit(*joined(own))
            np.testing.assert_allclose(theta, found.theta[t, i], atol=1e-8)
            assert np.abs(theta - other.theta[t, i]).max() > 1e-3


@pytest.mark.system
def test_who_shares_reads_the_same_rows_and_others_do_not():
    study = study_of(logistic())
    found = api.replay(study, "shared", 0)
    for fits in list(api.replay_data(study, "shared", 0, found))[1:]:
        np.testing.assert_array_equal(fits[1]["0"].x, fits[2]["0"].x)
        np.testing.assert_array_equal(fits[1]["0"].y, fits[2]["0"].y)
        assert (fits[0]["1"].x != fits[0]["2"].x).all()


@pytest.mark.system
@pytest.mark.parametrize(("draws", "same"), [("reused", True), ("private", False)])
def test_real_rows_of_every_generation(draws, same):
    study = study_of(logistic())
    found = api.replay(study, draws, 0)
    first, *later = (fits[0]["real"].x for fits in api.replay_data(study, draws, 0, found))
    for x in later:
        assert np.array_equal(x, first[:, : x.shape[1]]) == same


@pytest.mark.system
def test_no_data_where_nothing_was_fitted():
    """Frozen models, and models that read a lost one; a lost model's own data are there."""
    net = build_network("abf", [("a", "a", 8), ("a", "b", 300)], {"a": 8, "b": 300, "f": 300})
    study = Study((condition(net, logistic(), (1.0, 1.0)),), generations=3, chains=64)
    kinds = set()
    for chain in range(20):
        found = api.replay(study, "", chain)
        for status, fits in zip(
            found.status, api.replay_data(study, "", chain, found), strict=True
        ):
            for code, own in zip(status, fits, strict=True):
                idle = code in (Status.NOT_FITTED, Status.PARENT_FAILED)
                assert (own == {}) == idle
                kinds.add(int(code))
    assert kinds == {
        Status.CONVERGED, Status.SEPARATED, Status.NOT_FITTED, Status.PARENT_FAILED
    }  # fmt: skip


@pytest.mark.system
def test_separated_data_are_separated():
    """The reason a fit failed can be seen in its data."""
    net = topologies.self_loop(samples=6, initial=6)
    study = Study((condition(net, logistic(), (1.0,)),), generations=0, chains=64)
    seen = set()
    for chain in range(20):
        found = api.replay(study, "", chain)
        [[own]] = api.replay_data(study, "", chain, found)
        side = own["real"].x[0] * (2 * own["real"].y - 1)
        apart = (side > 0).all() or (side < 0).all()
        assert (found.status[0, 0] == Status.SEPARATED) == apart
        seen.add(apart)
    assert seen == {True, False}


def test_no_rows_where_statistics_were_drawn():
    study = study_of(linear())
    found = api.replay(study, "private", 0)
    with pytest.raises(InputError, match="sufficient statistics"):
        next(api.replay_data(study, "private", 0, found))


@pytest.mark.parametrize("chain", [-1, 2**32])
def test_numbers_no_chain_has(chain):
    with pytest.raises(InputError, match=f"chain: is {chain}; give a whole number from 0 to"):
        api.replay(study_of(linear()), "private", chain)
