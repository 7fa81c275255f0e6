"""The adversarial network of the documentation runs, at a tiny size."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import mcjax
from mcjax.generators.load import load_generators

PAGE = Path(__file__).parents[2] / "docs" / "adversarial-networks.md"
TINY = {
    "STEPS, BATCH, MODES, RADIUS, SD = 300, 128": "STEPS, BATCH, MODES, RADIUS, SD = 3, 8",
    "1000": "24",
    "generations = 3": "generations = 2",
    "chains = 32": "chains = 4",
}
"""What is replaced in its files."""


@pytest.fixture
def path(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    for whole, tiny in TINY.items():
        assert whole in text
        text = text.replace(whole, tiny)
    for name, content in re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", text, re.S | re.M):
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / "gan.toml"


@pytest.mark.system
def test_the_example_runs(path):
    """Two networks play: samples are of the generator, and news arrives along the feeds."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):  # as JAX begins
        verification = mcjax.verify_generators(load_generators(path))
    assert verification.measures == (("modes", "near"),) * 2
    for values in verification.values:
        modes, near = np.moveaxis(values, -1, 0)
        assert ((modes >= 0) & (modes <= 8) & (modes == modes.round())).all()
        assert ((near >= 0) & (near <= 1)).all()
        assert np.ptp(near[:, 0]) > 0
    arrivals = [one.arrival for one in verification.differences if one.measure == "near"]
    assert arrivals == [1, 2]
    assert not verification.failures
