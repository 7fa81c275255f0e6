"""The built-in study shows what its comments say."""

import itertools

import pytest

from mcjax.diagnosis import diagnose
from mcjax.study.load import builtin_file, builtin_study, load_study


@pytest.fixture(scope="module")
def builtin():
    return builtin_study()


def test_builtin_covers_three_networks_and_four_families(builtin):
    names = {c.name for c in builtin.conditions}
    families = ("linear", "logistic", "poisson", "huber")
    wanted = itertools.product(("collapsing", "stable", "flipped"), families)
    assert names >= {f"network={net}, family={model}" for net, model in wanted}
    assert len(builtin.conditions) == 12


def test_builtin_networks_do_what_their_comments_say(builtin):
    doomed = {}
    for c in builtin.conditions:
        name = c.label.split(",")[0].removeprefix("network=")
        verdicts = diagnose(c.network).models
        doomed[name] = {model for model, verdict in verdicts.items() if verdict.collapses}
    assert doomed == {
        "collapsing": {"lone", "reader"},
        "stable": set(),
        "flipped": {"teacher", "student", "apprentice"},
    }


def test_builtin_flip_is_a_single_feed(builtin):
    nets = {c.label.split(",")[0].removeprefix("network="): c.network for c in builtin.conditions}
    stable, flipped = nets["stable"], nets["flipped"]
    assert set(stable.feeds) < set(flipped.feeds)
    [more] = set(flipped.feeds) - set(stable.feeds)
    assert (more.origin, more.reader) in diagnose(stable).flips
    assert stable.frozen == (True, False, False)


@pytest.mark.system
def test_builtin_real_data_are_five_files_on_two_networks():
    study = load_study(builtin_file("real-data"))
    assert len(study.conditions) == 10
    sources = {c.data.source for c in study.conditions}
    assert len(sources) == 5
    for c in study.conditions:
        collapses = {fate.collapses for fate in diagnose(c).models.values()}
        assert collapses == {c.name.startswith("network=flipped")}
