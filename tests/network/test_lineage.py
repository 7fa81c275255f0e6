"""Who was made of what: triples and model cards as networks."""

import json

import pytest

from mcjax.errors import InputError
from mcjax.network.formats import read_folder
from mcjax.network.graphs import network_of_lineage, read_graph
from mcjax.network.triples import READ, relation_named


def network_of(*triples):
    """The network of triples, given as text."""
    found = read_graph(json.dumps([triple.split() for triple in triples]), "JSON")
    return found


def reads(found):
    """Who reads whom."""
    return {(feed.origin, feed.reader) for feed in found.network.feeds}


def test_data_sets_are_no_nodes():
    found = network_of(
        "chat trained_on answers",
        "chat trained_on web",
        "answers generated_by teacher",
        "teacher trained_on books",
    )
    assert found.network.models == ("chat", "teacher")
    assert reads(found) == {("teacher", "chat"), ("real", "chat"), ("real", "teacher")}
    assert "2 data sets taken as real" in found.told


def test_a_model_trained_on_its_own_data():
    found = network_of("chat trained_on d", "d derived_from e", "e generated_by chat")
    assert reads(found) == {("chat", "chat")}


@pytest.mark.parametrize(
    ("statements", "origins"),
    [
        (["d is real"], {"real"}),
        (["d is synthetic"], {"unknown"}),
        (["d is unknown"], {"unknown"}),
        (["d is synthetic", "d generated_by t", "t trained_on real"], {"t"}),
        (["d derived_from web", "d derived_from more", "more is unknown"], {"real", "unknown"}),
        (["d subset_of t", "t distilled_from t"], {"t"}),
        (["d generated_by unknown"], {"unknown"}),
        (["d generated_by synthetic"], {"unknown"}),
        (["d filtered_by t"], {"real"}),
        (["m is synthetic"], {"real", "unknown"}),
        (["m is synthetic", "d generated_by t", "t trained_on real"], {"t"}),
    ],
)
def test_where_a_data_set_is_from(statements, origins):
    found = network_of("m trained_on d", *statements)
    assert {origin for origin, reader in reads(found) if reader == "m"} == origins


@pytest.mark.parametrize(
    ("statement", "origins"),
    [
        ("m trained_on t", {"t"}),  # on its output
        ("m distilled_from t", {"t"}),
        ("m merged_from t", {"t"}),
        ("m quantized_from t", {"t"}),
        ("m fine_tuned_from t", {"t", "unknown"}),  # on data that nobody names
        ("m adapter_of t", {"t", "unknown"}),
        ("m derived_from t", {"t", "unknown"}),
        ("m version_of t", {"unknown"}),
        ("m trained_on synthetic", {"unknown"}),
        ("m distilled_from synthetic", {"unknown"}),
        ("m trained_on real", {"real"}),
        ("m trained_on unknown", {"unknown"}),
    ],
)
def test_what_a_model_reads(statement, origins):
    more = "m version_of group" if "derived" in statement else "x trained_on y"
    found = network_of("t trained_on real", statement, more)
    assert {origin for origin, reader in reads(found) if reader == "m"} == origins


def test_a_line_of_models():
    """Each is derived from the one after it, and the first is known to be a model."""
    found = network_of("a derived_from b", "c derived_from d", "b derived_from c", "a version_of f")
    assert {(j, i) for j, i in reads(found) if j != "unknown"} == {
        ("b", "a"),
        ("c", "b"),
        ("d", "c"),
    }


def test_sizes_are_those_of_statements():
    """A data set of two generators brings equal parts."""
    text = "\n".join(
        [
            "subject,relation,object,share",
            "m,trained_on,d,0.5",
            "m,trained_on,web,0.5",
            "d,generated_by,a,",
            "d,generated_by,b,",
        ]
    )
    found = read_graph(text, "CSV")
    counts = {f.origin: f.samples for f in found.network.feeds if f.reader == "m"}
    assert counts == {"a": 250, "b": 250, "real": 500}
    triples = json.loads('[{"subject":"m","predicate":"trained_on","object":"d","samples":7}]')
    triples += [["d", "generated_by", "a"], ["d", "generated_by", "b"]]
    found = read_graph(json.dumps({"triples": triples}), "JSON")
    assert {f.origin: f.samples for f in found.network.feeds if f.reader == "m"} == {"a": 4, "b": 3}
    triples[0]["samples"] = 2
    found = read_graph(json.dumps([*triples, ["d", "generated_by", "c"]]), "JSON")
    assert {f.samples for f in found.network.feeds if f.reader == "m"} == {1}


def test_relations_in_any_spelling():
    for name in ("trained_on", "trained on", "Trained-On", "trainedOn", " TRAINED ON "):
        assert relation_named(name) == "trained_on"
    assert all(relation_named(name) == name for name in READ)


def test_versions_are_groups():
    found = network_of(
        "a1 trained_on web", "a2 trained_on a1", "a1 version_of a", "a2 version_of a"
    )
    assert found.groups == {"a": ("a1", "a2")}


REFUSED = {
    "relation": ("m traned_on d", r"\[0\]: .*'traned_on', which is not read \(did you mean 'trai"),
    "other relation": ("m likes d", r"'likes', which is not read; read are trained_on"),
    "kind": ("d is nice", r"says that 'd' is 'nice'; give real, synthetic, unknown"),
    "source": ("real trained_on d", "has the subject 'real'; name a model or data set"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    statement, says = REFUSED[case]
    with pytest.raises(InputError, match=says):
        network_of(statement)


def test_contradictions():
    with pytest.raises(InputError, match="as a model and as a data set that was generated"):
        network_of("m trained_on d", "m generated_by t")
    with pytest.raises(InputError, match="'d' is real, and that it is synthetic"):
        network_of("d is real", "d is synthetic")
    with pytest.raises(InputError, match="as a version of two"):
        network_of("m version_of a", "m version_of b")
    with pytest.raises(InputError, match="derives 'd' from itself"):
        network_of("m trained_on d", "d derived_from e", "e derived_from d")
    with pytest.raises(InputError, match="has samples, which is for trained_on"):
        read_graph("subject,relation,object,samples\nd,generated_by,m,5", "CSV")


def cards(folder, texts):
    """Write cards into a folder, by their paths."""
    for path, text in texts.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"---\n{text}\n---\n# A card\n" if text is not None else "# No card")
    return network_of_lineage(read_folder(folder))


def test_cards(tmp_path):
    found = cards(
        tmp_path,
        {
            "lab/base.md": "datasets:\n- web",
            "lab/chat/README.md": "base_model: lab/base\ndatasets: [lab/answers]",
            "models--lab--chat-q4/snapshots/0a/README.md": (
                "base_model: [lab/chat]\nbase_model_relation: quantized"
            ),
            "models/lab/tuned.md": "base_model: chat\nlicense: mit",
            "lab--silent.md": "tags: [chat, 2024]",
            "datasets/lab/answers.md": "tags: [synthetic]\ngenerated_by: lab/chat",
            "lab/pile.md": "dataset_info: {}",
            "notes.md": None,
            ".cache/old.md": "base_model: lab/chat",
            "lab/data.txt": None,
        },
    )
    assert set(found.network.models) == {
        *("lab/base", "lab/chat", "lab/chat-q4", "lab/tuned", "lab/silent")
    }
    assert reads(found) == {
        ("real", "lab/base"),
        ("lab/base", "lab/chat"),
        ("lab/chat", "lab/chat"),
        ("lab/chat", "lab/chat-q4"),
        ("lab/chat", "lab/tuned"),
        ("unknown", "lab/tuned"),
        ("unknown", "lab/silent"),
    }
    assert found.told[:3] == (
        "1 data set taken as real",
        "unknown data assumed for 2 models",
        "1 file without YAML left out",
    )


def test_synthetic_models_and_data_sets(tmp_path):
    found = cards(
        tmp_path,
        {
            "a.md": "datasets: web\ntags: [Synthetic]",
            "b.md": "datasets: d",
            "d.md": "tags: synthetic",
            "c.md": "base_model: org/a\nbase_model_relation: merge\nversion_of: letters",
        },
    )
    assert reads(found) == {
        ("real", "a"),
        ("unknown", "a"),
        ("unknown", "b"),
        ("a", "c"),
    }
    assert found.groups == {"letters": ("c",)}


def test_names_that_several_cards_end_in_are_not_guessed(tmp_path):
    texts = {"x/a.md": "datasets: web", "y/a.md": "datasets: web", "b.md": "base_model: a"}
    assert ("a", "b") in reads(cards(tmp_path, texts))


def test_a_name_of_another_owner_is_another_model(tmp_path):
    found = cards(tmp_path, {"x/a.md": "datasets: web", "b.md": "base_model: z/a"})
    assert ("z/a", "b") in reads(found)
