"""What drawings show: every model once, nothing on top of anything else, and what matters."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import mcjax
from mcjax.pictures.folding import groups_of
from mcjax.pictures.labels import Area, area_of
from mcjax.pictures.layers import HEIGHT, places_of
from mcjax.pictures.scene import MOST_BOXES, Part, scene_of
from mcjax.pictures.sketch import sketch_of
from mcjax.pictures.svg import NARROW, WIDE, svg_of

BUILTIN = Path(mcjax.__file__).parent / "study/builtin"
NETWORKS = (
    *("anchored", "collapsing", "flipped", "stable"),
    *("lm-flip", "lm-loop", "lm-stable", "vae-flip", "vae-stable"),
)
ODD = "<b>&\"'\n$x$ \u202e"


def pipeline():
    feeds = [
        ("crawler", "crawler", 400),
        ("crawler", "chat", 200),
        ("real", "chat", 200),
        ("chat", "judge", 400),
        ("real", "tool", 100),
    ]
    return mcjax.build_network(["crawler", "chat", "judge", "tool"], feeds, initial=400)


def large(size=300):
    """Return a random network with a closed cycle, a self-loop, and real data for every ninth."""
    rng = np.random.default_rng(1)
    own = {"m3": ["m5"], "m4": ["m3"], "m5": ["m4"], "m77": ["m77"]}
    edges = {
        (origin, name)
        for name in (f"m{i}" for i in range(size))
        for origin in own.get(name, [f"m{rng.integers(size)}"])
    }
    edges |= {("real", f"m{i}") for i in range(0, size, 9) if f"m{i}" not in own}
    feeds = [(origin, reader, 10) for origin, reader in sorted(edges)]
    return mcjax.build_network([f"m{i}" for i in range(size)], feeds, initial=10)


def random_network(rng):
    size = int(rng.integers(1, 20))
    pairs = np.argwhere(rng.random((size, size)) < rng.choice([0.05, 0.15, 0.4]))
    feeds = [(str(j), str(i), 10) for j, i in pairs]
    feeds += [("real", str(i), 10) for i in range(size) if rng.random() < 0.2]
    return mcjax.build_network(size, feeds, initial=10)


@pytest.fixture
def scene():
    net = pipeline()
    return scene_of(net, mcjax.diagnose(net))


def test_a_scene_shows_fates_paths_and_cure(scene):
    assert [(b.name, b.fate, b.begins) for b in scene.boxes] == [
        ("real", "real", False),
        ("crawler", "collapses", True),
        ("chat", "collapses", False),
        ("judge", "collapses", False),
        ("tool", "stable", False),
    ]
    assert scene.boxes[1].loop == "400"
    assert scene.boxes[1].note == "+0.0025 a generation"
    assert {(a.origin, a.reader): (a.part, a.text) for a in scene.arrows} == {
        (0, 1): (Part.CURE, ""),
        (0, 2): (Part.REAL, "200"),
        (0, 4): (Part.REAL, "100"),
        (1, 2): (Part.PATH, "200"),
        (2, 3): (Part.PATH, "400"),
    }
    assert scene.title == "4 models with their feeds; 3 collapse"


def test_a_sketch_has_every_box_below_one_that_feeds_it(scene):
    assert list(sketch_of(scene)) == [
        "[real]",
        "    ~~> [crawler]  collapse begins here; +0.0025 a generation; reads itself; cure: a new"
        " feed",
        "        --> [chat]  collapses; +0.000625 a generation; reads real",
        "            --> [judge]  collapses; +0.000625 a generation",
        "    --> [tool]  stable; 0.01 in the limit",
    ]


@pytest.mark.parametrize("most", [12, MOST_BOXES])
def test_what_matters_of_a_large_network_is_in_front(most):
    net = large()
    diagnosis = mcjax.diagnose(net)
    groups = groups_of(diagnosis, most)
    assert sorted(name for group in groups for name in group.models) == sorted(net.models)
    assert len(groups) <= most + 3, "and those of the rest, one for each fate"
    alone = {group.name for group in groups if len(group.models) == 1}
    assert {"m3", "m4", "m5", "m77"} <= alone
    begin = {group.name for group in groups if group.begins}
    for name in alone - begin:
        verdict = diagnosis.models[name]
        assert set(verdict.path) <= alone, "the path to a model in front is in front"


def test_cycles_that_are_long_or_many_are_folded():
    feeds = [(f"a{i}", f"a{(i + 1) % 30}", 10) for i in range(30)]
    feeds += [(f"b{i}", f"b{i}", 10) for i in range(30)]
    net = mcjax.build_network(
        [f"{letter}{i}" for letter in "ab" for i in range(30)], feeds, initial=10
    )
    groups = groups_of(mcjax.diagnose(net), 12)
    assert [(group.name, len(group.models)) for group in groups] == [
        ("a0 and 29 more", 30),
        *((f"b{i}", 1) for i in range(5)),
        ("25 more of 25 models", 25),
    ]
    assert all(group.begins for group in groups)


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_boxes_and_arrows_are_apart(width):
    rng = np.random.default_rng(2)
    for _ in range(40):
        net = random_network(rng)
        scene = scene_of(net, mcjax.diagnose(net))
        places = places_of(scene, width)
        count = len(scene.boxes)
        for a in range(count):
            assert places.x[a] - places.widths[a] / 2 > 0
            assert places.x[a] + places.widths[a] / 2 < places.width
            assert HEIGHT / 2 < places.y[a] < places.height - HEIGHT / 2
            for b in range(a):
                beside = abs(places.x[a] - places.x[b]) >= (places.widths[[a, b]].sum()) / 2
                assert beside or abs(places.y[a] - places.y[b]) >= HEIGHT
            for chain in places.between.values():
                for x, y in chain:
                    assert y != places.y[a] or abs(x - places.x[a]) >= places.widths[a] / 2


def texts_and_boxes(text):
    """Return the rectangles of the texts beside arrows, and of boxes, in a drawing."""
    drawn = ElementTree.fromstring(text).find("{*}g")
    texts = [
        area_of(element.text, (float(element.get("x")), float(element.get("y")) - 4))
        for element in drawn.findall(".//{*}text")
        if element.get("class") == "count"
    ]
    sides = (
        [float(element.get(side)) for side in ("x", "y", "width", "height")]
        for element in drawn.findall(".//{*}rect")
    )
    return texts, [Area(x + w / 2, y + h / 2, w, h) for x, y, w, h in sides]


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("name", NETWORKS)
def test_texts_of_built_in_networks_cover_nothing(name, width):
    net = mcjax.read_network(BUILTIN / f"{name}.toml")
    drawing = svg_of(scene_of(net, mcjax.diagnose(net)), width)
    texts, boxes = texts_and_boxes(drawing)
    assert len(texts) == len({(feed.origin, feed.reader) for feed in net.recurring})
    for k, text in enumerate(texts):
        assert all(text.common(other) == 0 for other in [*texts[:k], *boxes])


@pytest.mark.parametrize("net", [pipeline(), large()], ids=["small", "large"])
def test_a_drawing_is_svg_that_needs_nothing_else(net):
    text = svg_of(scene_of(net, mcjax.diagnose(net)), WIDE)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    outside = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|<script|url\(|@import|href", outside)
    assert "prefers-color-scheme:dark" in text


def test_names_are_shown_as_they_are():
    net = mcjax.build_network([ODD, "x" * 60], [(ODD, "x" * 60, 10)], initial=10)
    scene = scene_of(net, mcjax.diagnose(net))
    root = ElementTree.fromstring(svg_of(scene, WIDE))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<b>&\"'\\n$x$ \\u202e" in texts
    assert max(map(len, texts)) < 40
    assert any("x" * 60 in element.text for element in root.iter() if element.text)
    assert any("\\n" in line for line in sketch_of(scene))


def test_feeds_that_come_and_go_are_drawn_once():
    feeds = [
        mcjax.Feed("a", "b", 10, every=2),
        mcjax.Feed("b", "a", 10, first=2, every=2),
        mcjax.Feed("a", "b", 20, first=2, every=2),
    ]
    net = mcjax.build_network(["a", "b"], feeds, initial=10)
    scene = scene_of(net, mcjax.diagnose(net))
    assert {(a.origin, a.reader) for a in scene.arrows if a.part is not Part.CURE} == {
        (1, 2),
        (2, 1),
    }
    assert "2 phases" in scene.title


def test_many_sources_are_folded():
    sources = [mcjax.Source(f"s{k}") for k in range(6)]
    feeds = [(f"s{k}", "a", 10) for k in range(6)]
    net = mcjax.build_network(["a"], feeds, initial=10, sources=sources)
    scene = scene_of(net, mcjax.diagnose(net))
    assert [box.name for box in scene.boxes] == ["s0", "s1", "s2", "3 more sources", "a"]
    assert [arrow.text for arrow in scene.arrows] == ["10", "10", "10", "30"]


def test_data_of_unknown_origin_are_drawn_as_such():
    feeds = [("unknown", "m0", 10), ("m0", "m0", 20)]
    feeds += [(f"m{i}", f"m{i + 1}", 10) for i in range(30)]
    net = mcjax.build_network([f"m{i}" for i in range(31)], feeds, initial=10)
    lines = list(sketch_of(scene_of(net, mcjax.diagnose(net), 12)))
    assert lines[:2] == [
        "[unknown]  data of unknown origin",
        "    --> [m0]  not known; reads itself",
    ]
    assert lines[-1].strip() == "--> (27 more not known)  not known"
