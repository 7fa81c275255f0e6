"""A study file with a grid."""

import pytest
from grid_study import STUDY

import mcjax


@pytest.fixture
def load_grid(tmp_path):
    """Return the study of a file with this grid."""

    def run(grid="", study=STUDY):
        path = tmp_path / "study.toml"
        path.write_text(f"{study}\n[grid]\n{grid}\n")
        return mcjax.load_study(path)

    return run
