"""One device or eight, small chunks or large: the same numbers to the last bit.

Bit-equal are the draws, the estimates and the moments, because blocks have one size, every chain is
summarised in its own tile of 64, and tiles are merged in order.
"""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, sys
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import numpy as np
import mcjax
from mcjax.report.store import _pack

feeds = [("a", "a", 20), ("real", "a", 20), ("a", "b", 40)]
net = mcjax.build_network("ab", feeds, 40)
conditions = tuple(
    mcjax.condition(net, family, (0.5, -0.5), label=family.name, seed=3)
    for family in (mcjax.logistic(), mcjax.linear())
)
wide = mcjax.condition(net, mcjax.logistic(), [0.1] * 10, label="wide")  # no unrolled solver
conditions = (*conditions, wide)
study = mcjax.Study(conditions, generations=3, chains=1500, chunk=int(sys.argv[2]))
found = hashlib.sha256()
for tally in mcjax.simulate(study):
    for name, value in sorted(_pack(tally.outcome, "").items()):
        found.update(name.encode() + np.asarray(value).tobytes())
for label in ("logistic", "linear"):
    found.update(np.asarray(mcjax.replay(study, label, 1234).theta).tobytes())
print(len(jax.devices()), found.hexdigest())
"""


def digest(devices, chunk):
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(devices), str(chunk)],
        capture_output=True,
        text=True,
        check=True,
        timeout=400,  # devices that wait for one another do so for ever
        env={k: v for k, v in os.environ.items() if k != "XLA_FLAGS"},
    )
    count, found = process.stdout.split()
    assert int(count) == devices
    return found


@pytest.fixture(scope="module")
def alone():
    return digest(1, 1024)


@pytest.mark.parametrize(("devices", "chunk"), [(8, 1024), (1, 128), (3, 128)])
def test_devices_and_chunks_change_no_bit(devices, chunk, alone):
    assert digest(devices, chunk) == alone
