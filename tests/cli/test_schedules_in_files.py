"""Feeds that come and go in study files: what is said of them, and what is refused."""

import json

import pytest
from click.testing import CliRunner

from mcjax.cli.main import cli, run
from mcjax.errors import InputError
from mcjax.network import REAL, Drawn, Feed, Generation, build_network
from mcjax.study.networks import read_network

ALTERNATING = """
[network]
models = ["a", "b"]
initial = 20
feeds = [
    { from = "b", to = "a", samples = 20, every = 2 },
    { from = "real", to = "b", samples = 20, every = 2 },
    { from = "real", to = "a", samples = 20, every = 2, first = 2 },
    { from = "a", to = "b", samples = 20, every = 2, first = 2 },
]
"""


def test_a_file_is_diagnosed(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(ALTERNATING)
    found = json.loads(CliRunner().invoke(cli, ["diagnose", str(file), "--json"]).stdout)
    assert found["collapses"] is True
    phases = found["models"]["a"]["phases"]
    assert [(one["phase"], one["collapses"]) for one in phases] == [(0, True), (1, False)]
    assert (phases[0]["growth"], phases[0]["limit"]) == (pytest.approx(0.05), None)
    assert (phases[1]["growth"], phases[1]["limit"]) == (None, pytest.approx(0.05))
    (origin,) = found["unstable_sources"]
    assert origin["members"] == [["a", 0], ["b", 1]]
    assert found["repairs"] == [{"from": "real", "to": "a", "phase": 0}]
    text = CliRunner().invoke(cli, ["diagnose", str(file)]).stdout
    assert "Collapse origin: a@0, b@1, period 2" in text
    assert "in phase 1: stable" in text
    assert "No single new feed" not in text


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("every = 0", "network.feeds[0].every: give a whole number >= 1"),
        ("every = 2.5", "network.feeds[0].every: is a number; give a whole number"),
        ("every = true", "network.feeds[0].every: is true or false; give a whole number"),
        ("every = 99999999999999999999", "network.feeds[0].every: give a whole number <= "),
        ("first = -4", "network.feeds[0].first: give a whole number >= 1"),
        ("first = 10002", "network.feeds: begin or end after 10,000 generations; begin or end"),
        ("until = 'end'", "network.feeds[0].until: is a text; give a whole number"),
        ("probability = nan", "network.feeds[0].probability: is nan; give a number above 0"),
        ("until = 5, probability = 0.5", "network.feeds[0]: begins or ends, and others are drawn"),
        ("every = 9223372036854775807", "network.feeds: come and go in "),
        ("every = 20011, weight = [1, 2]", "network.feeds: have a list of weights, and repeat"),
        ("until = 20000", "network.feeds: begin or end after 10,000 generations; begin or end"),
        ("evry = 2", "network.feeds[0].evry: is not a field of a study file (did you mean 'every'"),
        ("first = 5, until = 4", "network.feeds[0].until: is 4, before the first generation, 5"),
        ("every = 2, weight = 0", "network.feeds[0].weight: is 0"),
        ("every = 2, form = 1", "network.feeds[0].form: is not a field"),
    ],
)
def test_times_that_are_none(given, sentence, tmp_path, capsys, monkeypatch):
    file = tmp_path / "study.toml"
    file.write_text(ALTERNATING.replace("every = 2", given, 1))
    monkeypatch.setattr("sys.argv", ["mcjax", "diagnose", str(file)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert f"{file}: {sentence}" in capsys.readouterr().err


def test_where_feeds_have_no_times_or_no_place():
    with pytest.raises(InputError, match=r"network.first\[0\]: is of generation 0; leave out"):
        build_network("a", [Feed("a", "a", 10)], first=[Feed(REAL, "a", 10, every=2)])
    with pytest.raises(InputError, match="comes and goes"):
        Generation([Feed("a", "a", 10, every=2)])
    with pytest.raises(InputError, match="growth"):
        build_network("a", [Feed("a", "a", 10, every=2)], 10, growth=1.0)
    with pytest.raises(InputError, match=r"network.feeds\[1\].from.*'c'"):
        build_network("a", [Feed("a", "a", 10), Feed("c", "a", 10, every=2)], 10)
    weights = ((2, 1.0), (4, 2.0))  # of feeds that meet in generation 4
    twice = [Feed("a", "a", 10, every=2, first=first, weight=w) for first, w in weights]
    with pytest.raises(InputError, match=r"network.feeds\[2\].weight"):
        build_network("a", [Feed(REAL, "a", 10), *twice], 10)


def test_whole_networks_take_turns(tmp_path):
    pair = 'models = ["a", "b"]\ninitial = 20\n'
    feed = '{{ from = "{}", to = "{}", samples = 20 }}'
    for name, feeds in (("day", "ba real-b"), ("night", "real-a ab")):
        ends = (text.split("-") if "-" in text else text for text in feeds.split())
        tables = ", ".join(feed.format(*end) for end in ends)
        (tmp_path / f"{name}.toml").write_text(f"[network]\n{pair}feeds = [{tables}]\n")
    turns = '[network.switching]\nnetworks = ["day.toml", "night.toml"]\n'
    file = tmp_path / "study.toml"
    file.write_text(f"[network]\n{pair}{turns}")
    (tmp_path / "feeds.toml").write_text(ALTERNATING)
    assert read_network(file) == read_network(tmp_path / "feeds.toml")
    file.write_text(f"[network]\n{pair}{turns}lengths = [1, 2]\n")
    assert read_network(file).later.turns == 3
    mistakes = {
        'order = "often"': "network.switching.order: is 'often', not one of",
        'paths = "common"': "network.switching.paths: is for networks that are drawn; leave it out",
        "transition = [[1.0]]": "network.switching.transition: is for order = 'markov', not 'per",
        "lengths = [1]": "network.switching.lengths: has 1; give 2 numbers",
        "lengths = [1, 10000]": "network.switching.lengths: are above 10,000 together",
    }
    for line, sentence in mistakes.items():
        file.write_text(f"[network]\n{pair}{turns}{line}\n")
        with pytest.raises(InputError, match=sentence):
            read_network(file)
    (tmp_path / "other.toml").write_text("[network]\nmodels = 2\ninitial = 20\n")
    file.write_text(f"[network]\n{pair}{turns}".replace("day.toml", "other.toml"))
    with pytest.raises(InputError, match=r"networks: has 'other\.toml', of the models 0, 1; give"):
        read_network(file)
    file.write_text(f"[network]\n{pair}{turns}".replace("day.toml", "study.toml"))
    with pytest.raises(InputError, match="in a file that another one names"):
        read_network(file)


PAIR = 'models = ["a", "b"]\ninitial = 20\n'
ONE = 'feeds = [{ from = "real", to = "a", samples = 20 }]\n'
OTHER = 'feeds = [{ from = "a", to = "b", samples = 20 }]\n'


def switching(folder, lines):
    """A study whose networks switch as these lines say."""
    for name, feeds in (("one", ONE), ("other", OTHER)):
        (folder / f"{name}.toml").write_text(f"[network]\n{PAIR}{feeds}")
    file = folder / "study.toml"
    networks = 'networks = ["one.toml", "other.toml"]\n'
    file.write_text(f"[network]\n{PAIR}[network.switching]\n{networks}{lines}\n")
    return file


def test_networks_are_drawn(tmp_path):
    one, other = (Generation([Feed(*ends, 20)]) for ends in ((REAL, "a"), ("a", "b")))
    laws = {
        'order = "random"': {"probabilities": [0.5, 0.5]},
        'order = "random"\nprobabilities = [0.7, 0.3]\npaths = "common"': {
            "probabilities": [0.7, 0.3],
            "paths": "common",
        },
        'order = "markov"\ntransition = [[0.9, 0.1], [1, 0]]': {
            "transition": [[0.9, 0.1], [1.0, 0.0]]
        },
    }
    for lines, law in laws.items():
        assert read_network(switching(tmp_path, lines)).later == Drawn(one, other, **law)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('order = "random"\nprobabilities = [0.5]', "probabilities: has 1 number; give 2"),
        ('order = "random"\nprobabilities = [0.5, 0.4]', "probabilities: has [0.5, 0.4]; give"),
        ('order = "random"\nprobabilities = [1.0, 0.0]', "probabilities: has a 0; leave out"),
        ('order = "random"\nprobabilities = [nan, 0.5]', "probabilities: has [nan, 0.5]; give"),
        ('order = "random"\nlengths = [1, 2]', "lengths: is for order = 'periodic', not 'random'"),
        ('order = "random"\npaths = "all"', "paths: is 'all', not one of"),
        ('order = "markov"', "transition: is missing; give a row for each network"),
        ('order = "markov"\ntransition = [[0, 1]]', "transition: has 1 row; give 2"),
        ('order = "markov"\ntransition = [[0, 1], [1]]', "transition: has 1 number in a row"),
        ('order = "markov"\ntransition = [[0, 1], [0, 1]]', "transition: never leads from"),
        ('order = "markov"\ntransition = [[0.5, 0.5], [0.5, 0.6]]', "transition: has [0.5, 0.6]"),
        ('order = "markov"\ntransition = [[inf, 0.5], [1, 0]]', "transition: has [inf, 0.5]"),
        ('order = "markov"\ntransition = [0.5, 0.5]', "transition[0]: is a number; give a list"),
        ('order = "markov"\ntransition = [[1, 0], ["x", 1]]', "transition[1][0]: is a text; give"),
        ('order = "markov"\nprobabilities = [0.5, 0.5]', "probabilities: is for order = 'random'"),
        ('order = "random"\nprobabilities = [-0.5, 1.5]', "probabilities: has [-0.5, 1.5]; give"),
        ('order = "random"\nprobabilities = { one = 1 }', "probabilities: is a table; give a list"),
        ("order = 3", "order: is a whole number; give a text"),
        ('order = "often"', "order: is 'often', not one of"),
        ("lengths = [0, 1]", "lengths[0]: give a whole number >= 1"),
        ('lengths = ["a", 1]', "lengths[0]: is a text; give a whole number"),
        ("transitions = [[1]]", "transitions: is not a field of a study file (did you mean"),
    ],
)
def test_laws_of_networks_that_are_none(lines, sentence, tmp_path, capsys, monkeypatch):
    file = switching(tmp_path, lines)
    monkeypatch.setattr("sys.argv", ["mcjax", "diagnose", str(file)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert f"{file}: network.switching.{sentence}" in capsys.readouterr().err


def test_faults_of_feeds_name_the_file_of_their_network(tmp_path):
    """Each file is sound by itself; the study shares what models publish, or reuses real data."""
    file = switching(tmp_path, 'order = "random"')
    text = file.read_text()
    file.write_text(text.replace("[network]\n", '[network]\nreal = "reused"\n'))
    for given in ("one", "other"):
        (tmp_path / f"{given}.toml").write_text(f"[network]\n{PAIR}{ONE}")
    read_network(file)
    (tmp_path / "other.toml").write_text(f"[network]\n{PAIR}{ONE.replace('= 20', '= 30')}")
    with pytest.raises(InputError, match=r"feeds\[0\].samples: is 30, but reused") as raised:
        read_network(file)
    assert raised.value.file == str(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("probability = 0", "network.feeds[0].probability: is 0.0; give a number above 0"),
        ("probability = 1.5", "network.feeds[0].probability: is 1.5; give a number above 0"),
        ('probability = "often"', "network.feeds[0].probability: is a text; give a number"),
    ],
)
def test_probabilities_that_are_none(given, sentence, tmp_path, capsys, monkeypatch):
    file = tmp_path / "study.toml"
    file.write_text(ALTERNATING.replace("every = 2", given, 1))
    monkeypatch.setattr("sys.argv", ["mcjax", "diagnose", str(file)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert f"{file}: {sentence}" in capsys.readouterr().err


def test_where_feeds_are_not_drawn(tmp_path):
    drawn = Feed("a", "a", 10, probability=0.5)
    for given, sentence in (
        ({"first": [Feed(REAL, "a", 10, probability=0.5)]}, r"first\[0\]: is of generation 0"),
        ({"growth": 1.0, "initial": 10}, "network.growth"),
        ({"memory": "accumulate", "initial": 10}, "network.memory: is 'accumulate', and feeds are"),
        ({"paths": "each", "initial": 10}, "network.switching.paths: is 'each', not one of"),
    ):
        with pytest.raises(InputError, match=sentence):
            build_network("a", [drawn], **given)
    with pytest.raises(InputError, match=r"switching\.paths: is for feeds with a prob"):
        build_network("a", [Feed("a", "a", 10)], 10, paths="common")
    with pytest.raises(InputError, match="is another feed from 'a' to 'a', of many that are drawn"):
        build_network("a", [drawn] * 11, 10)
    with pytest.raises(InputError, match="comes and goes"):
        Generation([drawn])
    file = tmp_path / "study.toml"
    feeds = ONE.replace("20 }", "20, probability = 0.5 }")
    alone = "[network.switching]\n"
    for paths in ("own", "common"):
        file.write_text(f'[network]\n{PAIR}{feeds}{alone}paths = "{paths}"\n')
        assert read_network(file).later.paths == paths
        file.write_text(f'[network]\n{PAIR}{ONE}{alone}paths = "{paths}"\n')
        with pytest.raises(InputError, match=r"switching\.paths: is for feeds with a prob"):
            read_network(file)
    for line, sentence in (
        ("", "networks: is missing; give the files of networks"),
        ('order = "random"', "networks: is missing; give the files of networks"),
        ("probabilities = [1.0]", "probabilities: is for networks, which are not given"),
    ):
        file.write_text(f"[network]\n{PAIR}{feeds}{alone}{line}\n")
        with pytest.raises(InputError, match=f"network.switching.{sentence}"):
            read_network(file)
