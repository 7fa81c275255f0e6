"""Plots show the numbers of cells, nothing else, and change nothing elsewhere."""

import copy
import itertools
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import mcjax
from mcjax import api, plot
from mcjax.errors import InputError
from mcjax.plot.graph import COLLAPSES, MOST_DRAWN
from mcjax.plot.style import PALETTE
from mcjax.plot.verdict_map import COLOURS
from mcjax.verdicts.plan import plan

OF_CELLS = (plot.errors, plot.ratios, plot.verdicts)
PLACE = {"condition": "one, scale=2", "law": "first_order"}


def cells_of(judged, model, quantity="mse"):
    wanted = (PLACE["condition"], PLACE["law"], quantity, model)
    return [c for c in judged.cells if (c.condition, c.law, c.quantity, c.model) == wanted]


def numbers(ax):
    """All that is drawn, as numbers."""
    arrays = (mesh.get_array() for mesh in ax.collections)
    lines = [line.get_xydata().tolist() for line in ax.lines]
    return lines, [array.tolist() for array in arrays if array is not None]


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("draw", OF_CELLS)
def test_memory_and_file_give_one_plot(judged, draw):
    one, other = Figure().subplots(1, 2)
    assert draw(judged, **PLACE, ax=one) is one
    draw(judged.to_dataset(), **PLACE, ax=other)
    assert numbers(one) == numbers(other)
    assert any(numbers(one))
    assert one.get_title("left") == other.get_title("left")
    assert one.get_xlabel() == "generation"
    assert one.get_ylabel()


def test_errors_are_those_of_the_cells(judged, ax):
    plot.errors(judged, **PLACE, ax=ax)
    drawn = [line.get_ydata().tolist() for line in ax.lines]
    for k, model in enumerate(("a", "b$", "c")):
        cells = cells_of(judged, model)
        assert drawn[2 * k] == [cell.predicted for cell in cells]
        assert drawn[2 * k + 1] == [cell.empirical for cell in cells]
        band = ax.collections[k].get_paths()[0].vertices[:, 1]
        high = max(cell.empirical + 1.96 * cell.standard_error for cell in cells)
        assert band.max() == pytest.approx(high)
    assert texts(ax) == ["a", r"b\$", "c"]
    assert "first_order" in ax.get_title("left")


def test_ratios_have_their_intervals_and_verdicts(judged, ax):
    plot.ratios(judged, **PLACE, ax=ax)
    [margin] = ax.patches
    assert margin.get_y() == pytest.approx(0.6)
    assert margin.get_y() + margin.get_height() == pytest.approx(1.4)
    cells = [cell for model in ("a", "b$", "c") for cell in cells_of(judged, model)]
    assert {cell.verdict for cell in cells} == {"verified", "inconclusive"}
    bars, points = ax.lines[1::2], ax.lines[2::2]
    for cell, bar, point in zip(cells, bars, points, strict=True):
        assert point.get_ydata()[0] == cell.ratio
        assert abs(point.get_xdata()[0] - cell.generation) < 0.5
        bottom, top = ax.get_ylim()
        for end, exact in zip(bar.get_ydata(), cell.interval, strict=True):
            assert end == exact or not bottom < end < top
        hollow = to_hex(point.get_markerfacecolor()) == "#ffffff"
        assert hollow == (cell.verdict == "inconclusive")


@pytest.mark.parametrize("left", [5, 0])
def test_ratios_that_are_not_judged_are_counted(judged, ax, left):
    cells = [cell for model in ("a", "b$", "c") for cell in cells_of(judged, model)]
    noted = [replace(cell, note="heavy tail") for cell in cells[left:]]
    some = replace(judged, cells=(*cells[:left], *noted))
    plot.ratios(some, ax=ax)
    assert len(ax.lines) == 1 + 2 * left
    title = ax.get_title("left").replace("\n", " ")
    assert f"{len(cells) - left} of {len(cells)} cells not judged" in title
    low, high = ax.get_xlim()
    assert low < min(cell.generation for cell in cells)
    assert high > max(cell.generation for cell in cells)


def test_the_map_has_every_verdict(judged, ax):
    plot.verdicts(judged, **PLACE, ax=ax)
    [mesh] = ax.collections
    found = np.array(list(COLOURS))[mesh.get_array().astype(int)]
    for row, model in zip(found, ("a", "b$", "c"), strict=True):
        assert row.tolist() == [cell.verdict for cell in cells_of(judged, model)]
    assert ax.yaxis_inverted()  # the first model is at the top
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", r"b\$", "c"]


def test_a_ladder_approaches_its_limit(judged, ax):
    plot.ladder(judged, ax=ax)
    last = [c for c in judged.cells if (c.model, c.generation, c.law) == ("a", 2, "first_order")]
    rungs = {cell.ratio for cell in last if cell.quantity == "mse"}
    [limit] = (cell for cell in last if cell.quantity == "mse_asymptote")
    drawn = ax.containers[0][0]
    assert set(drawn.get_ydata()) == rungs
    np.testing.assert_allclose(drawn.get_xdata(), [0.25, 0.5, 1], atol=0.02)
    at_limit = [line for line in ax.lines if abs(line.get_xdata()[0]) < 0.02]
    assert limit.empirical in [line.get_ydata()[0] for line in at_limit]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["limit", "4", "2", "1"]


def test_bars_of_rungs_are_within_the_axes(judged, ax):
    data = judged.to_dataset()
    data["standard_error"] = 4 * data.standard_error  # bars longer than the interval of the limit
    plot.ladder(data, "one", ax=ax)
    bottom, top = ax.get_ylim()
    bars = [path.vertices[:, 1] for lines in ax.collections for path in lines.get_paths()]
    assert bottom < min(map(np.min, bars))
    assert max(map(np.max, bars)) < top


def test_power_is_that_of_the_plan(judged, ax):
    study = mcjax.Study(judged.study.conditions[:1], generations=2, chains=512, tolerance=0.4)
    plot.power(study, ax=ax)
    needs = plan(study, api.predict(study), 0.9).needs
    *curves, mark = ax.lines
    assert mark.get_xdata()[0] == study.chains
    for need, curve in zip(needs, curves, strict=True):
        x, y = curve.get_data()
        assert list(x) == sorted(x)
        assert x[list(y).index(0.9)] == need.chains
    assert {need.quantity for need in needs} == {"mse"}  # which the title names
    assert texts(ax) == [need.law for need in needs]
    assert ax.get_title("left").startswith("mse")


def test_powers_that_are_left_out_are_told(ax):
    """Eleven claims, and colours for seven."""
    net = mcjax.build_network("ab", [("real", "a", 20), ("a", "b", 20)], 20)
    quantities = ("mse", "bias", "covariance", "efficiency", "homogenisation")
    one = mcjax.condition(net, mcjax.linear(), [0.5])
    study = mcjax.Study((one,), generations=2, chains=512, tolerance=0.4, quantities=quantities)
    plot.power(study, ax=ax)
    claims = len(plan(study, api.predict(study), 0.9).needs)
    assert claims > len(ax.texts) == len(PALETTE)
    assert ax.get_title("left").endswith(f"first 7 of {claims} claims")


@pytest.mark.system
def test_numbers_of_chains_are_written_out(ax, judged):
    plot.power(judged.study, laws=["first_order"], ax=ax)
    ax.figure.draw_without_rendering()
    assert ax.get_xscale() == "log"
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert [tick.label1.get_text() for tick in ticks] == [
        f"{tick.get_loc():,.0f}" for tick in ticks
    ]
    boxes = [tick.label1.get_window_extent() for tick in ticks]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert not any(tick.label1.get_text() for tick in ax.xaxis.get_minor_ticks())


def test_collapse_is_highlighted(ax):
    name = "<b>$\x1b"
    feeds = [(name, name, 20), (name, "b", 20), ("real", "c", 30), ("c", "c", 30)]
    plot.network(mcjax.build_network((name, "b", "c"), feeds, 40), ax=ax)
    boxes = {text.get_text(): text.get_bbox_patch() for text in ax.texts if text.get_bbox_patch()}
    full = {name for name, box in boxes.items() if to_hex(box.get_facecolor()) == COLLAPSES.lower()}
    shown = mcjax.text.drawn(name)
    assert full == {shown, "b"}
    assert boxes[shown].get_linewidth() > boxes["b"].get_linewidth()
    assert "real" in boxes
    assert {"20", "30"} <= set(texts(ax))
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == len(feeds)


def test_the_count_of_a_bent_feed_is_on_its_arrow(ax):
    """Two models that read each other, on axes that are much wider than high."""
    net = mcjax.build_network("ab", [("a", "b", 21), ("b", "a", 22)], 40)
    plot.network(net, ax=ax)
    ax.figure.set_size_inches(8, 3)
    ax.figure.draw_without_rendering()
    arrows = [text.arrow_patch for text in ax.texts if getattr(text, "arrow_patch", None)]
    counts = [text for text in ax.texts if text.get_text() in ("21", "22")]
    for arrow, count in zip(arrows, counts, strict=True):
        start, control, end = arrow.get_path().vertices[:3]  # in pixels
        middle = (start + 2 * control + end) / 4
        box = count.get_window_extent()
        centre = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
        np.testing.assert_allclose(centre, middle, atol=3)


def test_a_diagnosis_of_another_network_is_refused(ax):
    one, other = (mcjax.topologies.chain(n, samples=20, initial=20) for n in (2, 3))
    with pytest.raises(InputError, match=r"^diagnosis: is of another network; .*leave it out$"):
        plot.network(one, mcjax.diagnose(other), ax=ax)


def test_feeds_of_all_phases_are_drawn_with_the_worst_verdicts(ax):
    day, night = (mcjax.Generation([(*ends, 20)]) for ends in (("b", "a"), ("a", "b")))
    net = mcjax.Network(("a", "b"), later=mcjax.cycle(day, night), initial=(20, 20))
    plot.network(net, ax=ax)
    assert ax.get_title("left") == "feeds of 2 phases, and the worst of each model"
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == 2
    entries = [text.get_text() for text in ax.get_legend().get_texts()]
    assert entries == ["collapses", "collapse begins"]
    borders = {t.get_text(): t.get_bbox_patch().get_linewidth() for t in ax.texts if t.get_text()}
    assert min(borders["a"], borders["b"]) > 2  # where collapse begins


def test_a_graph_that_nobody_can_read_is_refused(ax):
    large = mcjax.topologies.chain(MOST_DRAWN + 1, samples=20, initial=20)
    with pytest.raises(InputError, match="201 models"):
        plot.network(large, ax=ax)


def test_names_do_not_overlap(ax):
    """Four models of one curve."""
    ring = mcjax.topologies.ring(4, samples=20, initial=20)
    one = mcjax.condition(ring, mcjax.linear(), [0.5])
    judged = mcjax.verify(mcjax.Study((one,), generations=2, chains=64, tolerance=0.9))
    plot.errors(judged, law="first_order", ax=ax)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 4
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert [text.get_color() for text in ax.texts] == list(PALETTE[:4])


def test_panels_that_share_an_axis_show_all_errors_from_0_on(judged):
    small, large = Figure().subplots(1, 2, sharey=True)
    plot.errors(judged, "one, scale=4", ax=small)
    plot.errors(judged, "one, scale=1", ax=large)
    bottom, top = large.get_ylim()
    assert bottom == 0
    assert top > max(line.get_ydata().max() for line in large.lines)


def test_a_backend_that_draws_at_once_goes_on_doing_so(judged, monkeypatch):
    """That of notebooks turns this on when it is loaded, at the first figure."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    create = pyplot.subplots

    def first(*args, **kwargs):
        matplotlib.interactive(True)
        return create(*args, **kwargs)

    monkeypatch.setattr(pyplot, "subplots", first)
    before = matplotlib.is_interactive()
    try:
        pyplot.close(plot.errors(judged, "one, scale=1").figure)
        assert matplotlib.is_interactive()
    finally:
        matplotlib.interactive(before)


def test_settings_are_left_alone_and_a_new_figure_has_ours(judged):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    before = dict(matplotlib.rcParams)
    made = plot.errors(judged, **PLACE)
    assert dict(matplotlib.rcParams) == before
    assert pyplot.fignum_exists(made.figure.number)  # so that notebooks show it
    assert not made.spines["top"].get_visible()
    pyplot.close(made.figure)


@pytest.mark.parametrize(
    ("draw", "wrong", "message"),
    [
        (plot.errors, {}, "condition: is missing; name one of 'one, scale=1'"),
        (plot.errors, {"condition": "one, scale=3"}, "did you mean 'one, scale="),
        (
            plot.errors,
            PLACE | {"law": "first"},
            "law: 'first' was not judged; give one of 'first_order'",
        ),
        (plot.ratios, PLACE | {"quantity": "mes"}, "did you mean 'mse'"),
        (plot.ladder, {"condition": "on"}, "'on' is not a ladder, as 'one' is"),
        (plot.ladder, {"generation": 7}, "generation: 7 was not judged"),
        (plot.ladder, {"quantity": "bias"}, "has no limit of 'bias'"),
        (plot.ratios, PLACE | {"quantity": "mse_asymptote"}, "was not judged; give one of"),
    ],
)
def test_what_was_not_judged_is_named(judged, draw, wrong, message, ax):
    with pytest.raises(InputError) as caught:
        draw(judged, **wrong, ax=ax)
    assert message in str(caught.value)


def test_data_of_something_else_are_refused(judged, ax):
    with pytest.raises(InputError, match="is no Verification and no Dataset of results"):
        plot.errors(judged.to_dataset()[["ratio"]], ax=ax)
    lost = judged.__getstate__()
    with pytest.raises(InputError, match=r"plot its Dataset from mcjax\.dataset"):
        plot.errors(mcjax.Verification(**lost), ax=ax)


def test_a_long_name_leaves_room_for_the_law(ax):
    net = mcjax.topologies.self_loop(samples=20, initial=20)
    one = mcjax.condition(net, mcjax.linear(), [0.5], label="long" * 200)
    judged = mcjax.verify(mcjax.Study((one,), generations=1, chains=64, tolerance=0.9))
    plot.verdicts(judged, law="first_order", ax=ax)
    assert ax.get_title("left").startswith("mse by first_order, long")


def test_a_copy_without_its_study_says_so(judged):
    with pytest.raises(InputError, match="was copied or unpickled, which leaves out its study"):
        copy.copy(judged).to_dataset()


def test_a_part_without_cells_has_nothing_to_plot(judged, ax):
    part = judged.to_dataset().isel(model=[])
    with pytest.raises(InputError, match="data: has no judged cell, so there is nothing to plot"):
        plot.errors(part, ax=ax)


def test_a_part_of_a_dataset_is_plotted(judged, ax):
    part = judged.to_dataset().sel(condition=PLACE["condition"], model=["a"], law=PLACE["law"])
    plot.ratios(part, ax=ax)
    points = [line.get_ydata()[0] for line in ax.lines[2::2]]
    assert points == [cell.ratio for cell in cells_of(judged, "a")]


def test_a_ladder_without_its_rungs_is_refused(judged, ax):
    alone = judged.to_dataset().sel(condition=["one"])
    with pytest.raises(InputError, match="the limits of a ladder, but none of its rungs"):
        plot.ladder(alone, ax=ax)
