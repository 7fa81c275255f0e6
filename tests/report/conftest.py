"""A study, what it found, and a folder to keep that in."""

import pytest
from kept_study import make

from mcjax import api
from mcjax.verdicts.judge import judge


@pytest.fixture(scope="module")
def study():
    return make()


@pytest.fixture(scope="module")
def tallies(study):
    return api.simulate(study)


@pytest.fixture(scope="module")
def verification(study, tallies):
    return judge(study, api.predict(study), [tally.outcome for tally in tallies])


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results"
