"""Names of files in names of conditions, which must not say where files lie."""

import pytest

import mcjax
from mcjax.study.file_names import without_places
from mcjax.study.identity import identity

STUDY = """
[family]
name = "linear"
[run]
generations = 1
[data]
file = "rows.csv"
target = "y"
[grid]
network = [{network}]
"""
FIELDS = {
    "data": 'family = [{{ name = "linear", data = {{ file = {rows}, target = "y" }} }}]',
    "data.file": '"data.file" = [{rows}]',
    "file": "family = [{{ file = {code} }}]",
}
FILES = {
    "network": (
        "pair.toml",
        '[network]\nmodels = ["a"]\ninitial = 99\nfeeds = [{ from = "a", to = "a", samples = 99 }]',
    ),
    "rows": ("rows.csv", "x,y\n1,2\n2,3\n3,1\n5,4\n"),
    "code": (
        "own.py",
        "def loss(theta, x, y): return (y - x @ theta) ** 2\n"
        "def sample(key, theta, x): return x @ theta\n",
    ),
}


@pytest.fixture
def placed(tmp_path):
    """Return a function that loads a study whose files lie in another folder."""

    def make(folder, grid):
        folder.mkdir(parents=True)
        places = {}
        for key, (name, text) in FILES.items():
            (folder / name).write_text(text)
            places[key] = f"'{folder / name}'"
        (tmp_path / "rows.csv").write_text(FILES["rows"][1])
        (tmp_path / "study.toml").write_text((STUDY + grid).format(**places))
        return mcjax.load_study(tmp_path / "study.toml")

    return make


@pytest.mark.parametrize("field", FIELDS)
def test_the_same_files_in_two_folders_are_the_same_study(placed, tmp_path, field):
    near = placed(tmp_path / "a", FIELDS[field])
    far = placed(tmp_path / "quite/a/long/way/down/from/the/study", FIELDS[field])
    assert near.conditions[0].label == far.conditions[0].label
    assert near.conditions[0].label.startswith("network=pair, ")
    assert identity(near) == identity(far)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["/a/rows.csv", "b/rows.csv"], ["rows.csv", "b/rows.csv"]),
        (["/a/rows.csv", "rows.csv"], ["a/rows.csv", "rows.csv"]),
        (["/a/x/rows.csv", "/b/x/rows.csv"], ["a/x/rows.csv", "b/x/rows.csv"]),
        (["/a/x/rows.csv", "/a/y/more.csv"], ["rows.csv", "more.csv"]),
        (
            ["/a/x/rows.csv", "/a/y/more.csv", "/b/rows.csv"],
            ["x/rows.csv", "y/more.csv", "b/rows.csv"],
        ),
        ([{"file": "/a/rows.csv", "rows": 9}, [True]], [{"file": "rows.csv", "rows": 9}, [True]]),
        ([1.0, "statsmodels:engel"], [1.0, "statsmodels:engel"]),
        ([], []),
    ],
)
def test_names_tell_files_apart(given, shown):
    assert without_places(given) == shown
