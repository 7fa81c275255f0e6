"""Networks that change, simulated: the exact law of least squares, and closed forms of its size."""

import numpy as np
import pytest

from mcjax.api import verify
from mcjax.diagnosis import diagnose
from mcjax.models.location import linear
from mcjax.network import REAL, Drawn, Feed, Generation, build_network, cycle
from mcjax.study.study import Study, condition

ROWS = 40


def turn(text, rows=ROWS):
    """The generation of feeds such as "ab ra": from a to b, from real data to a."""
    names = {"r": REAL}
    return Generation(Feed(names.get(j, j), i, rows) for j, i in text.split())


def half(text):
    """The same of half as many rows."""
    return turn(text, ROWS // 2)


PEERS = [" ".join(j + i for i in "abc" for j in pair) for pair in ("ab", "ac", "bc")]
CASES = {
    "either reads one that rests": ("ab", cycle(turn("ba"), turn("ab"))),
    "each collapses alone": (
        "ab",
        cycle(
            Generation([*turn("aa").feeds, *half("bb rb").feeds]),
            Generation([*turn("bb").feeds, *half("aa ra").feeds]),
        ),
    ),
    "real data every third generation": ("a", cycle(half("aa ra"), turn("aa"), turn("aa"))),
    "a reset every second generation": ("ab", cycle(turn("aa ab"), turn("aa rb"))),
    "against the flow": ("abc", cycle(turn("ca"), turn("bc"), turn("ab"))),
    "in the order of the flow": ("abc", cycle(turn("ca"), turn("ab"), turn("bc"))),
    "one that retires": (
        "abr",
        cycle(turn("aa ba ab bb"), half("ar br")),
    ),
    "each passed by its real data": ("ab", cycle(turn("ba rb"), turn("ra ab"))),
    "real data half of the time": ("a", Drawn(half("aa ra"), turn("aa"), probabilities=[0.5, 0.5])),
    "long outages": (
        "a",
        Drawn(half("aa ra"), turn("aa"), transition=[[0.8, 0.2], [0.2, 0.8]]),
    ),
    "two random peers": ("abc", Drawn(*map(half, PEERS), probabilities=[1 / 3] * 3)),
}


@pytest.mark.statistical
def test_simulations_follow_the_exact_law_in_every_generation():
    conditions = tuple(
        condition(build_network(names, later, ROWS), linear(), [0.5], label=label)
        for label, (names, later) in CASES.items()
    )
    study = Study(conditions, generations=9, chains=30_000, tolerance=0.1)
    cells = [c for c in verify(study).cells if (c.quantity, c.law) == ("mse", "finite_sample")]
    assert {cell.verdict for cell in cells} == {"verified"}
    assert len(cells) == 10 * sum(len(names) for names, _ in CASES.values())
    late = {(c.condition, c.model, c.generation): c.empirical * ROWS for c in cells}
    # three and more generations of growth of one fit each, and none where it rests or is reset
    own = [late["either reads one that rests", "a", t] for t in (5, 9)]
    assert own[1] - own[0] == pytest.approx(4, rel=0.15)
    passed = [late["each passed by its real data", "a", t] for t in (2, 4, 6, 8)]
    assert max(passed) < 1.2
    ring = [late["against the flow", "c", 9], late["in the order of the flow", "c", 9]]
    assert ring[0] < 0.75 * ring[1]


def test_verdicts_of_these_networks():
    nets = {label: build_network(names, later, ROWS) for label, (names, later) in CASES.items()}
    found = {label: diagnose(net) for label, net in nets.items()}
    doomed = {label for label, diagnosis in found.items() if diagnosis.collapses}
    assert doomed == set(CASES) - {
        "each collapses alone",
        "real data every third generation",
        "real data half of the time",
        "long outages",
    }
    limits = [phase.limit * ROWS for phase in found["each collapses alone"].models["a"].phases]
    assert np.sort(limits) == pytest.approx([5 / 3, 8 / 3])
