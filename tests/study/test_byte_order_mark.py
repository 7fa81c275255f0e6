"""Text in UTF-8 may begin with a byte-order mark, whatever mcjax reads it for."""

import codecs
import json

import networkx as nx
import pytest

from mcjax.errors import InputError
from mcjax.files import read_text
from mcjax.laws.user import law_from_file
from mcjax.models.user import model_from_file
from mcjax.report.folder import ResultFolder
from mcjax.report.origin import read_about
from mcjax.study.load import load_study, load_survey
from mcjax.study.networks import read_network
from mcjax.study.pipeline import read_pipeline

STUDY = """
[network]
models = ["é", "b"]
initial = 40
feeds = [{ from = "é", to = "b", samples = 40 }]
[family]
name = "linear"
theta = [1.0]
"""
SURVEY = "[survey]\nmodels = 2\nsamples = 400\n[run]\ngenerations = 16\nchains = 256\n"


def mark(path):
    """Put a byte-order mark before the text of a file."""
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    return path


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


@pytest.mark.parametrize("read", [read_network, read_pipeline, read_text])
def test_study_files(read, study_file):
    plain = read(study_file)
    assert read(mark(study_file)) == plain


def test_whole_studies_and_surveys(study_file, tmp_path):
    plain = load_study(study_file)
    found = load_study(mark(study_file))
    assert found.conditions[0].network == plain.conditions[0].network
    survey = tmp_path / "survey.toml"
    survey.write_text(SURVEY)
    plain = load_survey(survey)
    assert plain is not None
    assert load_survey(mark(survey)) == plain


def test_networks_of_a_grid(study_file, tmp_path):
    family = STUDY[STUDY.index("[family]") :]
    mark(study_file)
    grid = tmp_path / "grid.toml"
    grid.write_text(family + '[grid]\nnetwork = ["study.toml"]\n')
    assert load_study(mark(grid)).conditions[0].network == read_network(study_file)


def test_only_one_mark(study_file):
    """The companion: text without a mark is UTF-8, and a second mark is no mark."""
    with pytest.raises(InputError, match="not TOML"):
        load_study(mark(mark(study_file)))
    study_file.write_bytes(STUDY.encode("utf-16-be"))
    with pytest.raises(InputError, match=r"not text in UTF-8|zero bytes"):
        load_study(study_file)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_marks(encoding, study_file):
    plain = load_study(study_file)
    study_file.write_bytes(f"\ufeff{STUDY}".encode(encoding))
    if encoding in ("utf-16", "utf-32"):  # which write a mark themselves
        study_file.write_bytes(STUDY.encode(encoding))
    assert load_study(study_file).conditions[0].network == plain.conditions[0].network


@pytest.mark.parametrize("kind", ["graphml", "gml", "json"])
def test_graph_files(kind, tmp_path):
    graph = nx.DiGraph([("a", "b"), ("real", "b")])
    path = tmp_path / f"net.{kind}"
    if kind == "json":
        path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    else:
        {"graphml": nx.write_graphml, "gml": nx.write_gml}[kind](graph, path)
    plain = read_network(path)
    assert read_network(mark(path)) == plain


def test_files_of_a_users_own(tmp_path):
    family = tmp_path / "family.py"
    family.write_text(
        "def loss(theta, x, y): return (y - x @ theta) ** 2\n"
        "def sample(key, theta, x): return x @ theta\n"
    )
    plain = model_from_file(family).variant
    assert model_from_file(mark(family)).variant == plain
    law = tmp_path / "mine.py"
    law.write_text("def law(condition, generations): return None, None\n")
    assert law_from_file(mark(law)).name == "mine"


def test_what_a_results_folder_says(tmp_path):
    folder = tmp_path / "results"
    about = {"source": {"file": "study.toml"}}
    ResultFolder(folder, about, "digest")
    mark(folder / "study.json")
    assert read_about(folder)["identity"] == "digest"
    ResultFolder(folder, about, "digest")  # the same again: it is not damaged
