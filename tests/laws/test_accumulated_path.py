"""Errors around the path of data that accumulate: closed forms, brute force, other laws, chains."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit

from mcjax import api
from mcjax.laws.first_order.accumulated_path import path_of_pools
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.quantile import quantile
from mcjax.network import Generation, Series, Source, build_network, cycle
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

POOL = {"memory": "accumulate"}
MODELS = {
    "linear": linear(sigma=0.7),
    "logistic": logistic(),
    "poisson": poisson(),
    "huber": huber(1.0, sigma=0.7),
    "median": quantile(0.5, sigma=0.7),
}
COVARIANCE = np.array([[1.2, 0.3], [0.3, 0.9]])


# -------------------------------------------------------------------------------- the closed form


TRUTH, FAR = 2.0, -2.0


def drifting(rows):
    """A model that begins at one truth and is fed another, and little of its own output."""
    feeds = [("far", "0", 2 * rows), ("0", "0", rows // 4)]
    return build_network(1, feeds, rows, sources=[Source("far", theta=(FAR,))], **POOL)


def by_hand(generations, rows, sigma=1.0, at_birth=False):
    """Centres and variances of :func:`drifting` for least squares with x ~ N(0, 1).

    Read at a distance d from its parent, the mean score of n rows
    is ``d + (d h - z) / sqrt(n)`` with z normal and h, which is ``x^2 - 1``, of variance 2. So
    errors are combinations of one z and one h for each sample. With ``at_birth``, the distance is
    for ever that at the birth of the sample.
    """
    samples = [(TRUTH, rows, 0, False)]  # parent's centre, rows, birth, whether of the model
    centres, errors = [], []
    for t in range(generations + 1):
        if t:
            samples += [(FAR, 2 * rows, t, False), (centres[-1], rows // 4, t, True)]
        total = sum(n for _, n, *_ in samples)
        centres.append(sum(n * v for v, n, *_ in samples) / total)
        error = np.zeros((2 * generations + 1, 2))  # by sample, of z and of h
        for k, (v, n, born, own) in enumerate(samples):
            distance = centres[born if at_birth else t] - v
            error[k] += np.sqrt(n) / total * np.array([sigma, -np.sqrt(2) * distance])
            if own:
                error += n / total * errors[born - 1]
        errors.append(error)
    return np.array(centres), np.array([(error**2).sum() for error in errors])


def test_least_squares_on_one_covariate():
    law = FirstOrder().predict(condition(drifting(400), linear(), [TRUTH]), 6)
    centres, variances = by_hand(6, 400)
    np.testing.assert_allclose(TRUTH + law.mean[:, 0, 0], centres, rtol=1e-12)
    np.testing.assert_allclose(law.covariance[:, 0, 0], variances, rtol=1e-11)
    np.testing.assert_allclose(law.mse[:, 0], variances + (centres - TRUTH) ** 2, rtol=1e-11)
    np.testing.assert_allclose(law.limit, (FAR - TRUTH) ** 2)
    assert np.isnan(law.growth).all()


# ------------------------------------------------------------------------------------ brute force


def grid(p, steps=90, reach=7.5):
    """Points and weights of the standard normal distribution."""
    line = np.linspace(-reach, reach, steps)
    x = np.stack(np.meshgrid(*[line] * p, indexing="ij"), -1).reshape(-1, p)
    weight = np.exp(-0.5 * (x**2).sum(1))
    return x, weight / weight.sum()


def dense(one, generations, at_birth=False):
    """Centres (T + 1, M, p) and covariances (T + 1, M p, M p) of logistic regression, from the
    influence of every row: a function of x and y for each sample, on a grid.

    With ``at_birth``, a sample's score is read at the reader's centre of its birth for ever.
    """
    net, (nodes, mass) = one.network, grid(len(one.theta))
    laws, p = one.sources, len(one.theta)
    roots = [np.linalg.cholesky(c) for c in laws.covariance]
    x_of = [nodes @ root.T for root in roots]
    samples, pools, centres, influences = {}, [[] for _ in net.models], [], []
    for t in range(generations + 1):
        for i, feeds in enumerate(net.reads(t)):
            for feed in feeds:
                s = net.source_index.get(feed.origin)
                own = s is not None and not (s and net.sources[s - 1].public)
                private = own or (s is None and not net.shares_draws)
                key = t, feed.origin, i if private else None
                if s is None:
                    parent = net.index[feed.origin]
                    made = x_of[0], centres[t - 1][parent], feed.samples, (t - 1, parent)
                else:
                    made = x_of[s], laws.theta[s], feed.samples, None
                samples[key] = made
                pools[i].append((key, feed.weight * feed.samples))
        now, influence = [], []
        for i, pool in enumerate(pools):
            if not net.reads(t)[i]:
                now.append(centres[-1][i])
                influence.append(influences[-1][i])
                continue
            total = sum(w for _, w in pool)

            def score(m, key):
                x, v, _, _ = samples[key]
                return x.T @ (mass * (expit(x @ m) - expit(x @ v)))

            def slope(m, key):
                x = samples[key][0]
                return (x.T * (mass * expit(x @ m) * expit(-x @ m))) @ x

            found = root_of(
                lambda m: sum(w / total * score(m, key) for key, w in pool),  # noqa: B023
                lambda m: sum(w / total * slope(m, key) for key, w in pool),  # noqa: B023
                one.theta,
            )
            inverse = np.linalg.inv(sum(w / total * slope(found, key) for key, w in pool))
            own = {}
            for key, w in pool:
                x, v, _, parent = samples[key]
                read = found if not at_birth or key[0] == t else centres[key[0]][i]
                gap = expit(x @ read)[:, None] - np.array([0.0, 1.0])  # (points, y)
                part = -w / total * np.einsum("ab,nb,ny->nya", inverse, x, gap)
                own[key] = own.get(key, 0) + part
                if parent is not None:
                    pull = w / total * inverse @ slope(v, key)
                    for other, known in influences[parent[0]][parent[1]].items():
                        own[other] = own.get(other, 0) + known @ pull.T
            now.append(found)
            influence.append(own)
        centres.append(np.array(now))
        influences.append(influence)
    spread = np.zeros((generations + 1, net.size, p, net.size, p))
    for t, generation in enumerate(influences):
        for i, first in enumerate(generation):
            for k, second in enumerate(generation):
                for key in first.keys() & second.keys():
                    x, v, rows, _ = samples[key]
                    share = mass[:, None] * np.stack([expit(-x @ v), expit(x @ v)], -1)
                    a, b = first[key], second[key]
                    means = [np.einsum("ny,nya->a", share, part) for part in (a, b)]
                    both = np.einsum("ny,nya,nyb->ab", share, a, b) - np.outer(*means)
                    spread[t, i, :, k] += both / rows
    return np.array(centres), spread.reshape(generations + 1, net.size * p, -1)


def root_of(function, slope, start):
    return root(function, start, jac=slope, tol=1e-13).x


def sourced(draws="private", later=None):
    """Two truths, weights, covariates of their own, a public source, a frozen model and a start
    from sources."""
    web = Source("web", samples=90, theta=(0.0, 0.8), covariance=((0.8, 0.2), (0.2, 0.6)),
                 public=True)  # fmt: skip
    feeds = [("a", "a", 70), ("b", "a", 60, 2.0), ("far", "a", 100), ("web", "a", 90)]
    feeds += [("a", "b", 70), ("c", "b", 50), ("web", "b", 90), ("real", "b", 80)]
    return build_network(
        "abc",
        feeds if later is None else later(feeds),
        {"b": 150, "c": 120},
        first=[("far", "a", 100, 0.5), ("web", "a", 90)],
        sources=[Source("far", theta=(-1.0, 0.9)), web],
        draws=draws,
        **POOL,
    )


@pytest.mark.parametrize("draws", ["private", "shared"])
def test_logistic_regression_against_brute_force(draws):
    one = condition(sourced(draws), logistic(), [0.8, -0.5], COVARIANCE)
    centres, expected = dense(one, 3)
    law = FirstOrder().predict(one, 3)
    np.testing.assert_allclose(one.theta + law.mean, centres, atol=1e-9)
    np.testing.assert_allclose(law.covariance, expected, rtol=1e-8, atol=1e-8 * expected.max())


# --------------------------------------------------------------------------------- other laws


def random_network(rng):
    models = int(rng.integers(1, 4))
    shared, public = rng.random(2) < 0.5
    names = [str(i) for i in range(models)]
    web = {"samples": 100, "public": bool(public)}
    if rng.random() < 0.5:
        web["covariance"] = ((1.5, 0.2), (0.2, 0.8))

    def rows(origin):
        return 100 if origin == "web" else 77 if shared else int(rng.integers(50, 400))

    feeds = [
        (j, i, rows(j), float(rng.choice([0.5, 1, 2])))
        for i in names
        for j in (*names, "real", "web")
        if rng.random() < 0.5
    ]
    first = [feed for i in names for feed in (("web", i, 100, 0.5), ("real", i, 120))
             if rng.random() < 0.3]  # fmt: skip
    initial = {i: 200 for i in names if i not in [reader for _, reader, *_ in first]}
    draws = "shared" if shared else "private"
    return build_network(
        names, feeds, initial, first=first, sources=[Source("web", **web)], draws=draws, **POOL
    )


@pytest.mark.parametrize("name", MODELS)
def test_where_all_truths_agree_it_is_the_law_around_the_truth(name):
    rng = np.random.default_rng(3)
    for _ in range(8):
        net = random_network(rng)
        one = condition(net, MODELS[name], [0.6, -0.4], COVARIANCE)
        path = path_of_pools(one, 5)
        np.testing.assert_allclose(path.centres, np.broadcast_to(one.theta, path.centres.shape))
        expected = covariances(linear_system(net, information_of(one)[0]), 5)
        exact = name in ("linear", "logistic", "poisson")
        off = 1e-12 if exact else 1e-9
        np.testing.assert_allclose(path.covariance, expected, rtol=off, atol=off * expected.max())


@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_shifts_move_means_as_distant_sources_do(name):
    """Where the distance is a share of 1 / sqrt(n), up to that share of the means."""
    net = sourced()
    far, web = net.sources
    shifted = replace(far, theta=None, shift=(6.0, -3.0), samples=100)
    near = replace(net, sources=(shifted, replace(web, theta=None))).scaled(10**6)
    one = condition(near, MODELS[name], [0.4, -0.3], COVARIANCE)
    law = FirstOrder().predict(one, 4)
    path = path_of_pools(one, 4)
    moved = path.centres - one.theta
    assert np.abs(law.mean).max() > 1e-4
    np.testing.assert_allclose(moved, law.mean, atol=1e-3 * np.abs(law.mean).max())
    np.testing.assert_allclose(path.covariance, law.covariance, rtol=1e-2, atol=1e-12)


def test_the_first_fit_to_a_pool_is_that_of_a_larger_generation():
    """Up to generation 1 a model that accumulates is one that reads its first sample again."""
    far = Source("far", theta=(-1.0, 0.8))
    feeds = [("0", "0", 100), ("far", "0", 60), ("0", "1", 70), ("far", "1", 50)]
    net = build_network(2, feeds, 150, sources=[far], **POOL)
    kept = [*feeds, ("real", "0", 150), ("real", "1", 150)]
    other = build_network(2, kept, 150, sources=[replace(far, real="fresh")], real="reused")
    for model in MODELS.values():
        found = path_of_pools(condition(net, model, [0.6, -0.4]), 1)
        expected = path_of(condition(other, model, [0.6, -0.4]), 1)
        np.testing.assert_allclose(found.centres, expected.centres, atol=1e-12)
        np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-10, atol=1e-17)


CHANGING = {
    "weights": lambda feeds: Series(
        Generation(feeds), Generation([(*feed[:3], 0.5 * k) for k, feed in enumerate(feeds, 1)])
    ),
    "a cycle with pauses": lambda feeds: cycle(
        Generation(feeds[:4]), Generation(feeds[4:]), Generation(feeds)
    ),
}


@pytest.mark.parametrize("name", CHANGING)
def test_feeds_that_change_against_brute_force(name):
    one = condition(sourced(later=CHANGING[name]), logistic(), [0.8, -0.5], COVARIANCE)
    centres, expected = dense(one, 4)
    law = FirstOrder().predict(one, 4)
    np.testing.assert_allclose(one.theta + law.mean, centres, atol=1e-9)
    np.testing.assert_allclose(law.covariance, expected, rtol=1e-8, atol=1e-8 * expected.max())


# ------------------------------------------------------------------------------- the long run


@pytest.mark.system
def test_limits_are_where_models_that_forget_settle():
    one = condition(sourced(), logistic(), [0.8, -0.5], COVARIANCE)
    found = FirstOrder().predict(one, 1)
    forgetful = replace(one, network=replace(one.network, memory="replace"))
    settled = FirstOrder().predict(forgetful, 400).centre_errors[-1]
    squares = (settled[:2] ** 2).sum(1)
    assert (found.limit[:2] > squares).all()  # the frozen model's error stays in its readers
    large = replace(one, network=one.network.scaled(10**6))
    np.testing.assert_allclose(FirstOrder().predict(large, 1).limit[:2], squares, rtol=1e-5)
    off = [np.abs(FirstOrder().predict(one, t).mse[-1] - found.limit) for t in (8, 32)]
    assert (off[1][:2] < 0.8 * off[0][:2]).all()


def test_a_closed_loop_has_no_known_limit():
    far = Source("far", theta=(2.0,))
    net = build_network("a", [("a", "a", 50)], first=[("far", "a", 40), ("real", "a", 40)],
                        sources=[far], **POOL)  # fmt: skip
    law = FirstOrder().predict(condition(net, logistic(), [0.5]), 3)
    assert np.isnan(law.limit).all()
    assert np.isnan(law.growth).all()
    np.testing.assert_allclose(law.mean - law.mean[0], 0, atol=1e-9)  # it keeps its centre


# ---------------------------------------------------------------------------------- simulation

LADDER = (4, 8)


def rungs(name):
    one = condition(drifting(200), MODELS[name], [TRUTH], label=name)
    quantities = ("covariance", "bias")
    return Study(ladder(one, LADDER), generations=2, chains=8192, tolerance=0.1,
                 quantities=quantities)  # fmt: skip


def scores_at_birth(name, study):
    """Predictions in which a sample is for ever read at the centre of its birth."""
    result = []
    for one, predictions in zip(study.conditions, api.predict(study), strict=True):
        if name == "linear":
            wrong = by_hand(2, one.network.initial[0], sigma=0.7, at_birth=True)[1]
            wrong = wrong[:, None, None]
        else:
            wrong = dense(one, 2, at_birth=True)[1]
        law = replace(predictions.laws["first_order"], covariance=wrong)
        result.append(replace(predictions, laws={"first_order": law}))
    return result


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_a_ladder_verifies_covariance_and_mean(name):
    study = rungs(name)
    outcomes = [tally.outcome for tally in api.simulate(study)]
    assert api.judge(study, api.predict(study), outcomes).verdict == VERIFIED
    found = api.judge(study, scores_at_birth(name, study), outcomes)
    refuted = [c for c in found.cells if c.quantity == "covariance" and c.verdict == REFUTED]
    assert refuted[-1].condition.endswith("scale=8")
