"""Penalties, flipped labels, biased sources and frozen models: verdicts against a scalar recursion.

Logistic models with one parameter, whose centres solve

    sum_b pi_b (g(m) - kappa_b g(v_b)) + ridge m = 0 ,     g(m) = E z / (1 + exp(-m z)) ,

with kappa = 1 - 2 q where labels are flipped with probability q. Nothing of mcjax is used here.
"""

import numpy as np
import pytest
from scipy.special import expit

from mcjax.diagnosis import diagnose
from mcjax.models.glm import logistic
from mcjax.models.penalised import penalised
from mcjax.network import Feed, Source, build_network
from mcjax.selections.flip import Flip
from mcjax.study.study import condition

TRUTH, BIASED = 0.8, -0.5
Z = np.linspace(-9, 9, 361)
WEIGHT = np.exp(-0.5 * Z**2) / np.exp(-0.5 * Z**2).sum()


def g(m):
    return (WEIGHT * Z * expit(np.multiply.outer(m, Z))).sum(-1)


def slope(m):
    s = expit(np.multiply.outer(m, Z))
    return (WEIGHT * Z**2 * s * (1 - s)).sum(-1)


def random_pipeline(rng):
    """Feeds (origin, reader, samples, flip) of a few models, and the strength of the penalty."""
    size = int(rng.integers(2, 6))
    names = [str(i) for i in range(size)]
    feeds, flipped, anchored = [], rng.choice([0.0, 0.15]), rng.choice([0.1, 0.4])
    for i in names:
        if rng.random() < 0.2:
            continue  # frozen
        for j in names:
            if rng.random() < 0.35:
                flip = float(rng.choice([0.1, 0.3])) if rng.random() < flipped else 0.0
                feeds.append((j, i, int(rng.integers(50, 200)), flip))
        for source, chance in (("real", 1.0), ("biased", 0.5)):
            if rng.random() < chance * anchored:
                feeds.append((source, i, int(rng.integers(50, 200)), 0.0))
    ridge = float(rng.choice([0.0, 0.0, 0.0, 0.0, 0.05]))
    return names, feeds, ridge


def built(names, feeds, ridge):
    net = build_network(
        names,
        [Feed(j, i, n, keep=Flip(q) if q else None) for j, i, n, q in feeds],
        100,
        sources=[Source("biased", theta=(BIASED,))],
    )
    model = penalised(logistic(), ridge=ridge) if ridge else logistic()
    return condition(net, model, [TRUTH])


def centre(pull, ridge, start):
    """Solve ``g(m) + ridge m = pull`` by Newton's method."""
    m = start
    for _ in range(100):
        step = (g(m) + ridge * m - pull) / (slope(m) + ridge)
        m -= np.clip(step, -1, 1)
        if abs(step) < 1e-13:
            break
    return m


def long_run(names, feeds, ridge):
    """Late centres, and which models' variances grow without bound."""
    size, index = len(names), {name: i for i, name in enumerate(names)}
    truths = {"real": TRUTH, "biased": BIASED}
    shares = {}
    for i in names:
        read = [f for f in feeds if f[1] == i]
        total = sum(n for *_, n, _ in read)
        shares[i] = [(j, n / total, 1 - 2 * q) for j, _, n, q in read]
    m = np.array([centre(g(TRUTH), ridge, TRUTH)] * size)

    def following(m):
        return np.array(
            [
                centre(
                    sum(w * k * g(truths[j] if j in truths else m[index[j]]) for j, w, k in read),
                    ridge,
                    m[index[i]],
                )
                if (read := shares[i])
                else m[index[i]]
                for i in names
            ]
        )

    for _ in range(4000):
        new = following(m)
        if np.abs(new - m).max() < 1e-13:
            break
        m = new
    a, noise = np.zeros((size, size)), np.zeros(size)
    for i in names:
        for j, w, k in shares[i]:
            if j not in truths:
                a[index[i], index[j]] += w * k * slope(m[index[j]]) / (slope(m[index[i]]) + ridge)
        if not shares[i]:
            a[index[i], index[i]] = 1
        noise[index[i]] = bool(shares[i])
    # sum of A^k noise A'^k for k < 2^20, and for twice as many
    power, total, sums = a, np.diag(noise), []
    for _ in range(21):
        sums.append(np.diag(total))
        total, power = total + power @ total @ power.T, power @ power
    with np.errstate(invalid="ignore", divide="ignore"):
        grows = sums[-1] / sums[-2] > 1.5
    return m, grows


def check(seeds):
    fates = np.zeros(3, int)
    for seed in seeds:
        pipeline = random_pipeline(np.random.default_rng(seed))
        found = diagnose(built(*pipeline))
        m, grows = long_run(*pipeline)
        begin = centre(g(TRUTH), pipeline[2], TRUTH)
        for i, name in enumerate(pipeline[0]):
            verdict = found.models[name]
            told = f"network {seed}, model {name}"
            assert verdict.noise == grows[i], told
            if pipeline[2]:  # generation 0 is penalised too, and forgets at once
                assert begin != TRUTH
            assert verdict.forgets == (abs(m[i] - TRUTH) > 1e-7), told
            assert not verdict.explodes, told
            fates += verdict.noise, verdict.forgets, verdict.noise and verdict.forgets
    return fates


def test_verdicts_of_random_networks():
    fates = check(range(25))
    assert (fates[:2] > 10).all()  # both fates are met


@pytest.mark.slow
def test_verdicts_of_500_random_networks():
    fates = check(range(500))
    assert (fates > [150, 500, 10]).all()
