"""The table ``[estimator]`` of a study file."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.cli import main
from mcjax.study.identity import identity
from mcjax.study.load import load_survey

STUDY = """
[network]
models = ["a"]
initial = 60
feeds = [{ from = "a", to = "a", samples = 30 }]

[family]
name = "logistic"
theta = [0.5, -0.5]

[run]
generations = 2
chains = 64

"""
SGD = '[estimator]\nname = "sgd"\nsteps = 3\nlearning_rate = 0.1\n'


@pytest.fixture
def load(tmp_path):
    """Return the study of a file with the given end."""

    def loaded(table):
        path = tmp_path / "study.toml"
        path.write_text(STUDY + table)
        return mcjax.load_study(path)

    return loaded


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run ``mcjax verify`` on a study with the given end."""

    def run(table, *arguments):
        path = tmp_path / "study.toml"
        path.write_text(STUDY + table)
        monkeypatch.setattr("sys.argv", ["mcjax", "verify", str(path), *arguments])
        status = 0
        try:
            main.run()
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", None),
        ('[estimator]\nname = "fit"\n', None),
        ('[estimator]\nname = "newton"\n', mcjax.Newton()),
        ('[estimator]\nname = "lbfgs"\n', mcjax.LBFGS()),
    ],
)
def test_estimators_to_convergence(load, table, expected):
    [condition] = load(table).conditions
    assert condition.estimator == expected
    assert condition.minimises


def test_an_optimiser_of_optax(load):
    table = '[estimator]\nname = "sgd"\nsteps = 7\nbatch_size = 5\nlearning_rate = 0.1\n'
    [condition] = load(table + "momentum = 0.9\nnesterov = true\n").conditions
    found = condition.estimator
    assert (found.steps, found.batch_size) == (7, 5)
    assert found.name == "sgd(learning_rate=0.1, momentum=0.9, nesterov=True)"
    assert not condition.minimises


def test_a_fine_tuned_model(load):
    """What a file says of starts, batches and decay is what the estimator has."""
    table = SGD + 'batch_size = 5\nreplacement = true\nweight_decay = 0.5\nstart = { a = "base" }\n'
    [condition] = load(table + "base = [1, 2.5]\n").conditions
    found = condition.estimator
    assert (found.start, found.base, found.replacement) == ((("a", "base"),), (1.0, 2.5), True)
    assert found.name == "sgd(learning_rate=0.1, weight_decay=0.5)"
    assert condition.starts.model.tolist() == [-2]
    assert condition.starts.base.tolist() == [[1.0, 2.5]]


def test_tables_of_single_models(load):
    """What they leave out is that of the whole table, but for arguments of another optimiser."""
    rest = SGD + 'start = "own"\nfirst_steps = 9\nmomentum = 0.5\n'
    other = 'name = "adam"\nlearning_rate = 0.2\nstate = "carried"\n'
    [condition] = load(f"{rest}[estimator.models.a]\n{other}").conditions
    [found] = condition.estimators
    assert (found.start, found.steps, found.first_steps, found.state) == ("own", 3, 9, "carried")
    assert found.name == "adam(learning_rate=0.2)"
    [condition] = load(f"{rest}[estimator.models.a]\nsteps = 7\n").conditions
    [found] = condition.estimators
    assert (found.steps, found.name) == (7, "sgd(learning_rate=0.1, momentum=0.5)")
    [condition] = load(f'{rest}[estimator.models.a]\nname = "fit"\n').conditions
    assert condition.estimators == (None,)
    assert condition.minimises
    varied = load(f'{rest}[grid]\n"estimator.models.a.steps" = [1, 2]\n').conditions
    assert [made.estimators[0].steps for made in varied] == [1, 2]
    one, two = (mcjax.Study((made,), chains=2) for made in varied)
    assert identity(one) != identity(two)


def test_a_model_with_another_start_leaves_the_base(load):
    based = SGD + 'start = "base"\nbase = [0.1, 0.2]\n[estimator.models.a]\n'
    [own] = load(based + 'start = "own"').conditions
    assert own.estimators[0].base is None
    for same in ("steps = 7", 'start = "base"', 'start = { a = "base" }'):
        [condition] = load(based + same).conditions
        assert condition.estimators[0].base == (0.1, 0.2)


def test_batches_by_name(load):
    """``replacement = true`` is another way to say it."""
    table = SGD + "batch_size = 5\n"
    names = ('batches = "replacement"', "replacement = true", 'batches = "same_order"')
    drawn, said, same = (load(table + name).conditions[0].estimator for name in names)
    assert (drawn.replacement, drawn.batches) == (said.replacement, said.batches) == (True, None)
    assert (same.replacement, same.batches) == (False, "same_order")
    [plain] = load(table + 'batches = "reshuffled"').conditions
    assert (plain.estimator.replacement, plain.estimator.batches) == (False, None)


def test_weight_decay_is_decoupled(load):
    """Each step takes the same share off theta, as AdamW does, also where optax has no decay."""
    [condition] = load(SGD + "weight_decay = 0.5\nmomentum = 0.9\n").conditions
    made, theta = condition.estimator.transformation, jnp.array([2.0, -4.0])
    updates, _ = made.update(jnp.array([1.0, 1.0]), made.init(theta), theta)
    np.testing.assert_allclose(updates, [-0.1 - 0.1, -0.1 + 0.2], rtol=1e-6)


@pytest.mark.system
def test_an_estimator_without_a_law_is_not_judged(call):
    status, out, _ = call(SGD.replace("sgd", "adam"), "--json")
    found = json.loads(out)
    assert status == 3
    assert found["verdict"] == "inconclusive"
    assert found["cells"] == []
    assert found["notes"] == ["No law applies, so nothing is judged."]
    assert set(found["paths"].values()) == {"reference"}


BAD = {
    "unknown name": ('name = "sdg"', "estimator.name: is 'sdg'", "did you mean 'sgd'?"),
    "no text": ("name = 3", "estimator.name: is 3", "such as 'sgd'"),
    "list": ('name = ["sgd"]', "estimator.name: is ['sgd']", "such as 'sgd'"),
    "no steps": ('name = "sgd"', "estimator.steps: is missing", "whole number"),
    "no step": ('name = "sgd"\nsteps = 0', "estimator.steps: is 0", "whole number"),
    "half a step": ('name = "sgd"\nsteps = 2.5', "estimator.steps: is 2.5", "whole number"),
    "endless": ('name = "sgd"\nsteps = 2147483648', "estimator.steps", "whole number"),
    "true": ('name = "sgd"\nsteps = true', "estimator.steps: is True", "whole number"),
    "decay without a rate": (
        'name = "adafactor"\nsteps = 3\nweight_decay = 0.1',
        "estimator.learning_rate: is missing",
        "weight_decay",
    ),
    "no rate": ('name = "sgd"\nsteps = 3', "estimator.learning_rate: is missing", "optax.sgd"),
    "rate as text": (SGD.replace("0.1", '"0.1"'), "estimator.learning_rate: is '0.1'", "number"),
    "rate that is none": (SGD.replace("0.1", "nan"), "estimator.learning_rate: is nan", "finite"),
    "rate below 0": (SGD.replace("0.1", "-0.1"), "estimator.learning_rate: is -0.1", "0 or more"),
    "decay below 0": (SGD + "weight_decay = -1", "estimator.weight_decay: is -1", "0 or more"),
    "unknown": (
        SGD + "momentm = 0.9",
        "estimator.momentm: is not an argument",
        "did you mean 'momentum'",
    ),
    "misspelt": (SGD + "batch_sise = 5", "estimator.batch_sise", "did you mean 'batch_size'"),
    "order": (
        SGD + 'batch_size = 2\nbatches = "same"',
        "estimator.batches: is 'same'",
        "give one of 'reshuffled', 'same_order', 'replacement'",
    ),
    "two orders": (
        SGD + 'batch_size = 2\nreplacement = true\nbatches = "same_order"',
        "estimator.batches: is 'same_order'",
        "keep one",
    ),
    "batch": (SGD + "batch_size = 0", "estimator.batch_size: is 0", "whole number"),
    "type": (
        SGD.replace("sgd", "adam") + "mu_dtype = 3",
        "estimator: cannot be made",
        "optax.adam",
    ),
    "steps of newton": (
        'name = "newton"\nsteps = 3',
        "estimator.steps: is not a setting",
        "leave it",
    ),
    "no name": ("steps = 3", "estimator.steps: is not a setting", "leave it out"),
    "start as a number": (SGD + "start = 3", "estimator.start: is 3", "or a table by model"),
    "unknown start": (SGD + 'start = "onw"', "estimator.start: is 'onw'", "did you mean 'own'?"),
    "start of no model": (
        SGD + 'start = { b = "own" }',
        "estimator.start: names 'b', which is no model",
        "",
    ),
    "start at no model": (
        SGD + 'start = { a = "b" }',
        "estimator.start: of model 'a' is 'b'; give 'own', 'base', 'scratch', 'refit'",
        "name of a model",
    ),
    "start in a list": (SGD + "start = [1]", "estimator.start: is [1]", "or a table by model"),
    "empty start": (SGD + "start = {}", "estimator.start: is {}", "or a table by model"),
    "base elsewhere": (
        SGD + 'start = "own"\nbase = [0.0, 0.0]',
        "estimator.base: is of fits that start there",
        "add start = 'base'",
    ),
    "base of no start": (SGD + "base = [0.0, 0.0]", "estimator.base: is of fits", "'base'"),
    "short base": (
        SGD + 'start = "base"\nbase = [0.0]',
        "estimator.base: has 1 number, and the model 2 parameters",
        "one for each",
    ),
    "base of text": (SGD + 'start = "base"\nbase = "ab"', "estimator.base: is 'ab'", "finite"),
    "base that is none": (SGD + 'start = "base"\nbase = [0, nan]', "estimator.base", "finite"),
    "replacement of all": (
        SGD + "replacement = true",
        "estimator.replacement: is of batches",
        "batch_size",
    ),
    "replacement as a number": (
        SGD + "batch_size = 5\nreplacement = 1",
        "estimator.replacement: is 1",
        "True or False",
    ),
    "decay as text": (SGD + 'weight_decay = "a"', "estimator.weight_decay: is 'a'", "finite"),
    "start of newton": (
        'name = "newton"\nstart = "own"',
        "estimator.start: is not a setting of 'newton'",
        "leave it",
    ),
    "no first steps": (SGD + "first_steps = 0", "estimator.first_steps: is 0", "whole number"),
    "unknown state": (SGD + 'state = "kept"', "estimator.state: is 'kept'", "'carried'"),
    "models that are none": (SGD + "models = 3", "estimator.models: is 3", "table"),
    "model that is none": (SGD + "models = { a = 3 }", "estimator.models.a: is 3", "table"),
    "unknown model": (SGD + "models = { b = {} }", "estimator.models: names 'b'", "no model"),
    "start of a model at no model": (
        SGD + 'models = { a = { start = { a = "b" } } }',
        "estimator.models.a.start: of model 'a' is 'b'",
        "name of a model",
    ),
    "short base of a model": (
        SGD + 'models = { a = { start = "base", base = [0.0] } }',
        "estimator.models.a.base: has 1 number",
        "one for each",
    ),
    "steps of a model": (
        SGD + "models = { a = { steps = 0 } }",
        "estimator.models.a.steps: is 0",
        "whole number",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_get_one_sentence(call, tmp_path, case):
    table, field, remedy = BAD[case]
    table = table if table.startswith("[") else f"[estimator]\n{table}\n"
    status, out, err = call(table)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(f"mcjax: {tmp_path / 'study.toml'}: {field}")
    assert remedy in err


def test_a_solver_and_an_estimator_exclude_each_other(load):
    with pytest.raises(
        mcjax.InputError, match=r"run\.solver: and \[estimator\] exclude each other"
    ):
        load('solver = "newton"\n' + SGD)


def test_a_survey_takes_no_estimator(tmp_path):
    path = tmp_path / "survey.toml"
    path.write_text("[survey]\nmodels = 2\n" + SGD)
    with pytest.raises(mcjax.InputError, match="estimator: and \\[survey\\] exclude each other"):
        load_survey(path)
