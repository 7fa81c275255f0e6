"""The page about a run: whole by itself, well formed, and it says what was found."""

import re
from html.parser import HTMLParser

import pytest

from mcjax import api, load_study
from mcjax.figures.page import pages

VOID = {"meta", "br", "hr", "img", "link"}
FILE = """
[network]
models = ["a", "<b>"]
initial = 40
feeds = [{ from = "a", to = "a", samples = 40 }, { from = "a", to = "<b>", samples = 40 }]
[family]
name = "linear"
theta = [1.0]
[run]
generations = 2
chains = 256
tolerance = 0.5
quantities = ["mse", "bias"]
"""


class Tags(HTMLParser):
    """Checks that tags nest; keeps text by the last heading."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.outside = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.outside += [v for k, v in attributes if k in ("src", "href") and not v.startswith("#")]

    def handle_startendtag(self, tag, attributes):
        self.outside += [v for k, v in attributes if k in ("src",)]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "study.toml"
    path.write_text(FILE)
    study = load_study(path)
    predictions = api.predict(study)
    found = api.verify(study)
    about = {
        "command": "mcjax verify 'study.toml' --out results",
        "file": FILE,
        "environment": {"versions": {"jax": "1.2.3"}, "device": "<cpu>"},
    }
    return found, pages(study, predictions, found, 1.5, about)


def test_html_is_well_formed_and_stands_alone(made):
    found, texts = made
    page = texts["report.html"]
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.outside == []
    assert "<svg" in page
    text = "".join(tags.text)
    for words in (
        "Do finite_sample and first_order hold",
        found.verdict,
        "mcjax verify 'study.toml' --out results",
        'models = ["a", "<b>"]',
        "jax: 1.2.3",
        "device: <cpu>",
        "standard deviations",
    ):
        assert words in text


def test_markdown_says_the_same(made):
    found, texts = made
    text = texts["report.md"]
    assert text.startswith("# Do finite_sample and first_order hold for 1 condition")
    assert f"**{found.verdict}, {len(found.cells)} cells" in text
    assert FILE.strip() in text
    assert re.findall(r"^## (.*)$", text, re.M) == [
        *("Verdicts", "To run it again", "The study file", "Made with")
    ]
    assert "\x1b[" not in text  # no terminal colours


def test_the_command_line_leaves_it(tmp_path, monkeypatch, capsys):
    from mcjax.cli import main

    (tmp_path / "study.toml").write_text(FILE)
    out = tmp_path / "results"
    arguments = ["mcjax", "verify", str(tmp_path / "study.toml"), "--out", str(out), "--quiet"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit):
        main.run()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert str(out) in page
    assert "jaxlib" in page
    assert (out / "report.md").stat().st_size > 500
