"""A law of the user's own, judged beside the built-in ones."""

import json

import numpy as np
import pytest

from mcjax import InputError, api, judge, user_law
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.law import Reason
from mcjax.laws.prediction import Prediction
from mcjax.laws.registry import further_laws
from mcjax.laws.user import laws_from_files
from mcjax.models.location import linear
from mcjax.network import topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED
from mcjax.verdicts.quantities.registry import QUANTITIES


def independent(condition, generations, factor=1.0):
    """One model that reads itself, exactly: variances add up, 1 / (n - p - 1) at a time."""
    p = len(condition.theta)
    counts = [condition.network.initial[0]]
    counts += [condition.network.feeds[0].samples] * generations
    total = np.cumsum([1 / (n - p - 1) for n in counts])
    return None, factor * total[:, None, None] * np.eye(p)


@pytest.fixture(scope="module")
def run():
    one = condition(topologies.self_loop(samples=30, initial=60), linear(), np.ones(3))
    about_errors = tuple(name for name, q in QUANTITIES.items() if q.subject == "errors")
    study = Study((one,), generations=3, chains=20_000, tolerance=0.12, quantities=about_errors)
    return study, [tally.outcome for tally in api.simulate(study)]


def verdicts(run, function, **options):
    study, outcomes = run
    predictions = api.predict(study, {"mine": user_law(function, "mine", **options)})
    found = {}
    for cell in judge(study, predictions, outcomes).cells:
        if cell.law == "mine":
            found.setdefault(cell.quantity, set()).add(cell.verdict)
    return found


def test_a_true_law_is_verified_in_every_quantity(run):
    assert verdicts(run, independent) == {
        name: {VERIFIED} for name in ("mse", "bias", "covariance", "drift")
    }
    assert verdicts(run, independent, asymptotic=True)["normality"] == {VERIFIED}


def test_a_wrong_covariance_is_refuted(run):
    found = verdicts(run, lambda c, t: independent(c, t, 1.25))
    assert found["mse"] == {REFUTED}
    assert found["covariance"] == {REFUTED}
    assert found["bias"] == {VERIFIED}


def test_a_wrong_mean_is_refuted(run):
    """Half a standard deviation in one parameter, with its covariance made smaller by as much: the
    second moments stay."""

    def shifted(condition, generations):
        _, covariance = independent(condition, generations)
        mean = np.zeros((generations + 1, 1, 3))
        mean[:, 0, 1] = np.sqrt(covariance[:, 1, 1]) / 2
        covariance = covariance.copy()
        covariance[:, 1, 1] *= 0.75
        return mean, covariance

    law = api.predict(run[0], {"mine": user_law(shifted, "mine")})[0].laws["mine"]
    exact = api.predict(run[0])[0].laws["finite_sample"]
    np.testing.assert_allclose(law.mse, exact.mse)
    found = verdicts(run, shifted)
    assert found["mse"] == {VERIFIED}
    assert found["bias"] == {REFUTED}
    assert found["covariance"] == {REFUTED}


def test_growth_and_limit_are_not_told(run):
    study, _ = run
    law = api.predict(study, {"mine": user_law(independent, "mine")})[0].laws["mine"]
    assert np.isnan(law.growth).all()
    assert np.isnan(law.limit).all()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (3, "is no function"),
        (lambda c, t: None, "failed with TypeError"),
        (lambda c, t: 1 / 0, "failed with ZeroDivisionError: division by zero"),
        (lambda c, t: (None, np.zeros((4, 2, 2))), r"shape \(4, 2, 2\); return \(4, 3, 3\)"),
        (lambda c, t: (np.zeros(3), np.zeros((4, 3, 3))), r"mean of shape \(3,\)"),
        (lambda c, t: (None, np.full((4, 3, 3), np.nan)), "not a number"),
    ],
)
def test_a_broken_law_gets_a_sentence(run, function, words):
    with pytest.raises(InputError, match=words):
        api.predict(run[0], {"mine": user_law(function, "mine")})


def test_a_built_in_name_is_taken(run):
    with pytest.raises(InputError, match="built-in"):
        api.predict(run[0], {"first_order": user_law(independent)})


class Total:
    """A law of the full contract: it says where it applies, and what becomes of a loop."""

    name = "total"
    reference = "variances add up"
    exact = True

    def applies(self, condition):
        single = condition.network.size == 1
        return None if single else Reason("there are several models")

    def predict(self, condition, generations):
        _, covariance = independent(condition, generations)
        growth = np.array([len(condition.theta) / 26])
        return Prediction.of(covariance, 1, growth=growth)


def test_an_object_that_keeps_the_contract_is_a_law(run):
    study, outcomes = run
    predictions = api.predict(study, [Total()])
    law, exact = (predictions[0].laws[name] for name in ("total", "finite_sample"))
    assert (law.reference, law.exact) == ("variances add up", True)
    np.testing.assert_allclose(law.mse, exact.mse)
    np.testing.assert_allclose(law.growth, exact.growth)
    cells = [c for c in judge(study, predictions, outcomes).cells if c.law == "total"]
    assert {c.verdict for c in cells if c.quantity == "mse"} == {VERIFIED}
    two = condition(topologies.ring(2, samples=30, initial=60), linear(), np.ones(3))
    silent = api.predict(Study((two,), generations=1), {"mine": Total()})[0]
    assert silent.inapplicable["mine"] == "there are several models"


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("predict", lambda condition, generations: 3, "returned int; return a Prediction"),
        ("predict", lambda condition, generations: 1 / 0, "failed with ZeroDivisionError"),
        (
            "predict",
            lambda condition, generations: Prediction.of(np.zeros((2, 3, 3)), 1),
            r"covariance of shape \(2, 3, 3\); return \(4, 3, 3\)",
        ),
        ("applies", lambda condition: 1 / 0, "failed with ZeroDivisionError"),
        ("applies", lambda condition: "never", "applies returned str; return None or a Reason"),
        ("name", "lineage", "built-in"),
    ],
)
def test_a_broken_object_gets_a_sentence(run, part, value, words):
    law = Total()
    setattr(law, part, value)
    with pytest.raises(InputError, match=words):
        api.predict(run[0], [law])


def test_what_is_no_law(run):
    with pytest.raises(InputError, match=r"law\.mine: has no 'name'; see mcjax\.laws\.law\.Law"):
        api.predict(run[0], {"mine": lambda condition, generations: None})
    with pytest.raises(InputError, match="is one law; put it in a list"):
        api.predict(run[0], Total())


def test_a_file_with_an_object(tmp_path, run):
    path = tmp_path / "mine.py"
    path.write_text(
        "from mcjax.laws.prediction import Prediction\n"
        "import numpy as np\n"
        "class Nothing:\n"
        "    name, reference, exact = 'nothing', 'a guess', False\n"
        "    def applies(self, condition): return None\n"
        "    def predict(self, condition, generations):\n"
        "        return Prediction.of(np.zeros((generations + 1, 3, 3)), 1)\n"
        "LAW = Nothing()\n"
    )
    [found] = api.predict(run[0], laws_from_files([path]))
    assert not found.laws["nothing"].mse.any()
    assert found.laws["nothing"].reference == "a guess"


STUDY = """
[network]
models = 1
initial = 60
feeds = [{ from = "0", to = "0", samples = 30 }]
[family]
name = "linear"
theta = [1.0, 1.0]
[run]
generations = 2
chains = 4096
tolerance = 0.2
"""
LAW = """
import numpy as np

def law(condition, generations):
    total = np.cumsum([1 / 57] + [1 / 27] * generations)
    return np.zeros((generations + 1, 1, 2)), FACTOR * total[:, None, None] * np.eye(2)
"""


@pytest.mark.parametrize(("factor", "status"), [("1", 0), ("2", 1)])
def test_from_the_command_line(tmp_path, capsys, monkeypatch, factor, status):
    from mcjax.cli import main

    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "sums.py").write_text(LAW.replace("FACTOR", factor))
    arguments = [str(tmp_path / "study.toml"), "--law", str(tmp_path / "sums.py"), "--json"]
    found = {}
    for command in ("predict", "verify"):
        monkeypatch.setattr("sys.argv", ["mcjax", command, *arguments])
        with pytest.raises(SystemExit) as stop:
            main.run()
        found[command] = stop.value.code or 0, json.loads(capsys.readouterr().out)
    assert found["predict"][0] == 0
    law = found["predict"][1]["laws"]["sums"]
    assert law["bias"] == [[0.0]] * 3
    assert law["mse"][0][0] == pytest.approx(int(factor) * 2 / 57)
    assert found["verify"][0] == status
    cells = [cell for cell in found["verify"][1]["cells"] if cell["law"] == "sums"]
    assert {cell["verdict"] for cell in cells} == {"refuted" if status else "verified"}


def test_a_file_without_a_law(tmp_path):
    from mcjax.laws.user import law_from_file

    path = tmp_path / "none.py"
    path.write_text("x = 1")
    with pytest.raises(InputError, match=r"define law\(condition, generations\)"):
        law_from_file(path)


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        ([[1.0, 0.5], [0.4, 1.0]], "not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "the negative eigenvalue -1"),
    ],
)
def test_a_covariance_is_one(matrix, says):
    law = user_law(lambda condition, generations: (None, np.tile(matrix, (generations + 1, 1, 1))))
    one = condition(topologies.self_loop(samples=20, initial=20), linear(), [1.0, 0.0])
    with pytest.raises(InputError, match=says):
        law.predict(one, 2)


def test_two_laws_of_one_name(tmp_path):
    files = []
    for folder in "ab":
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "mine.py")
        files[-1].write_text("def law(condition, generations): ...\n")
    laws = [law for file in files for law in laws_from_files([file])]
    assert set(further_laws(laws[:1])) == {"mine"}
    with pytest.raises(InputError, match="mine: is the name of two laws; rename one"):
        further_laws(laws)
    with pytest.raises(InputError, match="gives two laws named 'mine'") as caught:
        laws_from_files(files)
    assert caught.value.file == str(files[1])


def of_versions(versions, **options):
    """A law whose prediction has these versions, each with the options given for it."""

    class Drawn(Total):
        def predict(self, condition, generations):
            _, covariance = independent(condition, generations)
            made = [Prediction.of(covariance, 1, **version) for version in versions]
            return Prediction.of(covariance, 1, versions=made, **options)

    return Drawn()


@pytest.mark.parametrize(
    ("versions", "options", "words"),
    [
        ([{}, {}], {"pooled": 0.1}, "a version that differs from the prediction in pooled"),
        ([{"pooled": 0.1}] * 2, {}, "a version that differs from the prediction in pooled"),
        ([{}, {}], {"functionals": {"a": np.ones((4, 1))}}, "in the names of functionals"),
        ([{"functionals": {"a": np.ones((4, 1))}}] * 2, {}, "in the names of functionals"),
        (
            [{"functionals": {"a": np.ones((4, 2))}}] * 2,
            {"functionals": {"a": np.ones((4, 1))}},
            r"a of shape \(4, 2\); return \(4, 1\)",
        ),
        ([{"mse": np.ones((3, 1))}] * 2, {}, r"mse of shape \(3, 1\); return \(4, 1\)"),
        ([{}], {}, "with one version; give two or more, or none"),
    ],
)
def test_versions_have_what_the_prediction_has(run, versions, options, words):
    with pytest.raises(InputError, match=words):
        api.predict(run[0], [of_versions(versions, **options)])


def test_versions_of_a_pooled_error_give_its_error(run):
    law = of_versions([{"pooled": 0.1}, {"pooled": 0.2}], pooled=0.15)
    found = api.predict(run[0], [law])[0].laws["total"]
    assert found.error_of(lambda each: each.pooled) > 0


def test_versions_of_functionals_have_the_same_names(run):
    class Speaks(Total):
        def predict(self, condition, generations):
            one = np.ones((generations + 1, 1))
            return FunctionalPrediction("", "", {"a": one}, ({"a": one}, {"b": one}))

    with pytest.raises(InputError, match="in the names of functionals"):
        api.predict(run[0], [Speaks()])
