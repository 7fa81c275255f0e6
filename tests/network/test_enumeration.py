"""Codes of networks, and classes up to renumbering, against plain enumeration."""

import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from mcjax.network import REAL
from mcjax.network.enumeration import (
    code_count,
    describe_code,
    feeds_of,
    isomorphism_classes,
    network_of,
)
from mcjax.study.survey import Survey

CLASSES = {1: 4, 2: 36, 3: 752, 4: 45_960}
"""1: frozen or not, anchored or not; 2: (2^6 + 2^3) / 2, by hand."""


def table(code, models):
    """Which origin feeds which reader, by taking the code apart digit by digit; the last column
    is the real source."""
    rows = []
    for _ in range(models):
        row = []
        for _ in range(models + 1):
            code, digit = divmod(code, 2)
            row.append(digit)
        rows.append(row)
    assert code == 0
    return rows


def back(rows):
    """The code of a table."""
    digits = [digit for row in rows for digit in row]
    return sum(digit << place for place, digit in enumerate(digits))


def renumbered(rows, order):
    """The table after model i has become model order[i]."""
    models = len(rows)
    moved = [[0] * (models + 1) for _ in range(models)]
    for i in range(models):
        moved[order[i]][models] = rows[i][models]
        for j in range(models):
            moved[order[i]][order[j]] = rows[i][j]
    return moved


def orbit(code, models):
    """The codes of all renumberings of a network."""
    rows = table(code, models)
    return {back(renumbered(rows, order)) for order in permutations(range(models))}


@pytest.mark.parametrize("models", [1, 2, 3])
def test_codes_decode_to_what_they_say(models):
    for code in range(code_count(models)):
        rows = table(code, models)
        assert back(rows) == code
        expected = {
            (REAL if j == models else str(j), str(i))
            for i, row in enumerate(rows)
            for j, digit in enumerate(row)
            if digit
        }
        found = feeds_of(code, models)
        assert len(found) == len(expected)
        assert set(found) == expected


def test_a_code_by_hand():
    """Reader 0 has bits 0 to 2, reader 1 bits 3 to 5; the highest of each is the real feed."""
    assert feeds_of(0b100_010, 2) == [("1", "0"), (REAL, "1")]
    assert describe_code(0b100_010, 2) == "1->0 real->1"
    assert describe_code(0, 2) == "no feeds"


def test_networks_have_these_feeds_and_equal_samples():
    for code in range(0, code_count(3), 7):
        net = network_of(code, 3, 250)
        assert net.models == ("0", "1", "2")
        assert net.initial == (250, 250, 250)
        assert [(feed.origin, feed.reader) for feed in net.feeds] == feeds_of(code, 3)
        assert {(feed.samples, feed.weight) for feed in net.feeds} <= {(250, 1.0)}
        assert (net.draws, net.real) == ("private", "fresh")


def test_number_of_labelled_networks():
    """Every model may read every model, itself included, and the real source, or not."""
    assert [code_count(models) for models in (1, 2, 3, 4)] == [4, 64, 4_096, 1_048_576]
    for models in (1, 2, 3):
        every = {tuple(feeds_of(code, models)) for code in range(code_count(models))}
        assert len(every) == 2 ** (models * models) * 2**models


@pytest.mark.parametrize("models", [1, 2, 3])
def test_classes_are_those_of_brute_force(models):
    """The canonical form is the smallest code over all renumberings."""
    smallest = Counter(min(orbit(code, models)) for code in range(code_count(models)))
    codes, sizes = isomorphism_classes(models)
    assert codes.tolist() == sorted(smallest)
    assert dict(zip(codes.tolist(), sizes.tolist(), strict=True)) == smallest
    for code, size in zip(codes.tolist(), sizes.tolist(), strict=True):
        assert len(orbit(code, models)) == size


def burnside_count(models: int) -> int:
    """The number of classes by Burnside's lemma: the mean, over all renumberings, of the number of
    networks they leave as they are, 2 to the number of cycles on the feeds."""
    total = 0
    for order in permutations(range(models)):
        feeds = [(i, j) for i in range(models) for j in range(models + 1)]
        moved = {(i, j): (order[i], order[j] if j < models else j) for i, j in feeds}
        cycles = 0
        unseen = set(feeds)
        while unseen:
            feed = unseen.pop()
            cycles += 1
            while moved[feed] in unseen:
                feed = moved[feed]
                unseen.remove(feed)
        total += 1 << cycles
    return total // math.factorial(models)


@pytest.mark.parametrize("models", CLASSES)
def test_burnside_agrees_and_sizes_add_up(models):
    codes, sizes = isomorphism_classes(models)
    assert burnside_count(models) == len(codes) == CLASSES[models]
    assert sizes.sum() == code_count(models)
    assert (np.diff(codes) > 0).all()


def test_classes_of_four_on_a_sample():
    """A code is in the list exactly if none of its renumberings is smaller."""
    codes, sizes = isomorphism_classes(4)
    of_class = dict(zip(codes.tolist(), sizes.tolist(), strict=True))
    rng = np.random.default_rng(0)
    for code in rng.integers(0, code_count(4), 200).tolist():
        renumberings = orbit(code, 4)
        assert (code in of_class) == (code == min(renumberings))
        assert of_class[min(renumberings)] == len(renumberings)


def test_a_survey_runs_all_or_one_of_each_class():
    codes, sizes = Survey(models=3).codes()
    assert codes.tolist() == list(range(4_096))
    assert (sizes == 1).all()
    codes, sizes = Survey(models=3, labelled=False).codes()
    assert (len(codes), sizes.sum()) == (752, 4_096)
    assert Survey(models=2, samples=300).network(0b100_010) == network_of(0b100_010, 2, 300)
