"""Selections that are refused in one sentence with file, field and remedy; exit status 2."""

from dataclasses import dataclass

import numpy as np
import pytest

import mcjax
from mcjax import BestOf, Checker, Feed, Flip, Temperature, TopP, Verifier
from mcjax.errors import InputError

STUDY = """
[network]
models = ["a"]
initial = 100
OPTIONS

[[network.feeds]]
from = "real"
to = "a"
samples = 50

[[network.feeds]]
from = "a"
to = "a"
samples = 50
keep = KEEP

[family]
FAMILY

[run]
generations = 1
chains = 8
"""
KEEP = "network.feeds[1].keep"
LOGISTIC, LINEAR, CLASSES, GAUSSIAN, POISSON, HUBER = (
    f'name = "{name}"\ntheta = {theta}{more}'
    for name, theta, more in (
        ("logistic", [0.5, -0.5], ""),
        ("linear", [0.5, -0.5], ""),
        ("categorical", [0.5, 0.3, 0.2], ""),
        ("gaussian", [0.0, 1.0], ""),
        ("poisson", [0.5, -0.5], ""),
        ("huber", [0.5, -0.5], "\nthreshold = 1.0"),
    )
)
GOOD = [
    (LOGISTIC, "{ temperature = 0.8 }"),
    (LINEAR, "{ temperature = 2 }"),
    (CLASSES, "{ temperature = 0.8 }"),
    (LOGISTIC, "{ flip = 0 }"),
    (LINEAR, "{ verifier = [1, 0.0], within = 3 }"),
    (HUBER, "{ verifier = [1, 0.0], within = 3.0, count = 'accepted' }"),
    (LINEAR, "{ verifier = [1, 0.0], within = 3.0, count = 'raw' }"),
    (LOGISTIC, "{ checker = [1, 0.0], count = 'raw' }"),
    (GAUSSIAN, "{ best_of = 3, reward = 'closest', target = 1 }"),
    (LOGISTIC, "{ best_of = 2 }"),
    (CLASSES, "{ top_p = 1.0 }"),
]
PLACE = '"network.feeds[1].keep"'
BAD = [
    # kinds
    (LOGISTIC, "{}", "", "names no selection; give one of temperature, flip, verifier, checker"),
    (LOGISTIC, "{ nope = 1 }", ".nope", "names no selection; give one of temperature, flip"),
    (LOGISTIC, "{ temprature = 0.8 }", ".temprature", "did you mean 'temperature'"),
    (LOGISTIC, "{ temperature = 0.8, flip = 0.1 }", "", "asks for temperature and flip; give one"),
    (LOGISTIC, '"flip"', "", "is a text; give a table"),
    (LOGISTIC, "[0.8]", "", "is a list; give a table"),
    (LOGISTIC, "{ flip = 0.1, count = 'raw' }", ".count", "is not a field of flip"),
    (LINEAR, "{ verifier = [1.0, 0.0] }", ".within", "is missing; verifier needs it"),
    (LINEAR, "{ verifier = [1.0, 0.0], witin = 1.0 }", ".witin", "did you mean 'within'"),
    # temperature
    *(
        (LOGISTIC, f"{{ temperature = {value} }}", ".temperature", "; give a positive number")
        for value in ("0", "-1.0", "nan", "inf", "true", "'warm'", "[0.5]")
    ),
    (POISSON, "{ temperature = 0.8 }", ".temperature", "has no meaning in the family 'poisson'"),
    (HUBER, "{ temperature = 0.8 }", ".temperature", "has no meaning in the family 'huber'"),
    (GAUSSIAN, "{ temperature = 0.8 }", ".temperature", "has no meaning in the family 'gaussian'"),
    # flip
    *(
        (LOGISTIC, f"{{ flip = {value} }}", ".flip", "; give a probability")
        for value in ("1.5", "-0.1", "nan", "false", "'x'")
    ),
    (LINEAR, "{ flip = 0.1 }", ".flip", "needs labels 0 and 1, which linear does not have"),
    (CLASSES, "{ flip = 0.1 }", ".flip", "needs labels 0 and 1, which categorical does not have"),
    # verifier
    *(
        (LINEAR, f"{{ verifier = [1.0, 0.0], within = {value} }}", ".within", "; give a positive")
        for value in ("0", "-1.0", "nan", "inf", "true", "'x'", "[1.0]")
    ),
    (LINEAR, "{ verifier = [1.0], within = 1.0 }", ".verifier", "has 1 number; give 2, as theta"),
    *(
        (LINEAR, f"{{ verifier = {value}, within = 1.0 }}", ".verifier", "; give finite numbers")
        for value in ("1.0", "[1.0, nan]", "[1.0, 'x']", "[[1.0, 0.0]]", "[1.0, true]", "'real'")
    ),
    (
        LINEAR,
        "{ verifier = [1.0, 0.0], within = 1.0, count = 'x' }",
        ".count",
        "is 'x', not one of ('accepted', 'raw')",
    ),
    (LINEAR, "{ verifier = [1.0, 0.0], within = 1.0, count = ['raw'] }", ".count", "not one of"),
    (LOGISTIC, "{ verifier = [1.0, 0.0], within = 1.0 }", ".verifier", "which logistic does not"),
    (POISSON, "{ verifier = [1.0, 0.0], within = 1.0 }", ".verifier", "which poisson does not"),
    # checker
    (LINEAR, "{ checker = [1.0, 0.0] }", ".checker", "which linear does not have"),
    (LOGISTIC, "{ checker = [1.0] }", ".checker", "has 1 number; give 2, as theta"),
    (LOGISTIC, "{ checker = [1.0, inf] }", ".checker", "; give finite numbers"),
    (LOGISTIC, "{ checker = [1.0, 0.0], count = 2 }", ".count", "is 2, not one of"),
    # best of several
    *(
        (GAUSSIAN, f"{{ best_of = {value} }}", ".best_of", "give a whole number from 1 to 1000")
        for value in ("0", "-2", "1.5", "1" + 30 * "0", "true", "'x'", "nan", "[2]")
    ),
    (GAUSSIAN, "{ best_of = 2, reward = 'x' }", ".reward", "not one of ('label', 'closest')"),
    (GAUSSIAN, "{ best_of = 2, reward = [1] }", ".reward", "not one of ('label', 'closest')"),
    (GAUSSIAN, "{ best_of = 2, target = nan }", ".target", "is nan; give a number"),
    (GAUSSIAN, "{ best_of = 2, target = 'x' }", ".target", "is 'x'; give a number"),
    # tails
    *(
        (CLASSES, f"{{ top_p = {value} }}", ".top_p", "give a number above 0, at most 1")
        for value in ("0", "1.01", "-1", "nan", "true", "'x'")
    ),
    (LOGISTIC, "{ top_p = 0.9 }", ".top_p", "needs classes, which logistic does not have"),
    # dates are values of TOML, too
    (LOGISTIC, "{ flip = 2020-01-01 }", ".flip", "; give a probability"),
    (LOGISTIC, "{ flip = { q = 0.1 } }", ".flip", "; give a probability"),
]


def written(tmp_path, family, keep, options=""):
    text = STUDY.replace("FAMILY", family).replace("KEEP", keep).replace("OPTIONS", options)
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def refused(call, path, field, sentence, command="verify"):
    status, out, err = call(command, path)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(f"mcjax: {path}: {field}: ")
    assert sentence in err


@pytest.mark.parametrize(("family", "keep"), GOOD)
def test_what_is_good(family, keep, tmp_path):
    """The companion of the refusals below."""
    study = mcjax.load_study(written(tmp_path, family, keep))
    assert len(study.conditions[0].network.selections) == 1


@pytest.mark.parametrize(("family", "keep", "field", "sentence"), BAD)
def test_one_sentence(family, keep, field, sentence, tmp_path, call):
    refused(call, written(tmp_path, family, keep), f"{KEEP}{field}", sentence)


@pytest.mark.parametrize(
    ("keep", "field", "sentence"),
    [
        ("{ flip = 3 }", ".flip", "is 3; give a probability"),
        ("{ temperature = 0 }", ".temperature", "is 0; give a positive number"),
        ("{ top_p = 1.5 }", ".top_p", "is 1.5; give a number above 0, at most 1"),
        ("{ best_of = 0 }", ".best_of", "is 0; give a whole number from 1 to 1000"),
        ("{ verifier = [1.0], within = -1.0 }", ".within", "is -1.0; give a positive number"),
        ("{ verifier = ['x'], within = 1.0 }", ".verifier", "is ('x',); give finite numbers"),
        ("{ checker = [] }", ".checker", "is (); give finite numbers"),
        ("{ checker = [1.0], count = 'x' }", ".count", "is 'x', not one of"),
    ],
)
def test_values_are_checked_without_a_family(keep, field, sentence, tmp_path, call):
    path = written(tmp_path, "", keep)
    path.write_text(path.read_text().replace("[family]", ""))
    refused(call, path, f"{KEEP}{field}", sentence, "diagnose")
    path.write_text(path.read_text().replace(keep, "{ flip = 0.5 }"))
    assert call("diagnose", path)[0] == 0


@pytest.mark.parametrize("command", ["predict", "verify"])
def test_real_data_have_no_temperature_and_no_tails(command, tmp_path, call):
    for family, keep, sentence in (
        (LOGISTIC, "{ temperature = 0.8 }", "is for feeds from models; real data have none"),
        (CLASSES, "{ top_p = 0.8 }", "is for feeds from models; leave it out"),
    ):
        path = written(tmp_path, family, "{ flip = 0.1 }")
        text = path.read_text().replace("keep = { flip = 0.1 }\n", "")
        path.write_text(text.replace('from = "real"', f'from = "real"\nkeep = {keep}'))
        entry = keep.split()[1]
        refused(call, path, f"network.feeds[0].keep.{entry}", sentence, command)


@pytest.mark.system
def test_generation_0(tmp_path, call):
    """Its feeds may be selected like others, where that means something."""
    first = '\n[[network.first]]\nfrom = "real"\nto = "a"\nsamples = 100\nkeep = {}\n[family]'
    path = written(tmp_path, LOGISTIC, "{ flip = 0.1 }")
    text = path.read_text().replace("initial = 100\n", "")
    path.write_text(text.replace("[family]", first.format("{ temperature = 0.8 }")))
    refused(call, path, "network.first[0].keep.temperature", "real data have none")
    path.write_text(text.replace("[family]", first.format("{ flip = 0.8 }")))
    assert call("verify", path, "--quiet")[0] in (0, 3)


@pytest.mark.parametrize("keep", ["{ flip = 0.1 }", "{ checker = [1.0, 0.0] }"])
def test_modes_in_which_nothing_is_selected(keep, tmp_path, call):
    path = written(tmp_path, LOGISTIC, keep, options='memory = "subsample"')
    refused(call, path, KEEP, "is for memory 'replace' or 'accumulate'; use one of these")
    path = written(tmp_path, LOGISTIC, keep)
    path.write_text(path.read_text() + '[covariates]\ndesign = "fixed"\n')
    refused(call, path, KEEP, "is for random designs; leave it out, or covariates.design")


def test_the_same_selection_twice_adds_up(tmp_path):
    more = '[[network.feeds]]\nfrom = "a"\nto = "a"\nsamples = 9\nkeep = { flip = %s }\n[family]'
    for flip, rows in ((0.1, [50, 59]), (0.2, [50, 50, 9])):
        path = written(tmp_path, LOGISTIC, "{ flip = 0.1 }")
        path.write_text(path.read_text().replace("[family]", more % flip))
        feeds = mcjax.load_study(path).conditions[0].network.feeds
        assert [feed.samples for feed in feeds] == rows


def test_weights_by_generation(tmp_path, call):
    """The feed is named by its place in the file, not in the timeline."""
    path = written(tmp_path, LOGISTIC, "{ flip = 2 }")
    path.write_text(path.read_text().replace("keep", "weight = [1.0, 2.0, 3.0]\nkeep"))
    refused(call, path, f"{KEEP}.flip", "is 2; give a probability")


# ----------------------------------------------------------------------------------- in Python


def built(keep, model=None, theta=(0.5, -0.5)):
    feeds = [Feed("0", "0", 50), Feed("real", "0", 50, keep=keep)]
    net = mcjax.build_network(1, feeds, 100)
    return mcjax.condition(net, mcjax.linear() if model is None else model, theta)


@pytest.mark.parametrize(
    ("keep", "model", "field"),
    [
        (Flip(1.5), mcjax.logistic(), ".flip"),
        (Temperature(0.5), mcjax.logistic(), ".temperature"),
        (Verifier((1.0,), 1.0), None, ".verifier"),
        (Verifier(((1.0, 2.0),), 1.0), None, ".verifier"),
        (Verifier("ab", 1.0), None, ".verifier"),
        (Verifier(None, 1.0), None, ".verifier"),
        (Checker((1.0, 2.0), count="both"), mcjax.logistic(), ".count"),
        (BestOf(2, reward="least"), None, ".reward"),
        (BestOf(2.0), None, ".best_of"),
        (TopP(0.5), None, ".top_p"),
        ("flip", None, ""),
        (0.1, None, ""),
        (Flip, None, ""),
        (lambda rows: rows, None, ""),
        # what has no hash
        ({"flip": 0.1}, None, ""),
        (Verifier([[1.0, 2.0]], 1.0), None, ""),
        (Flip(np.array([0.1])), mcjax.logistic(), ""),
        (BestOf([2]), None, ""),
    ],
)
def test_in_python(keep, model, field):
    with pytest.raises(InputError) as caught:
        built(keep, model)
    assert caught.value.field == f"{KEEP}{field}"
    assert any(remedy in str(caught.value) for remedy in ("give", "leave it out", "not one of"))


@pytest.mark.parametrize("make", [list, np.array])
def test_parameters_may_be_lists_and_arrays(make):
    for kind, model in ((Verifier, None), (Checker, mcjax.logistic())):
        more = (1.0,) if kind is Verifier else ()
        given = built(kind(make([1.0, 0.5]), *more), model).network.selections
        assert given == (kind((1.0, 0.5), *more),)
        assert hash(given) == hash((kind((1.0, 0.5), *more),))


@dataclass(frozen=True)
class Loose(mcjax.Selection):
    """A selection that JAX does not know."""

    loose: float = 1.0

    def problem(self, model, theta, real):
        return ""

    def draw(self, rows):
        raise AssertionError("is not run")


class Posing:
    """A class with a method of a selection, which is not one."""

    def problem(self, model, theta, real):
        return ""


@pytest.mark.parametrize(
    ("keep", "sentence"),
    [
        (
            Loose(),
            "is of the class Loose; make it a frozen dataclass, and give it to jax",
        ),
        (Posing(), "give a selection, see mcjax.Selection"),
    ],
)
def test_classes_that_are_no_selections(keep, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        built(keep)
    assert caught.value.field == KEEP


def test_numbers_of_numpy_are_numbers():
    one = np.float32(1.0)
    for keep, model in (
        (Flip(np.float32(0.5)), mcjax.logistic()),
        (Verifier((one, one), one), None),
        (Verifier(np.array([1.0, 0.5], np.float32), np.int32(3)), None),
        (BestOf(np.int64(3), "closest", np.float16(1.0)), None),
    ):
        net = built(keep, model).network
        assert net.selections == (keep,)
    with pytest.raises(InputError, match="give a probability"):
        built(Flip(np.bool_(True)), mcjax.logistic())


def test_public_sources_are_selected_in_samples_of_their_own():
    """Samples of one selection have one size."""
    source = mcjax.Source("web", public=True)

    def network(second):
        feeds = [Feed("web", "a", 50), Feed("web", "b", 50), Feed("web", "b", 70, keep=Flip(0.1))]
        return mcjax.build_network("ab", [*feeds, second], 100, sources=[source])

    network(Feed("web", "a", 70, keep=Flip(0.1)))
    with pytest.raises(InputError, match="is public, one sample of 70"):
        network(Feed("web", "a", 71, keep=Flip(0.1)))
