"""Studies that are made in Python: seeds and settings."""

import pytest

from mcjax.errors import InputError
from mcjax.models.registry import FAMILIES
from mcjax.network import topologies
from mcjax.study.study import Study, condition


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_are_64_bits(seed):
    net = topologies.self_loop(samples=9, initial=9)
    assert condition(net, FAMILIES["linear"](), [1.0], seed=2**64 - 1).seed == 2**64 - 1
    with pytest.raises(InputError, match="seed"):
        condition(net, FAMILIES["linear"](), [1.0], seed=seed)


@pytest.mark.parametrize(
    "settings",
    [{"chains": 1}, {"generations": -1}, {"chunk": 0}, {"tolerance": 0}, {"confidence": 1}],
)
def test_settings_refused(settings):
    net = topologies.self_loop(samples=9, initial=9)
    only = condition(net, FAMILIES["linear"](), [1.0])
    with pytest.raises(InputError, match="run"):
        Study((only,), **settings)


def test_no_conditions():
    with pytest.raises(InputError, match="no condition"):
        Study(())
