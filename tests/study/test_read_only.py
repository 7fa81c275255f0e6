"""The arrays of a study cannot be changed after it is checked."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

import mcjax


def arrays(value, path=""):
    """Yield every array that a value holds, cached properties included, with the path to it."""
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from arrays(item, f"{path}[{key!r}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from arrays(vars(value), path)
    elif isinstance(value, tuple | list):
        for k, item in enumerate(value):
            yield from arrays(item, f"{path}[{k}]")


def mixed():
    sources = [mcjax.Source("other", 60, shift=(1.0, 0.0), covariance=[[2, 0], [0, 1]], noise=2.0)]
    feeds = [("real", "m", 60), ("other", "m", None), ("m", "m", 60)]
    return mcjax.build_network(["m"], feeds, 60, sources=sources)


MODEL = mcjax.predictor_model(
    "array",
    mcjax.LinearPredictor(loss=lambda *_: 0.0, label=lambda *_: 0.0),
    params={"levels": np.ones(2), "nested": {"scale": np.ones(1)}},
)
NESTED = mcjax.user_model(lambda theta, x, y: 0.0, lambda key, theta, x: 0.0)
CONDITIONS = {
    "sources": lambda cov: mcjax.condition(mixed(), mcjax.linear(), [1.0, 0.0], cov),
    "parameters": lambda cov: mcjax.condition(
        mcjax.topologies.self_loop(samples=60, initial=60), MODEL, [1.0, 0.0], cov
    ),
    "pytree": lambda cov: mcjax.condition(
        mcjax.topologies.ring(3, samples=60, initial=60), NESTED, {"a": np.ones(2)}, cov
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_arrays_are_read_only(name):
    condition = CONDITIONS[name](np.eye(2))
    assert condition.sources.theta.shape[1] == 2  # a cached property, which is looked at too
    study = mcjax.Study((condition, *mcjax.ladder(condition, [2])))
    held = dict(arrays(study))
    assert len(held) >= 6
    assert [path for path, array in held.items() if array.flags.writeable] == []


def test_what_a_user_gives_is_left_alone():
    covariance, theta = np.eye(2), np.ones(2)
    condition = mcjax.condition(mixed(), mcjax.linear(), theta, covariance)
    covariance[0, 0], theta[0] = 5.0, 5.0
    MODEL.params["levels"][0] = 1.0
    assert condition.covariance[0, 0] == condition.theta[0] == 1.0
