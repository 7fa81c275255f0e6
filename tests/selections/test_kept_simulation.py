"""The law of what readers keep against simulation, kind by kind, and wrong laws beside it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mcjax import api
from mcjax.laws.first_order.population import Population
from mcjax.laws.first_order.populations import population_of
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import Feed, build_network
from mcjax.selections.best_of import BestOf
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.top_p import TopP
from mcjax.selections.verifier import Verifier
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

TWO, C, CLASSES = (0.8, -0.4), (0.2, 0.5), (0.4, 0.27, 0.23, 0.1)
RAW = Verifier(C, 1.0, count="raw")
KINDS = {
    "temperature, logistic": (logistic(), TWO, Temperature(0.8)),
    "temperature, linear": (linear(), TWO, Temperature(0.5)),
    "temperature, categorical": (categorical(), CLASSES, Temperature(0.7)),
    "flip": (logistic(), TWO, Flip(0.15)),
    "flip, bernoulli": (bernoulli(), (0.3,), Flip(0.15)),
    "verifier": (linear(), TWO, Verifier(C, 1.0)),
    "wide verifier": (linear(), TWO, Verifier(C, 2.5)),
    "raw verifier": (linear(), TWO, RAW),
    "three parameters": (linear(), (*TWO, 0.5), Verifier((*C, 0.0), 1.0)),
    "checker": (logistic(), TWO, Checker(C)),
    "raw checker": (logistic(), TWO, Checker(C, count="raw")),
    "largest": (gaussian(), (0.3, 1.5), BestOf(2)),
    "closest": (gaussian(), (0.3, 1.5), BestOf(3, "closest", 1.0)),
    "top p": (categorical(), CLASSES, TopP(0.8)),
}

ROWS = 1000
"""Rows of a feed. Intervals of right laws, whose width chains decide, end at about 0.15 of the 0.2
that is allowed."""

SINGULAR = [name for name in KINDS if "categorical" in KINDS[name][0].name]
"""Probabilities add up to 1, so that their covariances have no inverse."""


def study(name, keep=None, alone=False):
    """A loop with real data, and a reader of what it publishes; or a loop alone."""
    model, theta, own = KINDS[name]
    keep = own if keep is None else keep
    feeds = [Feed("0", "0", ROWS, keep=keep)]
    if not alone:
        feeds += [Feed("real", "0", ROWS), Feed("0", "1", ROWS, 0.5, keep=keep)]
        mixed = 3 * ROWS // 5, 2 * ROWS // 5
        feeds += [Feed("1", "1", mixed[0]), Feed("real", "1", mixed[1], keep=real_keep(keep))]
    net = build_network(1 if alone else 2, feeds, 2 * ROWS, draws="shared")
    one = condition(net, model, theta, label=name)
    return Study(
        (one,),
        generations=2,
        chains=1024 if name in SINGULAR else 4096,
        tolerance=0.2,
        quantities=("bias", "covariance"),
    )


def real_keep(keep):
    return None if isinstance(keep, Temperature | TopP) else keep


@cache
def outcomes(name, alone=False):
    return [tally.outcome for tally in api.simulate(study(name, alone=alone))]


def verdict(name, theory=None, alone=False, tolerance=0.2):
    own = replace(study(name, alone=alone), tolerance=tolerance)
    predictions = api.predict(own if theory is None else theory)
    return api.judge(own, predictions, outcomes(name, alone))


regular = pytest.mark.parametrize("name", [name for name in KINDS if name not in SINGULAR])


@regular
def test_the_law_is_verified(name):
    """Means and whole covariances of two models, one of which reads what the other does."""
    result = verdict(name)
    assert {cell.quantity for cell in result.cells} == {"bias", "covariance", "cross_covariance"}
    assert result.verdict == VERIFIED


def agrees(name, z_limit, theory=None):
    """Whether means and covariances of classes are those of the law, to 15% of a deviation and to
    5%, beside Monte Carlo errors."""
    [prediction], [outcome] = api.predict(theory or study(name)), outcomes(name)
    law, chains = prediction.laws["first_order"], outcome.chains
    mean = outcome.moments.error.mean.reshape(law.covariance.shape[:2])
    variance = np.einsum("taa->ta", law.covariance)
    off = np.abs(mean - law.mean.reshape(mean.shape)) / np.sqrt(variance)
    centred = outcome.moments.product.mean - mean[:, :, None] * mean[:, None, :]
    scale = variance[:, :, None] * variance[:, None, :]
    error = np.sqrt((scale + law.covariance**2) / chains)
    apart = np.abs(centred - law.covariance) < z_limit * error + 0.05 * np.sqrt(scale)
    return bool((off < 0.15 + z_limit / np.sqrt(chains)).all() and apart.all())


@pytest.mark.parametrize("name", SINGULAR)
def test_the_law_of_classes(name, z_limit):
    assert agrees(name, z_limit)
    assert not agrees(name, z_limit, study(name, WRONG[name]))


NARROW = Verifier(C, 0.8)
WRONG = {
    "temperature, logistic": Temperature(1.0),
    "temperature, linear": Temperature(1.0),
    "temperature, categorical": Temperature(0.9),
    "flip": Flip(0.1),
    "verifier": NARROW,
    "raw verifier": Verifier(C, 1.0),
    "checker": Checker((0.2, 0.3)),
    "largest": BestOf(3),
    "closest": BestOf(3, "closest", 0.5),
    "top p": TopP(0.95),
}


@pytest.mark.parametrize("name", [name for name in WRONG if name not in SINGULAR])
def test_the_law_of_another_selection_is_refuted(name):
    theory = study(name, WRONG[name])
    assert verdict(name, theory, tolerance=0.1).verdict == REFUTED


# --------------------------------------------------------------- one block of the law is wrong


class Changed(Population):
    """A population of which another one lends the covariance of scores, or the slopes."""

    def __init__(self, right, wrong, slopes):
        super().__init__(right.origin)
        self._right, self._wrong, self._slopes = right, wrong, slopes

    def score(self, reader):
        return self._right.score(reader)

    def by_parent(self, reader):
        return (self._wrong if self._slopes else self._right).by_parent(reader)

    def covariance(self, first, second):
        chosen = self._right if self._slopes else self._wrong
        return chosen.covariance(first, second)


@pytest.mark.parametrize(
    ("name", "slopes"),
    [
        ("verifier", False),
        ("verifier", True),
        ("flip", True),
        ("largest", False),
        ("largest", True),
    ],
)
def test_the_covariance_is_that_of_rows_that_are_kept(name, slopes, monkeypatch):
    """With the scores or the slopes of whole samples, and the right centres, it is refuted."""
    kind = type(KINDS[name][2])
    own = kind.population

    def population(self, origin, model):
        return Changed(own(self, origin, model), population_of(origin, model), slopes)

    monkeypatch.setattr(kind, "population", population)
    result = verdict(name, alone=True, tolerance=0.1)
    found = {cell.quantity: cell.verdict for cell in result.cells}
    assert found == {"bias": VERIFIED, "covariance": REFUTED}


def test_the_rows_of_raw_counts_are_fewer():
    """A loop alone has the same centres whatever is counted, and another noise."""
    assert verdict("raw verifier", alone=True).verdict == VERIFIED
    theory = study("raw verifier", Verifier(C, 1.0), alone=True)
    result = verdict("raw verifier", theory, alone=True, tolerance=0.1)
    found = {cell.quantity: cell.verdict for cell in result.cells}
    assert found == {"bias": VERIFIED, "covariance": REFUTED}
