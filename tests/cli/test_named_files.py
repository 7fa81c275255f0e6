"""Files that cannot be read are the fault of what names them; theories must match the study."""

import pytest
from sample_study import STUDY

FAMILY = STUDY[STUDY.index("[family]") :]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "zeros").write_bytes(b"\0\0")
    return tmp_path


@pytest.mark.parametrize(
    ("field", "named", "fault"),
    [
        *(
            (field, *fault)
            for field in ("family.file", "grid.network", "--theory", "--law")
            for fault in (
                ("none.x", "does not exist; name another file"),
                ("folder", "is a directory; name a file"),
            )
            if (field, fault[0]) != ("grid.network", "folder")  # which may be one of model cards
        ),
        ("grid.network", "folder", "holds no file *.md"),
        ("grid.network", "zeros", "holds zero bytes"),
        ("--theory", "zeros", "holds zero bytes"),
    ],
)
def test_a_file_that_cannot_be_read(field, named, fault, folder, call):
    study, options = folder / "study.toml", []
    text = STUDY
    if field == "family.file":
        text = STUDY.replace('name = "linear"', f'file = "{named}"')
    elif field == "grid.network":
        text = FAMILY + f'\n[grid]\nnetwork = ["{named}"]\n'
    else:
        options = [field, folder / named]
    study.write_text(text)
    commands = {"--theory": ["verify"], "--law": ["verify", "predict"]}
    for command in commands.get(field, ["verify", "predict", "laws"]):
        status, out, err = call(command, study, *options)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert f"mcjax: {study}: {field}: {folder / named} {fault}" in err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"b"', '"d"', "lacks the model 'b' and has the model 'd', which the study lacks;"),
        ('"b", "c"]', '"b", "c", "d"]', "has the model 'd', which the study lacks;"),
        ('["a", "b"', '["b", "a"', "has the models of the study in another order;"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--plan"]])
def test_a_theory_of_other_models(old, new, told, options, tmp_path, call):
    study, theory = tmp_path / "study.toml", tmp_path / "theory.toml"
    study.write_text(STUDY)
    assert old in STUDY
    theory.write_text(STUDY.replace(old, new))
    status, out, err = call("verify", study, "--theory", theory, *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{theory}: theory: {told} give both the same models, in one order" in err


def test_a_theory_of_other_conditions(tmp_path, call):
    study, theory = tmp_path / "study.toml", tmp_path / "theory.toml"
    study.write_text(STUDY)
    theory.write_text(STUDY + "[grid]\nscale = [1, 2, 4, 8, 16]\n")
    _, _, err = call("verify", study, "--theory", theory)
    assert "theory: lacks the condition 'that without [grid]' and has the conditions" in err
    assert "'scale=1', 'scale=2', 'scale=4' and 2 more, which the study lacks; give both" in err
