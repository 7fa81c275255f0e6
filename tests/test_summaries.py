"""What objects show of themselves: short, true, and with names as data."""

from collections import Counter
from html.parser import HTMLParser

import pytest

import mcjax
from mcjax.summaries import MOST_ROWS

NAME = '<b onclick="x">&amp;\x1b[31m\u202e|`$'


class Tags(HTMLParser):
    """Checks that tags nest; keeps their names and the text between them."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen, self.text = [], set(), []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen |= {tag, *(name for name, _ in attributes)}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def pair(name="chat"):
    feeds = [(name, name, 20), ("real", name, 20, 0.5), (name, "b", 40)]
    return mcjax.build_network((name, "b"), feeds, 40)


@pytest.fixture(scope="module")
def shown():
    """Every object that has a summary, with a name that is markup."""
    one = mcjax.condition(pair(NAME), mcjax.linear(), [0.5, -0.5], label=NAME)
    study = mcjax.Study((one,), generations=2, chains=64, tolerance=0.5)
    verification = mcjax.verify(study)
    [predictions] = verification.predictions
    lone = mcjax.build_network([NAME], [(NAME, NAME, 20)], 20)
    return {
        "network": one.network,
        "condition": one,
        "study": study,
        "predictions": predictions,
        "prediction": predictions.laws["first_order"],
        "diagnosis": mcjax.diagnose(lone),
        "verification": verification,
    }


KINDS = (
    *("network", "condition", "study", "predictions", "prediction"),
    *("diagnosis", "verification"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_no_markup(shown, kind):
    text = repr(shown[kind])
    assert all(line.isprintable() for line in text.splitlines())
    page = Tags(shown[kind]._repr_html_())
    assert page.seen <= {"div", "strong", "table", "tr", "td", "style"}
    assert "".join(page.text).isprintable()
    if kind not in ("predictions", "prediction", "verification"):  # which have no names
        assert NAME[:10] in text
        assert NAME[:10] in "".join(page.text)


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_table_say_the_same(shown, kind):
    words = "".join(repr(shown[kind]).split())
    assert "".join("".join(Tags(shown[kind]._repr_html_()).text).split()) == words


def test_what_is_said(shown):
    network = repr(pair()).splitlines()
    assert network[0] == "Network: 2 models, 3 feeds"
    assert network[1].split() == [
        "chat",
        "reads",
        "20",
        "of",
        "chat,",
        "20",
        "of",
        "real",
        "(weight",
        "0.5)",
    ]
    assert "±50% with confidence 99%" in repr(shown["study"])
    assert "0.5, -0.5" in repr(shown["condition"])
    assert "1 of 1 model collapses; smallest cure: real ->" in repr(shown["diagnosis"])
    law = shown["prediction"]
    assert f"mse {law.mse[-1, 0]:.4g} at generation 2" in repr(law)
    verification = shown["verification"]
    assert f"Verification: {verification.verdict}, 12 cells" in repr(verification)
    counts = Counter(cell.verdict for cell in verification.cells if cell.law == "first_order")
    [line] = [line for line in repr(verification).splitlines() if "first_order" in line]
    told = (part.split() for part in line.split("first_order")[1].split(","))
    assert {verdict: int(number) for number, verdict in told} == counts


def test_a_network_that_changes_says_so():
    day, night = (mcjax.Generation([("a", "a", n)]) for n in (20, 40))
    network = mcjax.Network(("a",), later=mcjax.cycle(day, night), initial=(20,))
    [title, _] = repr(network).splitlines()
    assert title.endswith(": 1 model, 1 feed; feeds change with time, these are of generation 1")


@pytest.mark.parametrize("make", [lambda net: net, mcjax.diagnose])
def test_what_is_large_is_short(make):
    count = 60
    network = mcjax.topologies.chain(count, samples=20, initial=20)
    lines = repr(make(network)).splitlines()
    assert len(lines) == MOST_ROWS + 2
    assert lines[-1].strip() == f"... and {count - MOST_ROWS} more models"
    assert "60 models" in lines[0]


def test_long_names_are_cut():
    for name in ("x" * 100_000, "\x1b" * 100_000):
        lines = repr(pair(name)).splitlines()
        assert max(map(len, lines)) < 200
        assert "…" in lines[1]


def test_what_does_not_fit_a_line_is_counted():
    one = mcjax.condition(pair(), mcjax.linear(), [0.5] * 6)
    assert "0.5, 0.5, 0.5, 0.5 and 2 more" in repr(one)
