"""One device or eight, small chunks or large: the same numbers to the last bit.

Bit-equal are the draws, the estimates and the moments, because blocks have one size, every chain is
summarised in its own tile of 128, and tiles are merged in order. XLA compiles the program of a
single device otherwise, which shows in the last digits of fits that magnify rounding. A program
that several devices would never finish runs on one.
"""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.engine.platforms import one_device_reason

pytestmark = pytest.mark.system

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
    mcjax.condition(net, model, (0.5, -0.5), label=model.name, seed=3)
    for model in (mcjax.logistic(), mcjax.linear())
)
wide = mcjax.condition(net, mcjax.logistic(), [0.1] * 10, label="wide")  # no unrolled solver
wide_linear = mcjax.condition(net, mcjax.linear(), [0.1] * 10, label="wide, linear")
conditions = (*conditions, wide, wide_linear)
study = mcjax.Study(conditions, generations=3, chains=1500, chunk=int(sys.argv[2]))
found = hashlib.sha256()
for tally in mcjax.simulate(study):
    for name, value in sorted(_pack(tally.outcome, "").items()):
        found.update(name.encode() + np.asarray(value).tobytes())
for label in ("logistic", "linear"):
    found.update(np.asarray(mcjax.replay(study, label, 1234).theta).tobytes())
print(len(jax.devices()), found.hexdigest())
"""


LAPACK = """
import hashlib, sys
import jax, jax.monitoring
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import jax.numpy as jnp
import numpy as np
import mcjax

def loss(theta, x, y):
    return 0.5 * (y - x @ theta) ** 2

def solves(key, theta, x):
    noise = jax.random.normal(key, (4,), theta.dtype)
    matrix = jnp.eye(4, dtype=theta.dtype) * 2 + 0.01 * jnp.outer(x, x)
    return x @ theta + 2 * jnp.linalg.solve(matrix, noise)[0]

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, _, **about: compiled.append(name)
    if "backend_compile" in name and "_run_blocks" in str(about) else None
)
feeds = [("a", "a", 20), ("real", "a", 20), ("a", "b", 40)]
net = mcjax.build_network("ab", feeds, 40)
model = mcjax.user_model(loss, solves)
one = mcjax.condition(net, model, [0.5, -0.5, 0.2, 0.1])
[tally] = mcjax.simulate(mcjax.Study((one,), generations=2, chains=4096))
found = hashlib.sha256(np.asarray(tally.outcome.moments.error.mean).tobytes()).hexdigest()
print(len(jax.devices()), len(compiled), found)
"""


NEAR_SEPARATION = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import numpy as np
import mcjax
from mcjax.engine.compiled import compile_study

net = mcjax.build_network("a", [("a", "a", 20), ("real", "a", 20)], 40)
one = mcjax.condition(net, mcjax.logistic(), (1.5, -1.5), label="logistic")
compiled = compile_study(mcjax.Study((one,), generations=5, chains=12_000))
# the first chain is one of those that differ between one device and two
parts = list(compiled.trajectories(compiled.programs[0], np.arange(10_519, 12_000)))
leaves = zip(*(trajectory for _, trajectory in parts))
np.savez(sys.argv[2], *(np.concatenate(leaf) for leaf in leaves))
print(len(jax.devices()))
"""


def run(script, devices, argument):
    process = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", script, str(devices), str(argument)],
        capture_output=True,
        text=True,
        check=True,
        timeout=400,  # devices that wait for one another do so for ever
        env={k: v for k, v in os.environ.items() if k != "XLA_FLAGS"},
    )
    count, *found = process.stdout.split()
    assert int(count) == devices
    return found


def digest(devices, chunk):
    return run(SCRIPT, devices, chunk)[0]


@pytest.fixture(scope="module")
def alone():
    return digest(1, 1024)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("devices", "chunk"),
    [(3, 128), pytest.param(8, 1024, marks=SLOW), pytest.param(1, 128, marks=SLOW)],
)
def test_devices_and_chunks_change_no_bit(devices, chunk, alone):
    assert digest(devices, chunk) == alone


def test_fits_that_magnify_rounding(tmp_path):
    """Close to separation: the same bits on two and on three devices, the same fits on one."""
    found = []
    for devices in (1, 2, 3):
        run(NEAR_SEPARATION, devices, tmp_path / f"{devices}.npz")
        with np.load(tmp_path / f"{devices}.npz") as file:
            found.append([file[name] for name in file.files])
    for alone, two, three in zip(*found, strict=True):
        np.testing.assert_array_equal(two, three)
        np.testing.assert_allclose(alone, two, rtol=1e-9, atol=1e-12)
    for alone, two in zip(found[0][1:], found[1][1:], strict=True):  # statuses and steps
        np.testing.assert_array_equal(alone, two)


def test_a_user_model_that_calls_lapack_ends():
    """On several devices of a CPU its calls would wait for one another for ever."""
    alone, several = (run(LAPACK, devices, "") for devices in (1, 2))
    assert alone == several  # compiled as often, and equal to the last bit
    assert several[0] == "1"


def test_a_program_tells_whether_it_calls_lapack():
    matrix = jnp.eye(3)
    solves = jax.jit(jnp.linalg.solve).lower(matrix, matrix[0]).as_text()
    multiplies = jax.jit(jnp.matmul).lower(matrix, matrix[0]).as_text()
    assert "LAPACK" in one_device_reason(solves)
    assert one_device_reason(multiplies) is None
