"""Generators with several sources and weights, and what they learn of each other's tasks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import mcjax
from mcjax.errors import InputError
from mcjax.generators.chains import readings
from mcjax.generators.equality import lines
from mcjax.generators.growth import shares
from mcjax.generators.load import load_generators
from mcjax.generators.text_measures import bigram_likeness
from mcjax.generators.transfer import transfers
from mcjax.study.load import builtin_file

CENTRES = {"private east": 3.0, "private west": -3.0, "public": 0.0}


def drawn(centre):
    return lambda key, n: centre + jax.random.normal(key, (n,))


def mean_of_entities(**changes):
    """A normal law with fitted mean, of which the east has another truth than the west."""
    parts = {
        "init": lambda key: jnp.zeros(()),
        "fit": lambda key, params, rows, weights: jnp.average(rows, weights=weights.astype(float)),
        "sample": lambda key, params, n: params + jax.random.normal(key, (n,)),
        "measure": lambda key, params, rows: {"mean": params, "rows": rows[:2]},
        "real": drawn(0.0),
        "sources": {name: drawn(centre) for name, centre in CENTRES.items()},
        "compare": lambda key, params, others: {"gap": jnp.abs(params - others)},
    }
    return mcjax.Generator(**parts | changes)


GENERATOR = mean_of_entities()


def network(alpha, beta=0.75, **settings):
    settings = {"private": 40, "public": 60, "synthetic": 30} | settings
    return mcjax.data_mediated(["east", "west"], alpha, beta, **settings)


def study(*alphas, generator=None, chains=64, **settings):
    generator = generator or mean_of_entities()
    conditions = tuple(
        mcjax.GeneratorCondition(network(alpha, **settings), generator, name=f"{alpha}")
        for alpha in alphas
    )
    return mcjax.GeneratorStudy(conditions, generations=3, chains=chains)


@pytest.fixture(scope="module")
def verification():
    return mcjax.verify_generators(study(0.0, 0.5, 1.0))


@pytest.mark.parametrize(("position", "alpha"), [(0, 0.0), (1, 0.5), (2, 1.0)])
def test_means_are_those_of_the_weighted_sources(verification, position, alpha, z_limit):
    """Exactly by linearity: a share of private, public and pooled means for each generation."""
    own = np.array([3.0, -3.0]) * 0.75
    law = [own]
    for _ in range(3):
        law.append((1 - alpha) * own + alpha * law[-1].mean())
    names = verification.measures[position]
    mean = verification.mean(position)[:, :, names.index("mean")]
    error = verification.standard_error(position)[:, :, names.index("mean")]
    assert (np.abs(mean - law) < z_limit * error).all()


def test_private_rows_are_the_same_in_every_generation(verification):
    """With real = 'reused', which is the default."""
    names = verification.measures[0]
    rows = verification.values[0][..., names.index("rows[0]")]
    assert not np.ptp(rows, axis=1).any()
    assert np.ptp(rows, axis=0).all()


def test_a_measure_between_models_is_the_mean_over_all_others():
    feeds = [mcjax.Feed("real", name, 20) for name in "abc"]
    net = mcjax.build_network(list("abc"), feeds, initial=10)
    made = mcjax.GeneratorStudy((mcjax.GeneratorCondition(net, mean_of_entities()),), 1, 4)
    values = mcjax.verify_generators(made).values[0]
    means, gaps = values[..., 0], values[..., -1]
    for i, j, k in itertools.permutations(range(3)):
        one, other = (np.abs(means[..., i] - means[..., of]) for of in (j, k))
        assert_allclose(gaps[..., i], (one + other) / 2, rtol=1e-12)


def test_measures_between_models_are_not_judged(verification):
    """They change with the other model, before news arrives."""
    assert verification.measures[0][-1] == "gap"
    assert not any("gap" in cell.quantity for cell in verification.cells)
    assert not any(one.measure == "gap" for one in verification.differences)


def test_news_of_one_model_is_not_that_of_another():
    """What two models have in common changes with either, and arrivals are of single ones."""
    feeds = [mcjax.Feed("real", name, 20) for name in "ab"]
    conditions = tuple(
        mcjax.GeneratorCondition(
            mcjax.build_network(["a", "b"], own, initial=20), GENERATOR, name=k
        )
        for k, own in {"apart": feeds, "loop": [mcjax.Feed("a", "a", 20), feeds[1]]}.items()
    )
    verification = mcjax.verify_generators(mcjax.GeneratorStudy(conditions, 2, 4))
    gaps = [values[:, 1:, 1, -1] for values in verification.values]
    assert (gaps[0] != gaps[1]).all()
    arrivals = {c.model: c.verdict for c in verification.cells if c.quantity == "arrival"}
    assert arrivals == dict.fromkeys("ab", "verified")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"sources": {"public": drawn(0.0)}},
            "not: 'private east', 'private west' .it has 'public'.",
        ),
        ({"sources": [1]}, "family.sources: is list"),
        ({"fit": lambda key, params, rows: rows.mean()}, "define fit.key, params, rows, weights"),
        ({"compare": lambda key, params, others: 3.0}, "family.compare: returned"),
        ({"compare": 3}, "family.compare: is not a function"),
    ],
)
def test_bad_generators_of_entities(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        mcjax.verify_generators(study(0.5, generator=mean_of_entities(**changes), chains=4))


def test_rows_of_a_source_that_are_not_like_real_rows():
    wrong = {name: lambda key, n: jax.random.normal(key, (n, 2)) for name in CENTRES}
    generator = mean_of_entities(sources=wrong)
    with pytest.raises(InputError, match=r"sources.private east: has rows .*\[40, 2\]"):
        mcjax.verify_generators(study(0.5, generator=generator, chains=4))


def test_truths_of_sources_are_refused():
    with pytest.raises(InputError, match="which only statistical models have"):
        study(0.5, theta=[[1.0], [2.0]])


def test_shares_of_rows_count_their_weights():
    """Rows of the pool have other weights than real ones, and other numbers."""
    found = shares(readings(network(0.5, private=40, public=60, synthetic=30), 1)[1])
    assert_allclose(found, np.full((2, 2), 0.25), rtol=1e-6)


def test_no_line_leads_back_to_other_sources():
    """Models that read other sources are not in law those that read real data."""
    feeds = [mcjax.Feed("public", "a", 50), mcjax.Feed("real", "b", 50)]
    net = mcjax.build_network(["a", "b"], feeds, initial=50, sources=[mcjax.Source("public")])
    condition = mcjax.GeneratorCondition(net, mean_of_entities())
    assert lines(condition, 1)[1] == [None, (50,)]


def test_generators_with_other_sources_are_other_generators():
    rows = {name: np.zeros(3) for name in CENTRES}
    generators = [
        mean_of_entities(sources=sources)
        for sources in ({}, rows, rows | {"public": np.ones(3)}, {"public": np.zeros(3)})
    ]
    generators.append(mean_of_entities(compare=None))
    assert len({generator.digest for generator in generators}) == len(generators)


def test_transfers():
    names = ("loss on public", "loss on a", "other", "loss on b", "loss on c")
    values = np.arange(2 * 3 * 3 * 5, dtype=float).reshape(2, 3, 3, 5) ** 2
    found = transfers(("a", "b", "c"), names, values)
    change = values - values[:, :1]
    own = [change[:, :, 0, 1], change[:, :, 1, 3], change[:, :, 2, 4]]
    assert_allclose(found["own data"], np.mean(own, axis=0))
    others = [change[:, :, m, k] for m, k in itertools.product(range(3), (1, 3, 4))]
    assert_allclose(found["others' data"], (np.sum(others, axis=0) - np.sum(own, axis=0)) / 6)
    assert_allclose(found["public data"], change[:, :, :, 0].mean(2))
    assert not transfers(("a", "b", "d"), names, values)


def test_likeness_of_texts():
    one, other = jnp.array([[0, 1, 0]]), jnp.array([[0, 1, 1]])  # 01, 10 and 01, 11
    found = bigram_likeness(one, other, symbols=2)
    assert_allclose(found, (0.5, np.log(2) / 2), rtol=1e-6)


@pytest.mark.system
def test_the_builtin_study_of_entities(monkeypatch):
    monkeypatch.setattr("mcjax.generators.lm_docs.HELD_OUT", 8)
    monkeypatch.setattr("mcjax.generators.lm_entities.GENERATED", 16)
    made = load_generators(builtin_file("lm-entities"))
    short = mcjax.GeneratorStudy(made.conditions[1:2], generations=1, chains=4)
    verification = mcjax.verify_generators(short)
    names = verification.measures[0]
    assert names[-2:] == ("cosine", "divergence")
    losses = [names.index(f"loss on {name}") for name in ("code", "topics")]
    own = verification.mean(0)[0, :, losses]
    assert own[0, 0] < own[1, 0]  # code's text is best known to code
    assert own[1, 1] < own[0, 1]
