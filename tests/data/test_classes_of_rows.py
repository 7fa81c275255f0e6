"""Multinomial logistic regression on rows of data: labels, moments, and the law of chains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rows import FRAME, N, loop
from scipy.special import softmax

import mcjax
from mcjax.laws.first_order.population_path import Populations

RNG = np.random.default_rng(12)
A, B = FRAME["a"].to_numpy(), FRAME["b"].to_numpy()
CHANCE = softmax(np.column_stack([0 * A, 0.6 * A - B + 0.8 * A * B, 0.5 - A + 0.2 * B]), axis=1)
KIND = (RNG.random(N)[:, None] > CHANCE.cumsum(1)).sum(1)
TEXTS = ("none", "some", "many")
ROWS = FRAME.assign(kind=np.array(TEXTS, object)[KIND])
MODEL = mcjax.multinomial(classes=3)
READERS = np.array([0.3, 0.5, -0.8, 0.1, 0.2, -0.4]), np.array([-0.2, 0.1, 0.4, 0.6, -0.1, 0.3])


def data_for(frame=ROWS, **choices):
    choices = {"classes": TEXTS} | choices
    return mcjax.Data.from_frame(frame, "kind", covariates=("a", "b"), **choices)


def condition_for(model=MODEL, samples=200, **choices):
    return mcjax.condition(loop(samples), model, data=data_for(**choices))


def test_labels_are_the_places_of_classes():
    data = data_for()
    np.testing.assert_array_equal(data.y, KIND)
    assert "classes none, some, many" in data.note
    turned = data_for(classes=TEXTS[::-1])
    np.testing.assert_array_equal(turned.y, 2 - KIND)
    numbers = data_for(ROWS.assign(kind=KIND), classes=())
    np.testing.assert_array_equal(numbers.y, KIND)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"classes": ("none", "some")}, "does not name 'many'"),
        ({"classes": (*TEXTS, "most")}, "'most', a label of no row"),
        ({"classes": ("none", *TEXTS)}, "'none' twice"),
        ({"positive": "some"}, "exclude each other"),
        ({"classes": ()}, "give all as `classes`"),
    ],
)
def test_classes_that_are_refused(choices, sentence):
    with pytest.raises(mcjax.InputError, match=sentence):
        data_for(**choices)


def test_models_of_other_numbers_of_classes_are_refused():
    for classes, sentence in ((2, "other than 0 to 1"), (4, "lacks rows of 1 of the 4 classes")):
        with pytest.raises(mcjax.InputError, match=sentence):
            condition_for(mcjax.multinomial(classes=classes))
    with pytest.raises(mcjax.InputError, match="other than 0 and 1"):
        condition_for(mcjax.logistic())


def by_rows(x, chance, reader):
    """Scores, Hessians and third derivatives of the loss at each row and each of its labels."""

    def loss(theta, x, y):
        return MODEL.loss(MODEL.params, theta, x, y)

    def at(derivative):
        return jax.vmap(jax.vmap(derivative, (None, None, 0)), (None, 0, None))(
            jnp.asarray(reader), jnp.asarray(x), jnp.arange(3.0)
        )

    each = jax.grad(loss), jax.hessian(loss), jax.jacfwd(jax.hessian(loss))
    return [np.asarray(at(derivative)) for derivative in each]


@pytest.mark.parametrize("kind", ["real", "model"])
def test_moments_are_sums_over_rows_and_labels(kind):
    """All labels of a row that a model generates count by their probability."""
    made = condition_for()
    x, v = made.data.x, READERS[1]
    if kind == "real":
        population, chance = Populations(made).of(1, made.theta[None]), np.eye(3)[KIND]
    else:
        population = Populations(made).of(0, v[None])
        eta = np.column_stack([np.zeros(N), x @ v.reshape(2, 3).T])
        chance = softmax(eta, axis=1)
    mass = chance / N
    scores, hessians, thirds = by_rows(x, chance, READERS[0])
    others = by_rows(x, chance, v)[0]
    found = population.score(READERS[0])
    np.testing.assert_allclose(found.mean, np.einsum("nk,nka->a", mass, scores), atol=1e-13)
    np.testing.assert_allclose(
        found.by_reader, np.einsum("nk,nkab->ab", mass, hessians), atol=1e-13
    )
    means = [np.einsum("nk,nka->a", mass, s) for s in (scores, others)]
    spread = np.einsum("nk,nka,nkb->ab", mass, scores, others) - np.outer(*means)
    np.testing.assert_allclose(population.covariance(READERS[0], v), spread, atol=1e-13)
    bend = population.curvature(READERS[0])
    np.testing.assert_allclose(bend.by_reader, np.einsum("nk,nkabc->abc", mass, thirds), atol=1e-13)
    product = np.einsum("nk,nkab,nkc->abc", mass, hessians, scores)
    np.testing.assert_allclose(bend.product, product, atol=1e-13)
    metric = np.diag([1.0, 2.0, 0.5, 1.5, 0.7, 1.2]) + 0.1
    moments, inside = population.slope_moments(READERS[0], metric), hessians @ metric
    square = np.einsum("nk,nkab->ab", mass, inside @ hessians)
    np.testing.assert_allclose(moments.square, square, atol=1e-13)
    cube = np.einsum("nk,nkaa->", mass, inside @ inside @ inside)
    np.testing.assert_allclose(moments.cube, cube, rtol=1e-10)
    if kind == "model":
        step = 1e-5
        near = [
            [Populations(made).of(0, (v + sign * step * e)[None]) for e in np.eye(6)]
            for sign in (1, -1)
        ]
        ends = [[one.score(READERS[0]).mean for one in side] for side in near]
        found = population.by_parent(READERS[0])
        np.testing.assert_allclose(found, np.subtract(*ends).T / (2 * step), atol=1e-8)
        ends = [[one.by_parent(READERS[0]) for one in side] for side in near]
        expected = np.moveaxis(np.subtract(*ends), 0, -1) / (2 * step)
        np.testing.assert_allclose(bend.by_parent, expected, atol=1e-8)


def test_the_truth_of_a_file_is_what_statsmodels_fits():
    sm = pytest.importorskip("statsmodels.api")
    made = condition_for()
    fit = sm.MNLogit(made.data.y, made.data.x).fit(disp=0, tol=1e-14, method="newton")
    np.testing.assert_allclose(made.theta, fit.params.T.ravel(), rtol=1e-8)
    mean = Populations(made).of(1, made.theta[None]).score(made.theta).mean
    assert np.abs(mean).max() < 1e-12
    ridge = condition_for(mcjax.penalised(MODEL, ridge=0.2))
    score = Populations(ridge).of(1, ridge.theta[None]).score(ridge.theta).mean
    np.testing.assert_allclose(score, -0.2 * ridge.theta, atol=1e-12)


def verdicts(condition, laws=None, **settings):
    settings = {"generations": 2, "chains": 4096, "tolerance": 0.15} | settings
    return mcjax.verify(mcjax.Study((condition,), **settings), laws=laws)


@pytest.mark.statistical
def test_the_law_holds_and_that_of_a_wrong_information_does_not():
    """The rows have an interaction that the model lacks, which its information does not know."""
    bent = np.column_stack([0 * A, 0.6 * A - B + 4 * np.abs(A) * B, 0.5 - A + 4 * np.abs(A)])
    kind = (np.random.default_rng(12).random(N)[:, None] > softmax(bent, axis=1).cumsum(1)).sum(1)
    data = data_for(FRAME.assign(kind=kind), classes=())
    condition = mcjax.condition(loop(1000), MODEL, data=data)
    information = Populations(condition).of(1, condition.theta[None]).score(condition.theta)

    def of_model(_, generations):
        first = np.linalg.inv(information.by_reader) / 2000
        covariance = [first]
        for _ in range(generations):
            covariance.append(first + covariance[-1] / 4)
        return None, np.array(covariance)

    law = mcjax.user_law(of_model, name="of the model")
    result = verdicts(condition, laws=[law], tolerance=0.2, quantities=("covariance",))
    found = {cell.law: cell.verdict for cell in result.cells}
    assert found == {"first_order": "verified", "of the model": "refuted"}


@pytest.mark.statistical
def test_a_ridge_and_a_second_file_move_the_path():
    late = data_for(ROWS[ROWS["a"] > -0.6])
    feeds = [("real", "0", 900), ("0", "0", 900), ("late", "1", 900), ("0", "1", 900)]
    network = mcjax.build_network(
        ["0", "1"], feeds, initial=1800, sources=[mcjax.Source("late", data=late)]
    )
    model = mcjax.penalised(MODEL, ridge=0.02)
    condition = mcjax.condition(network, model, data=data_for(synthetic_covariates="normal"))
    result = verdicts(condition, quantities=("bias", "mse"))
    assert {cell.verdict for cell in result.cells} == {"verified"}
