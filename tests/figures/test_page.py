"""The page about a run: whole by itself, well formed, and it says what was found."""

import re

import pytest
from page_tags import Tags

from mcjax import api, load_study
from mcjax.figures.page import pages

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
        "Do the laws finite_sample and first_order hold to within 50%, for 1 condition and 2",
        found.verdict,
        "mcjax verify 'study.toml' --out results",
        'models = ["a", "<b>"]',
        "1.2.3",
        "<cpu>",
        "standard deviations",
    ):
        assert words in text


def test_tables_and_drawings_say_what_they_are(made):
    """What a screen reader, a phone and a dark screen need; nothing is a picture of a terminal."""
    _, texts = made
    page = texts["report.html"]
    assert '<meta name="viewport" content="width=device-width' in page
    assert "prefers-color-scheme:dark" in page
    tables = re.findall(r"<table>.*?</table>", page, re.S)
    assert [re.search("<caption>(.*?)</caption>", table)[1] for table in tables] == [
        "Mean squared error at generation 2; verdicts count all generations",
        "Other quantities",
        "Versions, device and time",
    ]
    for table in tables:
        lines = re.findall(r"<tr>(.*?)</tr>", table, re.S)
        assert set(re.findall("<th[^>]*>", lines[0])) <= {
            '<th scope="col">',
            '<th scope="col" class="number">',
        }
        assert all(line.startswith('<th scope="row">') for line in lines[1:])
        assert len({len(re.findall("</t[hd]>", line)) for line in lines}) == 1
    network, errors = re.findall(r"<figure>(.*?)</figure>", page, re.S)
    for drawing in (network, errors):
        assert len(re.findall("<figcaption>.+?</figcaption>", drawing)) == 1
        [label] = re.findall('<svg [^>]*?role="img" aria-label="(.+?)"', drawing)
        assert f"<title>{label}</title>" in drawing
    assert "2 models, 2 feeds" in network
    assert "Lines: the law first_order" in errors
    ticks = re.findall(r">([\d.]+)</text>", errors)
    assert {"0", "1", "2"} <= set(ticks)
    assert "0.5" not in ticks  # no half generations
    names = re.findall(r'\bid="([^"]*)"', page)
    assert len(names) == len(set(names))
    inside = "".join(re.findall(r"<pre>.*?</pre>", page, re.S))
    assert "verified" not in inside


def test_networks_that_differ_in_their_counts_are_drawn_once(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(f"{FILE}\n[grid]\nscale = [1, 2]\n")
    study = load_study(path)
    about = {"command": "", "file": "", "environment": {}}
    found = api.verify(study)
    page = pages(study, found.predictions, found, 0.0, about)["report.html"]
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert (
        captions[0] == "The network of scale=1: 2 models, 2 feeds; also that of 1 condition more."
    )
    assert [caption.split(":")[0] for caption in captions[1:]] == ["scale=1", "scale=2"]


def test_markdown_says_the_same(made):
    found, texts = made
    text = texts["report.md"]
    assert text.startswith("# Do the laws finite_sample and first_order hold to within 50%")
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
