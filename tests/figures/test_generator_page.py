"""The page about a run of generators: whole by itself, and it says what was found."""

import base64
import dataclasses
import re

import numpy as np
import pytest
from page_tags import Tags

import mcjax
from mcjax.figures import generator_page
from mcjax.figures.generated import samples_png
from mcjax.figures.generator_page import DASHED, NO_LINE, generator_pages

ABOUT = {"command": "mcjax verify 'a.toml'", "file": "[run]", "environment": {"device": "<cpu>"}}


@pytest.fixture(scope="module")
def judged():
    import jax

    generator = mcjax.Generator(
        init=lambda key: 0.0,
        fit=lambda key, params, rows: rows.mean(),
        sample=lambda key, params, n: params + jax.random.normal(key, (n,)),
        measure=lambda key, params, rows: {"<square>": params**2},
        real=lambda key, n: jax.random.normal(key, (n,)),
        name="<gaussian>",
        show=lambda rows: np.ones((2, 3, 3)),
    )
    models = ["teacher", "<pupil>"]
    feeds = [mcjax.Feed("teacher", "<pupil>", 20)]
    networks = {
        "frozen": mcjax.build_network(models, feeds, initial=20),
        "flip": mcjax.build_network(
            models, [*feeds, mcjax.Feed("<pupil>", "teacher", 20)], initial=20
        ),
        "loop": mcjax.topologies.self_loop(samples=20, initial=20),
    }
    conditions = tuple(
        mcjax.GeneratorCondition(net, generator, name=name) for name, net in networks.items()
    )
    return mcjax.verify_generators(mcjax.GeneratorStudy(conditions, 4, chains=64))


def test_the_page_stands_alone_and_tells_all_verdicts(judged):
    pictures = samples_png(judged)
    texts = generator_pages(judged, 1.5, about=ABOUT, pictures=pictures)
    page = texts["report.html"]
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    [inside] = tags.outside
    assert base64.b64decode(inside.removeprefix("data:image/png;base64,")) == pictures
    assert "<script" not in page
    assert "://" not in re.sub(r'xmlns[:\w]*="[^"]*"', "", page)
    names = re.findall(r'\bid="([^"]*)"', page)
    assert len(names) == len(set(names))
    captions = re.findall("<caption>(.*?)</caption>", page)
    for title in ("Claims of one error budget", "Arrival", "Growth", "Drift", "Flip", "Equality"):
        assert len([one for one in captions if one.startswith(title)]) == 1, title
    text = "".join(tags.text)
    for words in ("in 3 conditions and 4 generations?", judged.verdict, "<pupil>", "<cpu>", DASHED):
        assert words in text
    assert "a generation" not in "".join(re.findall("<figure>.*?</figure>", page, re.S)[:3])
    flips = [cell for cell in judged.cells if cell.quantity.startswith("flip")]
    for cell in flips:
        assert f"{cell.interval[0]:.4g}" in text
        assert f"{cell.interval[1]:.4g}" in texts["report.md"]


def test_dashed_lines_are_where_the_curve_law_is(judged):
    page = generator_pages(judged, 0.0, about=ABOUT, pictures=b"")["report.html"]
    drawings = re.findall("<figure>(.*?)</figure>", page, re.S)[3:]
    dashes = [len(re.findall("stroke-dasharray: [^n]", drawing)) for drawing in drawings]
    assert dashes == [2, 2, 0]  # of two models each, and none of the loop itself
    assert [("drawn and not judged" in drawing) for drawing in drawings] == [True, True, False]
    study = dataclasses.replace(judged.study, conditions=judged.study.conditions[:1])
    alone = dataclasses.replace(
        judged, study=study, measures=judged.measures[:1], values=judged.values[:1]
    )
    page = generator_pages(alone, 0.0, about=ABOUT, pictures=b"")["report.html"]
    assert NO_LINE in page
    assert "drawn and not judged" not in page
    assert "<img" not in page


def test_many_charts_are_cut_and_told(judged, monkeypatch):
    monkeypatch.setattr(generator_page, "PANELS", 2)
    names = tuple(f"m{k}" for k in range(10))
    values = tuple(np.repeat(values, 10, -1) for values in judged.values[:1])
    study = dataclasses.replace(judged.study, conditions=judged.study.conditions[:1])
    many = dataclasses.replace(judged, study=study, measures=(names,), values=values)
    page = generator_pages(many, 0.0, about=ABOUT, pictures=b"")["report.html"]
    assert len(re.findall("<figure>", page)) == 1 + 2
    assert "8 more are in measures.csv." in page
