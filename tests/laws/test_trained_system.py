"""The linear system of fits that take steps, against its definition, written with loops."""

import numpy as np
import pytest

from mcjax.estimators.starts import FIRST, GIVEN, Starts
from mcjax.laws.first_order.linear_system import covariances, means
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.trained import Trained
from mcjax.models.information import BatchInformation, Information
from mcjax.network import build_network

P, T = 2, 3
NAMES = tuple("abcde")
FEEDS = [
    ("a", "a", 30),
    ("a", "b", 30, 2.0),
    ("b", "c", 20),
    ("c", "b", 25, 0.5),
    ("real", "b", 40, 0.7),
    ("d", "c", 35),
    ("real", "e", 15),
]
INITIAL = {"a": 10, "b": 40, "c": 12, "d": 13, "e": 15}
STARTS = Starts(np.array([0, 2, FIRST, 3, GIVEN], np.int32), None)


def positive(rng):
    root = rng.normal(size=(P, P))
    return root @ root.T + 0.3 * np.eye(P)


def trained_at_random(rows):
    """Return matrices of steps that no optimiser made."""
    rng = np.random.default_rng(5)
    noise = np.array([positive(rng) for _ in NAMES]) / 100
    return Trained(
        kept=rng.normal(size=(5, P, P)) / 3,
        gain=rng.normal(size=(5, P, P)) / 3,
        noise=noise * (np.array(rows) > 0)[:, None, None],
        drift=rng.normal(size=(5, P)) / 10,
        starts=STARTS,
        base=np.tile([0.2, -0.1], (5, 1)),
    )


def moments_by_loops(net, information, seen):
    """Return covariances and means of all errors, from those of every independent number.

    An error is a linear map of all numbers that are ever drawn: maps are rows by columns.
    """
    trained = trained_at_random(np.ones(5))
    kind = {False: information.synthetic, True: information.real}
    columns, spread = {}, []

    def drawn(name, count, real):
        """Return the place of the score of a sample, and draw it if it is new."""
        if name not in columns:
            columns[name] = len(spread)
            spread.append(count * kind[real].score_covariance)
        return columns[name]

    inverse = np.linalg.inv(information.real.hessian)
    maps = [{drawn(("real", i, 0), INITIAL[i], True): -inverse / INITIAL[i]} for i in NAMES]
    centre = [np.zeros(P) for _ in NAMES]
    first, result, centres = maps, [maps], [centre]
    for t in range(1, T + 1):
        after, moved = [], []
        for i, name in enumerate(NAMES):
            mine = [feed for feed in net.feeds if feed.reader == name]
            if not mine:
                after.append(maps[i])
                moved.append(centre[i])
                continue
            mass = sum(feed.weight * feed.samples for feed in mine)
            mean = sum(
                feed.weight * feed.samples * kind[feed.origin == "real"].hessian for feed in mine
            )
            np.testing.assert_allclose(seen[i], mean / mass)
            gain, kept = trained.gain[i] / mass, trained.kept[i]
            start, place = {}, STARTS.model[i]
            at = trained.base[i] if place == GIVEN else np.zeros(P)
            if place >= 0:
                start, at = maps[place], centre[place]
            elif place == FIRST:
                start = first[i]
            new = {column: kept @ part for column, part in start.items()}
            at = kept @ at + trained.drift[i]
            for feed in mine:
                real = feed.origin == "real"
                if real and net.real == "reused":
                    sample = ("real", name, 0)
                elif real:
                    sample = ("real", name, t)
                else:
                    sample = (feed.origin, "" if net.draws == "shared" else name, t)
                column = drawn(sample, feed.samples, real)
                new[column] = new.get(column, 0) - feed.weight * gain
                if real:
                    continue
                j = NAMES.index(feed.origin)
                passed = gain @ (feed.weight * feed.samples * kind[False].hessian)
                at = at + passed @ centre[j]
                for column, part in maps[j].items():
                    new[column] = new.get(column, 0) + passed @ part
            own = drawn(("batches", name, t), 0, real=True)
            spread[own] = trained.noise[i]
            new[own] = np.eye(P)
            after.append(new)
            moved.append(at)
        maps, centre = after, moved
        result.append(maps)
        centres.append(centre)
    found = np.zeros((T + 1, 5, P, 5, P))
    for t, now in enumerate(result):
        for i, k in np.ndindex(5, 5):
            for column in now[i].keys() & now[k].keys():
                found[t, i, :, k] += now[i][column] @ spread[column] @ now[k][column].T
    return found.reshape(T + 1, 5 * P, 5 * P), np.array(centres)


@pytest.mark.parametrize("draws", ["private", "shared"])
@pytest.mark.parametrize("real", ["fresh", "reused"])
def test_steps_in_a_network(draws, real):
    feeds = [feed if draws == "private" else (*feed[:2], 30, *feed[3:]) for feed in FEEDS]
    if real == "reused":
        feeds = [(*f[:2], INITIAL[f[1]], *f[3:]) if f[0] == "real" else f for f in feeds]
    net = build_network(NAMES, feeds, INITIAL, draws=draws, real=real)
    rng, seen = np.random.default_rng(3), []
    batches = [BatchInformation(positive(rng), positive(rng)) for _ in range(2)]
    information = Information(real=batches[0], synthetic=batches[1])

    class Training:
        starts, first, states = STARTS, None, 0

        def __call__(self, data):
            seen.extend(data.hessian)
            return trained_at_random(data.rows)

    system = linear_system(net, information, training=Training())
    expected, centres = moments_by_loops(net, information, seen)
    np.testing.assert_allclose(covariances(system, T), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(means(system, T), centres, rtol=1e-9, atol=1e-12)
