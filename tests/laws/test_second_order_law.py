"""The second-order law as a law: where it applies, what it says of itself, and when it is asked."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from second_order_cases import case, log_cosh, loop

import mcjax
from mcjax import api
from mcjax.cli.main import cli
from mcjax.errors import InputError
from mcjax.laws.law import Inapplicable
from mcjax.laws.predict import predict_condition
from mcjax.laws.registry import built_in
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.models.quantile import quantile
from mcjax.network import Generation, Growing, Source, build_network, cycle
from mcjax.study.study import Study, condition

LAW = built_in("second_order")


def one_model(feeds, model=None, theta=(1.0, 0.5), initial=100, **options):
    own = {key: options.pop(key) for key in ("covariance", "design") if key in options}
    net = build_network("a", feeds, initial, **options)
    return condition(net, model or logistic(), list(theta), **own)


# -------------------------------------------------------------------------------- where it applies


def plain():
    return one_model([("a", "a", 50), ("real", "a", 50)])


def growing():
    one = plain()
    later = Growing(one.network.later.generations[0], 0.5)
    return replace(one, network=replace(one.network, later=later))


def with_source(**source):
    feeds = [("a", "a", 50), ("web", "a", 50)]
    return one_model(feeds, linear(), sources=[Source("web", samples=50, **source)])


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (one_model(loop(100), quantile(0.5)), "does not state"),
        (one_model(loop(100), penalised(logistic(), ridge=0.1)), "penalised"),
        (one_model(loop(100), linear(), design="fixed"), "designs are fixed"),
        (one_model(loop(100), memory="accumulate"), "memory is 'accumulate'"),
        (growing(), "sample counts grow"),
        (with_source(theta=(0.0, 0.0)), "truths of their own"),
        (with_source(shift=(1.0, 0.0)), "truths of their own"),
        (with_source(covariance=((1.0, 0.0), (0.0, 2.0))), "covariates of their own"),
        (one_model(loop(100), linear(), theta=np.ones(99), initial=200), "a fit has 100 rows"),
        (
            one_model(
                loop(100),
                replace(log_cosh(), scores=replace(log_cosh().scores, expansion=None)),
            ),
            "log_cosh does not state the derivatives",
        ),
    ],
)
def test_it_says_why_it_does_not_apply(one, reason):
    if "100 rows" in reason:
        one = replace(one, theta=np.ones(100))
    assert reason in LAW.applies(one).sentence


def test_it_applies_to_the_rest():
    assert LAW.applies(plain()) is None
    assert LAW.applies(with_source(noise=0.5)) is None
    assert LAW.applies(one_model(loop(100), log_cosh())) is None


def test_infinite_moments_and_large_networks_are_refused():
    heavy = {"name": "student_t", "df": 2}
    with pytest.raises(Inapplicable, match="infinite"):
        LAW.predict(one_model(loop(100), linear(noise=heavy)), 1)
    with pytest.raises(Inapplicable, match=r"infinite|number"):
        LAW.predict(one_model(loop(100), poisson(), theta=(40.0, 0.0)), 1)
    names = [str(i) for i in range(151)]
    feeds = [(a, b, 50) for a, b in pairwise(names)]
    large = condition(build_network(names, feeds, 100), logistic(), [1.0])
    with pytest.raises(Inapplicable, match="has 151 entries"):
        LAW.predict(large, 1)
    feeds = [(end, name, 50) for name in names[:60] for end in ("real", name)]
    kept = condition(build_network(names[:60], feeds, 50, real="reused"), huber(), [1.0])
    with pytest.raises(Inapplicable, match="has 240 entries"):
        LAW.predict(kept, 1)
    feeds = [(a, b, 50) for a in names[:70] for b in names[:70]]
    dense = condition(build_network(names[:70], feeds, 100), huber(), [1.0, 0.5, 0.2])
    with pytest.raises(Inapplicable, match="read too many others"):
        LAW.predict(dense, 1)


def test_negative_corrections_beyond_the_first_order_are_refused():
    with pytest.raises(Inapplicable, match="corrections exceed"):
        LAW.predict(one_model(loop(20), poisson(), theta=(0.5, -0.5), initial=20), 150)


# ------------------------------------------------------------------------------ equal descriptions


def same(first, second, generations=3):
    a, b = (LAW.predict(one, generations) for one in (first, second))
    np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(a.limit, b.limit, rtol=1e-10)


def test_noise_of_a_source_is_real_noise():
    named = [("a", "a", 50), ("web", "a", 50)]
    first = [("web", "a", 100)]
    ours = one_model(named, linear(), sources=[Source("web", samples=100, noise=1.0)], first=first)
    same(ours, one_model([("a", "a", 50), ("real", "a", 50)], linear()))
    louder = one_model(
        named, linear(), sources=[Source("web", samples=100, noise=2.0)], first=first
    )
    assert LAW.predict(louder, 0).mse == pytest.approx(4 * LAW.predict(ours, 0).mse)


def test_a_public_source_is_one_sample():
    """Two models that fit one public sample alone have the same errors."""
    net = build_network(
        "ab",
        [("web", "a", 100), ("web", "b", 100)],
        100,
        sources=[Source("web", samples=100, public=True)],
        first=[("web", "a", 100), ("web", "b", 100)],
    )
    law = LAW.predict(condition(net, logistic(), [1.0, 0.5]), 2)
    blocks = law.covariance.reshape(3, 2, 2, 2, 2)
    np.testing.assert_allclose(blocks[:, 0, :, 1], blocks[:, 0, :, 0], rtol=1e-12)
    np.testing.assert_allclose(law.mse[1:], law.mse[:1].repeat(2, 0), rtol=1e-12)


def test_weights_are_relative():
    same(
        one_model([("a", "a", 50, 2.0), ("real", "a", 50, 6.0)]),
        one_model([("a", "a", 50), ("real", "a", 50, 3.0)]),
    )


def test_a_frozen_model_keeps_its_moments_and_its_readers_settle():
    net = build_network("ab", [("a", "b", 100)], 100)
    law = LAW.predict(condition(net, logistic(), [1.0, 0.5]), 4)
    np.testing.assert_allclose(law.mse[:, 0], law.mse[0, 0], rtol=1e-13)
    np.testing.assert_allclose(law.mse[1:, 1], law.mse[1, 1], rtol=1e-12)
    np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-12)


def test_generations_that_differ():
    """One generation with fewer rows, then the others; the limit is that of what stays."""
    base = [("a", "a", 100), ("real", "a", 100)]
    few = [("a", "a", 50), ("real", "a", 50)]
    net = build_network("a", [*base], 200)
    other = build_network("a", [*few], 200)
    later = mcjax.Series(other.later.generations[0], net.later.generations[0])
    changed = condition(replace(net, later=later), logistic(), [1.0, 0.5])
    ours, theirs = LAW.predict(changed, 30), LAW.predict(condition(net, logistic(), [1.0, 0.5]), 30)
    alone = LAW.predict(condition(other, logistic(), [1.0, 0.5]), 1)
    np.testing.assert_allclose(ours.mse[1], alone.mse[1], rtol=1e-13)
    assert ours.mse[2] != pytest.approx(theirs.mse[2])
    np.testing.assert_allclose(ours.limit, theirs.limit, rtol=1e-10)
    np.testing.assert_allclose(LAW.predict(changed, 0).limit, theirs.limit, rtol=1e-10)


def test_covariates_of_any_scale():
    """Errors of theta are those in other units."""
    scales = np.diag([2.0, 0.1])
    ours = one_model(loop(100), theta=(1.0, 0.5))
    theirs = one_model(loop(100), theta=(0.5, 5.0), covariance=scales**2)
    back = np.kron(np.eye(1), scales)
    a, b = LAW.predict(ours, 2), LAW.predict(theirs, 2)
    np.testing.assert_allclose(a.covariance, back @ b.covariance @ back, rtol=1e-9)
    np.testing.assert_allclose(a.mean, b.mean @ scales, rtol=1e-9)


def test_an_error_of_truth_0_has_no_direction():
    law = LAW.predict(one_model(loop(100), theta=(0.0, 0.0, 0.0)), 3)
    np.testing.assert_allclose(law.mean, 0, atol=1e-15)
    blocks = law.covariance
    np.testing.assert_allclose(blocks, blocks[:, :1, :1] * np.eye(3), rtol=1e-12, atol=1e-16)


# -------------------------------------------------------------------------- what it says of itself


def loop_of(n, theta=(0.5, 0.5, 0.5), model=None):
    return one_model(loop(n), model, theta, n)


@pytest.mark.parametrize(
    ("one", "t", "indicator"),
    [
        (loop_of(100), 8, 0.925),
        (loop_of(185), 8, 0.5),
        (loop_of(414), 20, 0.5),
        (loop_of(100, (0.5, -0.5), poisson()), 6, 0.184),
    ],
)
def test_indicator(one, t, indicator):
    found = LAW.predict(one, t)
    assert found.validity.indicator[t, 0] == pytest.approx(indicator, abs=6e-4)
    assert (found.validity.judged == (found.validity.indicator <= 0.5)).all()
    assert np.isfinite(found.allowance).all()
    assert bool(found.validity.note) == (not found.validity.judged.all())


@pytest.mark.parametrize(
    ("model", "theta", "third"),
    [
        (logistic(), (0.5, 0.5, 0.5), 83.146),
        (poisson(), (0.5, -0.5), 1328.57),
        (poisson(), (1.0, 1.0), 259_629),
        (linear(), (1.0, 1.0), 2 * 4 * 6),
        (huber(), (1.0, 1.0), 2 * 4 * 6 / 0.82137**2),
    ],
)
def test_leverage(model, theta, third):
    n = 100
    for feeds in (loop(n), [("a", "a", n // 2), ("real", "a", n // 2)]):
        found = LAW.predict(one_model(feeds, model, theta, n), 1).validity
        np.testing.assert_allclose(n**2 * found.leverage, third, rtol=2e-5)
    assert found.judged.all() == (third / n**2 <= 0.5 and found.indicator.max() <= 0.5)


@pytest.mark.parametrize("p", [1, 2])
def test_ten_rows_for_each_parameter_are_too_few(p):
    """Even where the expansion itself says that it is accurate."""
    few, enough = (
        LAW.predict(one_model(loop(n), huber(), [0.1] * p, n), 1).validity
        for n in (10 * p, 10 * p + 1)
    )
    for found in (few, enough):
        assert (found.indicator <= 0.5).all()
        assert (found.leverage <= 0.5).all()
    assert not few.judged.any()
    assert not few.directed_judged.any()
    assert f"from {10 * p + 1} rows" in few.note
    assert few.accurate_from(1.0)["first_order"] == 10 * p + 1
    assert enough.judged.all()
    assert enough.note == ""


@pytest.mark.parametrize("one", [loop_of(400), loop_of(100, (0.5, -0.5), poisson())])
def test_the_allowance_is_a_share_of_the_first_order_error(one):
    """Claims are relative to the prediction, which corrections make larger."""
    found = LAW.predict(one, 2)
    stated = 2 * found.validity.indicator**2 + found.validity.leverage / 10
    assert (found.mse > 1.02 * found.leading.mse).all()
    np.testing.assert_allclose(found.allowance * found.mse, stated * found.leading.mse)


def test_the_indicator_along_or_across_is_larger_than_that_of_both():
    one = LAW.predict(loop_of(400, (0.5,)), 2).validity
    np.testing.assert_allclose(one.directed, one.indicator)
    many = LAW.predict(loop_of(400), 2).validity
    assert (many.directed > 1.01 * many.indicator).all()
    half = LAW.predict(loop_of(200), 2).validity
    np.testing.assert_allclose(half.directed, 2 * many.directed)


def test_third_cumulants():
    """Of the first model's first parameter, and of the sum of both."""
    n, both = 100, np.array([1.0, 1.0])
    third = LAW.predict(case("ring2s", n), 6).validity.third
    first = np.zeros((3, 1, 2))
    first[:, 0, 0] = 1.0
    assert n**2 * third.of(first)[0, 0] == pytest.approx(115.02119, rel=1e-6)
    turned = third.of(np.tile(both, (3, 1, 1)))[:, 0]
    metric = third.metric @ both
    along, rest = both @ third.direction, both @ metric - (both @ third.direction) ** 2
    np.testing.assert_allclose(turned, third.along * along**3 + 3 * third.mixed * along * rest)


@pytest.mark.parametrize(
    ("one", "radii"),
    [
        (one_model([("a", "a", 50), ("real", "a", 50)], theta=(1.0, 1.0)), (0.25, 0.280)),
        (loop_of(100), (1.0, 1.145)),
        (loop_of(100, model=linear()), (1.0, 1.0)),
        (one_model([("real", "a", 50)]), (0.0, 0.0)),
    ],
)
def test_by_how_much_covariances_are_multiplied(one, radii):
    found = LAW.predict(one, 1).validity.radii()
    assert found == pytest.approx(radii, abs=6e-4)
    assert found.explode == (radii[1] > 1)


def test_many_models_are_multiplied_as_few_are():
    """A ring of models with loops; eigenvalues are found in another way for many."""

    def ring(size):
        names = [f"m{i}" for i in range(size)]
        feeds = [(name, name, 50) for name in names]
        feeds += [(names[i - 1], name, 50) for i, name in enumerate(names)]
        return condition(build_network(names, feeds, 100), logistic(), [0.5, 0.5, 0.5])

    few, many = (LAW.predict(ring(size), 1).validity.radii() for size in (4, 12))
    assert many.first_order == pytest.approx(1.0)
    # the more models share the noise, the less of it returns to one of them
    assert 1.0 < many.second_order < few.second_order < 1.145


def test_feeds_that_go_on_changing_multiply_by_no_one_factor():
    one = one_model([("a", "a", 50), ("real", "a", 50)])
    [later] = one.network.later.generations
    other = Generation(replace(feed, weight=feed.samples) for feed in later.feeds[:1])
    turns = replace(one, network=replace(one.network, later=cycle(later, other)))
    assert LAW.predict(turns, 1).validity.radii() is None


def test_leverage_is_inherited():
    net = build_network("ab", [("a", "b", 1000), ("real", "b", 1000)], {"a": 50, "b": 1000})
    found = LAW.predict(condition(net, logistic(), [1.0]), 2).validity
    assert found.leverage[0, 1] < 0.1 * found.leverage[0, 0]
    assert found.leverage[1, 1] == found.leverage[0, 0]


def test_rows_from_which_laws_are_accurate():
    """With as many rows as it says, it needs no more."""
    n, tolerance = 100, 0.05
    found = LAW.predict(loop_of(n), 8).validity.accurate_from(tolerance)
    assert found["first_order"] == pytest.approx(92.5 / tolerance, rel=2e-3)
    again = LAW.predict(loop_of(found["second_order"]), 8)
    assert again.validity.judged.all()
    stated = 2 * again.validity.indicator**2 + again.validity.leverage / 10
    assert stated.max() == pytest.approx(tolerance, rel=1e-2)
    assert again.validity.accurate_from(tolerance)["second_order"] == found["second_order"]


# -------------------------------------------------------------------------------------- on request

FILE = """
[network]
models = ["a"]
initial = 100
feeds = [{ from = "a", to = "a", samples = 100 }]
[family]
name = "logistic"
theta = [0.5, 0.5, 0.5]
[run]
generations = 8
chains = 64
"""


def test_it_is_judged_only_where_it_is_named():
    one = plain()
    assert set(predict_condition(one, 1).laws) == {"first_order"}
    assert "second_order" not in predict_condition(one, 1).inapplicable
    assert set(predict_condition(one, 1, ["second_order"]).laws) == {"first_order", "second_order"}
    study = Study((one,), generations=1, chains=128)
    assert "second_order" in api.predict(study, ["second_order"])[0].laws
    with pytest.raises(InputError, match="did you mean 'second_order'"):
        api.predict(study, ["second_ordr"])


@pytest.mark.system
def test_commands(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(FILE)
    run = CliRunner()
    shown = json.loads(run.invoke(cli, ["predict", str(file), "--json"]).output)["laws"]
    law = shown["second_order"]
    assert law["judged"] == [[t < 4] for t in range(9)]
    assert "third order matters here" in law["note"]
    assert set(law["accurate_from"]) == {"first_order", "second_order"}
    assert law["bias"][8][0] == pytest.approx(0.2245408 * 3**0.5, rel=1e-5)
    assert "judged" not in shown["first_order"]
    assert "third order matters here" in run.invoke(cli, ["predict", str(file)]).output
    named = run.invoke(cli, ["verify", str(file), "--json", "--quiet", "--law", "second_order"])
    assert {cell["law"] for cell in json.loads(named.output)["cells"]} == set(shown)
    silent = run.invoke(cli, ["verify", str(file), "--json", "--quiet"])
    assert {cell["law"] for cell in json.loads(silent.output)["cells"]} == {"first_order"}
