"""The language model of characters, and text that ships with Python."""

import inspect
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.data import python_text
from mcjax.errors import InputError
from mcjax.generators import chains, characters
from mcjax.generators.chains import readings
from mcjax.generators.lm_docs import lm_docs
from mcjax.generators.load import load_generators
from mcjax.generators.text_measures import distinct_ngrams
from mcjax.study.load import builtin_file

KEY = jax.random.key(3)
PARAMS = characters.random_params(KEY)


def test_characters_are_kept_but_for_those_that_do_not_print():
    codes = characters.encoded("Ab~ \n\té")
    assert codes.dtype == np.uint8
    assert characters.decoded(codes[None]) == ["Ab~ \n"]


def test_a_module_is_split_into_code_and_documentation(tmp_path):
    path = tmp_path / "module.py"
    source = '''
    """About a module."""
    # a comment
    def f():
        """About f,

        at length."""
        x = "no documentation"
        return x
    '''
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    code, told = python_text._split(path)
    assert code == 'def f():\n    x = "no documentation"\n    return x'
    assert told == "About a module.\nAbout f,\n\nat length."


def test_texts_say_what_they_are():
    texts = python_text.python_text()
    assert inspect.cleandoc(str(inspect.__doc__))[:40] in texts.docstrings
    assert "def cleandoc(" in texts.code
    assert f"{len(texts.topics):,} of topics" in texts.about
    assert texts.digest != texts._replace(code="x").digest


def test_a_python_without_the_source_of_its_library_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(python_text.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(InputError, match=r"needs the code of Python's library, and .* has 0"):
        python_text.python_text.__wrapped__()


def test_the_model_has_as_many_parameters_as_it_says():
    count = sum(value.size for value in PARAMS.values())
    assert f"{count:,} parameters" in " ".join(characters.__doc__.split())


def test_losses_are_those_of_the_definition():
    """The last character of a segment, by hand from the 8 before it."""
    row = np.asarray(characters.segments(jnp.arange(90, dtype="uint8"), KEY, 1))
    weights = {name: np.asarray(value, float) for name, value in PARAMS.items()}
    inputs = weights["embedding"][row[0, -9:-1]].ravel()
    hidden = np.maximum(inputs @ weights["hidden"] + weights["hidden_bias"], 0)
    logits = hidden @ weights["output"] + weights["output_bias"]
    expected = np.log(np.exp(logits).sum()) - logits[row[0, -1]]
    assert characters.losses(PARAMS, row)[0, -1] == pytest.approx(expected, rel=1e-5)


def test_generated_characters_have_the_probabilities_of_the_model(z_limit):
    """Of the first character, and of the second after the commonest first one."""
    count, sharp = 4000, PARAMS | {"output": 12 * PARAMS["output"]}
    rows = np.asarray(characters.sample(KEY, sharp, count))
    assert rows.max() < characters.PADDING
    common = np.bincount(rows[:, 0]).argmax()
    for place, seen in ((0, rows[:, 0]), (1, rows[rows[:, 0] == common, 1])):
        start = np.zeros((characters.PADDING, characters.LENGTH), np.uint8)
        start[:, 0] = common
        start[:, place] = np.arange(characters.PADDING)
        law = np.exp(-np.asarray(characters.losses(sharp, start), float)[:, place])
        law /= law.sum()  # padding is never generated
        found = np.bincount(seen, minlength=len(law)) / len(seen)
        error = np.sqrt(law * (1 - law) / len(seen))
        often = law * len(seen) > 20
        assert often.sum() >= 5
        assert np.abs((found - law) / error)[often].max() < z_limit


def test_rows_are_drawn_like_their_weights(z_limit):
    weights = jnp.array([1.0, 0, 3, 4])
    drawn = np.asarray(characters._drawn(KEY, 4, weights, (100, 40))).ravel()
    share = np.bincount(drawn, minlength=4) / len(drawn)
    law = np.array([1, 0, 3, 4]) / 8
    assert (np.abs(share - law) <= z_limit * np.sqrt(law * (1 - law) / len(drawn))).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_distinct_ngrams(n):
    rows = np.asarray(jax.random.randint(KEY, (5, 20), 0, 4))
    grams = {tuple(row[k : k + n]) for row in rows for k in range(20 - n + 1)}
    assert distinct_ngrams(rows, n) == len(grams)


@pytest.mark.system
def test_the_builtin_study_is_of_what_its_networks_say():
    study = load_generators(builtin_file("lm-docs"))
    assert [condition.network.size for condition in study.conditions] == [4, 4, 1]
    assert all(condition.forgets for condition in study.conditions)
    assert study.conditions[0].generator.about.startswith("characters that ship with Python 3.")


@pytest.fixture
def short_flip(monkeypatch):
    """A flip of three generations, with few steps and little text."""
    monkeypatch.setattr("mcjax.generators.lm_docs.pretrained", lambda steps: PARAMS)
    monkeypatch.setattr("mcjax.generators.lm_docs.GENERATED", 16)
    monkeypatch.setattr("mcjax.generators.lm_docs.HELD_OUT", 8)
    generator = lm_docs(steps=3, base_steps=1)
    stable, flip, _ = (c.network for c in load_generators(builtin_file("lm-docs")).conditions)
    conditions = tuple(
        mcjax.GeneratorCondition(network.scaled(0.05), generator, name=name)
        for name, network in (("stable", stable), ("flip", flip))
    )
    return mcjax.GeneratorStudy(conditions, 3, 4)


def arrivals_of(verification):
    return {c.model: c for c in verification.cells if c.quantity == "arrival"}


@pytest.mark.system
def test_news_comes_with_the_feeds(short_flip):
    verification = mcjax.verify_generators(short_flip)
    arrivals = arrivals_of(verification)
    assert [arrivals[m].empirical for m in ("teacher", "pupil", "second")] == [1, 2, 3]
    assert {cell.verdict for cell in arrivals.values()} == {"verified"}
    shown = verification.shown[1]
    assert shown.shape == (4, 4, 2)
    assert all(len(text) == characters.LENGTH for text in shown.ravel())
    assert (shown[1] != verification.shown[0][1]).any(1).tolist() == [True, False, False, False]


@pytest.mark.system
def test_text_of_the_wrong_model_is_refuted(short_flip, monkeypatch):
    """The second pupil gets what the teacher wrote, so that news comes a generation early."""

    def wrong(network, generations):
        found = readings(network, generations)
        for reads in found[1:]:
            reads[2] = [read._replace(origin=0) for read in reads[2]]
        return found

    monkeypatch.setattr(chains, "readings", wrong)
    arrivals = arrivals_of(mcjax.verify_generators(short_flip))
    refuted = [model for model, cell in arrivals.items() if cell.verdict == "refuted"]
    assert refuted == ["second", "mixed"]
    assert (arrivals["second"].empirical, arrivals["second"].predicted) == (2, 3)
