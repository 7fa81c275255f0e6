"""Study files, good ones and good ones with faults."""

from __future__ import annotations

import copy
import json

from fault_strategies import COUNTS, NAMES, File, encoded, faulty
from hypothesis import strategies as st

KEEPS = {
    "linear": [{"temperature": 0.8}, {"verifier": [0.5], "within": 1.5}, {"best_of": 4}],
    "logistic": [{"flip": 0.1}, {"checker": [0.5]}, {"temperature": 0.8}],
    "categorical": [{"top_p": 0.9}, {"temperature": 0.8}],
}
"""Selections that readers may make from the rows of each family."""
FAMILIES = [
    {"name": "linear", "theta": [0.5]},
    {"name": "linear", "theta": [0.5, -0.5], "sigma": 2.0},
    {"name": "linear", "theta": [1.0], "noise": {"name": "student_t", "df": 5.0}},
    {"name": "linear", "theta": [1.0], "penalty": {"ridge": 0.1}},
    {"name": "logistic", "theta": [0.5]},
    {"name": "logistic", "theta": [0.5], "penalty": {"ridge": 0.1}},
    {"name": "poisson", "theta": [0.3]},
    {"name": "huber", "theta": [0.5], "threshold": 1.0, "noise": "laplace"},
    {"name": "quantile", "theta": [0.5], "level": 0.3},
    {"name": "gaussian", "theta": [0.0, 1.0]},
    {"name": "categorical", "theta": [0.2, 0.3, 0.5]},
    {"name": "bernoulli", "theta": [0.4]},
    {"name": "poisson_mean", "theta": [3.0]},
    {"name": "minimum_norm", "theta": [0.5]},
]
QUICK = [
    {"name": "linear", "theta": [0.5]},
    {"name": "linear", "theta": [0.5, -0.5], "sigma": 2.0},
    {"name": "gaussian", "theta": [0.0, 1.0]},
    {"name": "categorical", "theta": [0.2, 0.3, 0.5]},
    {"name": "bernoulli", "theta": [0.4]},
    {"name": "poisson_mean", "theta": [3.0]},
    {"name": "logistic", "theta": [0.5]},
]
"""Families, most of them of programs that compile in a second."""
SMALL = [
    [("a", "a")],
    [("a", "a"), ("real", "a")],
    [("a", "b"), ("b", "a")],
    [("a", "a"), ("a", "b"), ("real", "b")],
]
"""Feeds of small networks."""
QUANTITIES = ["mse", "bias", "covariance", "normality", "collapse", "growth", "efficiency"]
GRIDS = [
    {"scale": [1, 2]},
    {"seed": [0, 1]},
    {"family": ["linear", "logistic"]},
    {"network.feeds.0.samples": [40, 60]},
    {"family.theta": [[0.5], [1.0]]},
    {"scale": [1, 2], "common_draws": True},
    {"network": ["other.toml", "none.json"]},
    {"run.chains": [64]},
]


def to_toml(study: object) -> str:
    """Return tables as TOML; values within them are written on one line."""
    if not isinstance(study, dict):
        return f"value = {_value(study)}\n"
    bare = [f"{_key(k)} = {_value(v)}\n" for k, v in study.items() if not isinstance(v, dict)]
    tables = [
        f"[{_key(k)}]\n" + "".join(f"{_key(a)} = {_value(b)}\n" for a, b in v.items())
        for k, v in study.items()
        if isinstance(v, dict)
    ]
    return "".join((*bare, *tables))


def _key(key: object) -> str:
    return _value(str(key))


def _value(value: object) -> str:
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() or c == " " else _escaped(c) for c in text)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return "1979-05-27" if value is None else repr(value)


def _escaped(letter: str) -> str:
    return f"\\U{ord(letter):08x}"


@st.composite
def good_studies(draw):
    """Draw the tables of a study that is nearly always good, small and soon simulated."""
    models = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    family = draw(st.sampled_from(FAMILIES))
    p = len(family["theta"])
    sources = draw(st.sampled_from([[], [], [], [{"name": "corpus"}]]))
    if sources:
        sources = copy.deepcopy(sources)
        more = [{}, {"theta": [0.1] * p}, {"shift": [1.0] * p, "samples": 40}, {"public": True}]
        eye = [[float(i == j) for i in range(p)] for j in range(p)]
        sources[0] |= draw(st.sampled_from([*more, {"covariance": eye}, {"noise": 2.0}]))
    origins = ["real", *models, *(source["name"] for source in sources)]
    feeds = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "from": st.sampled_from(origins),
                    "to": st.sampled_from(models),
                    "samples": COUNTS,
                },
                optional={
                    "weight": st.sampled_from([0.5, 1.0, 2, [1.0, 0.5], [0.0, 1.0]]),
                    "keep": st.sampled_from(KEEPS.get(family["name"], [{"flip": 0.1}])),
                },
            ),
            max_size=4,
        )
    )
    for feed in feeds:  # few of these; otherwise hardly a study would be plain
        for key in ("weight", "keep"):
            if draw(st.integers(0, 3)):
                feed.pop(key, None)
    network = {"models": models, "initial": 60, "feeds": feeds}
    if sources:
        network["sources"] = sources
    settings = [("draws", "shared"), ("real", "reused"), ("memory", "accumulate")]
    settings += [("memory", "subsample"), ("growth", 1.0)]
    for key, value in draw(st.lists(st.sampled_from(settings), max_size=2)):
        if draw(st.integers(0, 2)) == 0:
            network[key] = value
    run = {"generations": 2, "chains": 64, "tolerance": 0.5, "seed": 1}
    run["quantities"] = [draw(st.sampled_from(["mse", "mse", *QUANTITIES]))]
    study = {"network": network, "family": family, "run": run}
    if draw(st.integers(0, 4)) == 0:
        study["grid"] = draw(st.sampled_from(GRIDS))
    if draw(st.integers(0, 6)) == 0:
        study["covariates"] = {"covariance": [[1.0 + (i == j) for i in range(p)] for j in range(p)]}
    if draw(st.integers(0, 9)) == 0:
        study["estimator"] = {"name": "sgd", "learning_rate": 0.1, "steps": 3}
    return study


@st.composite
def small_studies(draw):
    """Draw the tables of a study that is soon compiled, and whose program others share."""
    feeds = draw(st.sampled_from(SMALL))
    names = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    names = {"a": names[0], "b": names[1], "real": "real"}
    models = ["a", "b"] if any("b" in feed for feed in feeds) else ["a"]
    network = {
        "models": [names[model] for model in models],
        "initial": 60,
        "feeds": [
            {"from": names[origin], "to": names[reader], "samples": 40} for origin, reader in feeds
        ],
    }
    if draw(st.integers(0, 4)) == 0:
        network |= draw(st.sampled_from([{"draws": "shared"}, {"memory": "accumulate"}]))
    quantities = [draw(st.sampled_from(["mse", "mse", *QUANTITIES]))]
    run = {"generations": draw(st.sampled_from([1, 2])), "chains": 64, "quantities": quantities}
    run["tolerance"] = draw(st.sampled_from([0.05, 0.5, 0.9]))
    study = {"network": network, "family": draw(st.sampled_from(QUICK)), "run": run}
    if draw(st.integers(0, 9)) == 0:
        study["grid"] = draw(st.sampled_from([{"seed": [0, 1]}, {"scale": [1, 2]}]))
    return study


@st.composite
def small_files(draw, most=1):
    """Draw the file of a small study, which is nearly always named and encoded as usual."""
    content = draw(encoded(faulty(small_studies(), most).map(to_toml)))
    return File("study.toml", content, study=True)


@st.composite
def study_files(draw, most=2):
    """Draw a study file."""
    content = draw(encoded(faulty(good_studies(), most).map(to_toml)))
    name = draw(
        st.sampled_from(["study.toml"] * 6 + ["study", "a b.TOML", "$x$.toml", "study.json"])
    )
    return File(name, content, study=True)
