"""Settings and the error budget of the whole suite.

Statistical tests share one budget: each rejects a true statement with probability at most
``ALPHA``, so that a suite of a hundred of them fails by chance once in ten thousand runs. Seeds are
fixed; a test that fails has found something, or was unlucky once and for all.
"""

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 1)  # else the first call of the command line decides

ALPHA = 1e-6
Z = 4.892  # two-sided normal quantile of ALPHA


@pytest.fixture(scope="session")
def z_limit():
    """How many standard errors a correct Monte Carlo mean may be off."""
    return Z
