"""Least squares of few rows where networks are drawn: explosion in the mean, and on a sequence."""

import numpy as np
import pytest
from click.testing import CliRunner

from mcjax.cli.main import cli
from mcjax.diagnosis import diagnose
from mcjax.laws.least_squares.finite_sample import FiniteSample
from mcjax.models.location import linear
from mcjax.network import REAL, Drawn, Feed, Generation, Source, build_network
from mcjax.study.study import condition

FACTORS = {1: 1.54762, 3: 1.14835, 5: 0.88611, 8: 0.63409}
"""Of the mean square of a loop of 11 rows and these real ones, p = 10."""


def with_real(rows):
    return Generation([Feed("a", "a", 11), Feed(REAL, "a", rows)])


def exact(*real, **law):
    net = build_network("a", Drawn(*map(with_real, real), **law), 30)
    return diagnose(net, 10).finite_sample


@pytest.mark.parametrize("real", [(1, 5), (3, 5), (1, 8)])
def test_factors_of_turns(real):
    """A chain that alternates has the geometric mean of the factors, on each sequence too."""
    found = exact(*real, transition=[[0, 1], [1, 0]])
    both = FACTORS[real[0]] * FACTORS[real[1]]
    assert found.radius["a"] ** 2 == pytest.approx(both, rel=2e-5)
    assert found.explodes["a"] == (both > 1)
    if both > 1:
        exponent, error = found.exponents["a"]
        assert exponent == pytest.approx(np.log(both) / 2, abs=1e-5)
        assert error == 0


def test_two_thresholds():
    """The mean explodes from w = .17217 on, sequences from .21683 on."""
    for w, explodes, exponent in (
        (0.17216, False, None),
        (0.17218, True, -1),
        (0.21682, True, -1),
        (0.21684, True, 1),
    ):
        found = exact(1, 5, probabilities=[w, 1 - w])
        assert found.explodes["a"] == explodes
        if exponent is None:
            assert not found.exponents
        else:
            assert np.sign(found.exponents["a"][0]) == exponent
    found = exact(1, 5, probabilities=[0.2, 0.8])
    assert found.radius["a"] == pytest.approx(1.01841, abs=1e-5)
    assert found.exponents["a"] == pytest.approx((-0.00939, 0), abs=1e-5)


def test_an_exponent_of_several_models_by_sequences():
    """Of two models with the same data it is that of one; the estimate tells its error."""

    def pair(real):
        return Generation(
            [
                *(Feed("a", name, 11) for name in "ab"),
                *(Feed(REAL, name, real) for name in "ab"),
                Feed("b", "a", 1),
            ]
        )

    net = build_network("ab", Drawn(pair(1), pair(4), probabilities=[0.5, 0.5]), 30)
    found = diagnose(net, 10).finite_sample
    exponent, error = found.exponents["a"]
    assert 0 < error < 0.01
    assert exponent + 3 * error < np.log(found.radius["a"])  # of a mean, which is larger


def test_the_command_tells_what_means_are_worth(tmp_path):
    for name, rows in (("one", 1), ("other", 5)):
        feed = '{{ from = "{}", to = "a", samples = {} }}'
        feeds = f"{feed.format('a', 11)}, {feed.format('real', rows)}"
        (tmp_path / f"{name}.toml").write_text(
            f'[network]\nmodels = ["a"]\ninitial = 30\nfeeds = [{feeds}]\n'
        )
    file = tmp_path / "study.toml"
    file.write_text(
        '[network]\nmodels = ["a"]\ninitial = 30\n[network.switching]\n'
        'networks = ["one.toml", "other.toml"]\norder = "random"\nprobabilities = [0.2, 0.8]\n'
        f'[family]\nname = "linear"\ntheta = {[0.0] * 10}\n'
    )
    text = CliRunner().invoke(cli, ["diagnose", str(file)]).stdout
    assert "a explodes" in text
    assert "No model of 1 collapses to first order." in text
    assert "(nothing collapses to first order in whatever order these networks come)" in text
    assert text.count("is multiplied by") == 1
    assert "multiplied by 1.0184 per generation, and yet errors of nearly all chains shrink" in text


def test_the_command_tells_factors_where_sequences_explode_too(tmp_path):
    file = tmp_path / "study.toml"
    feed = '{{ from = "{}", to = "a", samples = {}{} }}'
    read = ("a", 11, ""), ("real", 1, ""), ("real", 2, ", probability = 0.5")
    feeds = ", ".join(feed.format(*one) for one in read)
    file.write_text(
        f'[network]\nmodels = ["a"]\ninitial = 30\nfeeds = [{feeds}]\n'
        f'[family]\nname = "linear"\ntheta = {[0.0] * 10}\n'
    )
    text = CliRunner().invoke(cli, ["diagnose", str(file)]).stdout
    factor = (FACTORS[1] + FACTORS[3]) / 2
    assert f"  a: the mean squared error is multiplied by {factor:.5g} per generation\n" in text


def test_a_source_that_the_law_of_drawn_feeds_has_not_is_the_reason():
    generations = with_real(5), Generation([Feed("a", "a", 11), Feed("far", "a", 5)])
    later = Drawn(*generations, probabilities=[0.5, 0.5])
    far = Source("far", theta=(1.0, 0.0))
    one = condition(build_network("a", later, 30, sources=[far]), linear(), [0.0, 0.0])
    assert "`real` is the only source" in str(FiniteSample().applies(one))


def random_network(rng, p):
    size, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    names = "abc"[:size]
    generations = []
    for _ in range(count):
        feeds = []
        for i in names:
            read = [Feed(j, i, int(rng.integers(1, p))) for j in names if rng.random() < 0.5]
            if rng.random() < 0.4:
                read.append(Feed(REAL, i, int(rng.integers(1, 4))))
            if rng.random() < 0.25:
                continue
            lacks = p + 2 - sum(feed.samples for feed in read)
            if read and lacks > 0:
                first = read[0]
                read[0] = Feed(first.origin, i, first.samples + lacks)
            feeds += read
        generations.append(Generation(feeds))
    law = {"probabilities": rng.dirichlet(np.ones(count)).tolist()}
    if rng.random() < 0.5:
        law = {"transition": rng.dirichlet(np.ones(count), count).tolist()}
    return build_network(names, Drawn(*generations, **law), 4 * p)


def test_components_decide_as_powers_of_the_whole_recursion_do():
    rng = np.random.default_rng(3)
    seen = {True: 0, False: 0}
    p = 6
    for _ in range(40):
        net = random_network(rng, p)
        found = diagnose(net, p).finite_sample
        radii = np.array(list(found.radius.values()))
        if (np.abs(radii - 1) < 0.03).any() and not np.isclose(radii, 1, atol=1e-9).any():
            continue  # too close to tell in a few generations
        law = FiniteSample().predict(condition(net, linear(), [0.0] * p), 400)
        for i, name in enumerate(net.models):
            with np.errstate(invalid="ignore"):
                grows = not law.mse[-1, i] < 3 * law.mse[200, i]  # by a constant: at most doubled
            assert found.explodes[name] == grows, (net.later, name)
            assert np.isinf(law.growth[i]) == grows
            seen[bool(grows)] += 1
    assert min(seen.values()) > 8
