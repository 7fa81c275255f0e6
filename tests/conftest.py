"""Settings and the error budget of the whole suite.

Statistical tests share one budget: each rejects a true statement with probability at most
``ALPHA``, so that a suite of a hundred of them fails by chance once in ten thousand runs. Seeds are
fixed; a test that fails has found something, or was unlucky once and for all.
"""

import os
from contextlib import contextmanager
from pathlib import Path

import jax
import pytest

from mcjax.ongoing import heard_by

# Programs compiled once serve both workers, the processes that tests start, and the next run.
CACHE = Path(__file__).parents[1] / ".pytest_cache" / "programs"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update(
    "jax_persistent_cache_min_compile_time_secs",
    float(os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"]),
)
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 1)  # else the first call of the command line decides

ALPHA = 1e-6
Z = 4.892  # two-sided normal quantile of ALPHA


LONG = ("gallery", "readme", "figures", "verdicts/test_calibration.py")
"""Files that take minutes. They go first, so that no worker is left alone with one."""


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by markers
def pytest_collection_modifyitems(config, items):
    """Leave cases that ``by_default`` does not name to ``pytest -m system``; long files first."""
    long = tuple(str(Path(__file__).parent / name) for name in LONG)
    items.sort(key=lambda item: not str(item.path).startswith(long))
    named, found = set(), set()
    for item in items:
        for marker in item.iter_markers("by_default"):
            test = item.nodeid.split("[")[0]
            named |= {(test, case) for case in marker.args}
            found.add((test, item.callspec.id))
            if item.callspec.id not in marker.args:
                item.add_marker(pytest.mark.system)
    whole = [Path(given).name for given in config.args] == ["tests"]
    if whole and (wrong := named - found):
        raise pytest.UsageError(f"by_default names cases that are not there: {sorted(wrong)}")


MAPPED = Path("/proc/self/maps")
MOST_MAPPED = 20_000
"""Number of mapped parts of memory after which compiled programs are dropped."""


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Drop compiled programs after files that leave many: Linux maps 65,530 parts of memory."""
    yield
    if MAPPED.exists() and MAPPED.read_bytes().count(b"\n") > MOST_MAPPED:
        jax.clear_caches()


@pytest.fixture(scope="session")
def z_limit():
    """How many standard errors a correct Monte Carlo mean may be off."""
    return Z


@pytest.fixture
def heard():
    """What is told of long work inside of laws: its size and its name, then what is done."""
    found = []

    @contextmanager
    def listener(total, what):
        found.append((total, what))
        yield found.append

    with heard_by(listener):
        yield found
