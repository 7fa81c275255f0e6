"""Files of a user's own beside the data sets of the built-in study, and what is said of them."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import mcjax
from mcjax.cli.main import cli
from mcjax.study import local_files
from mcjax.study.identity import identity
from mcjax.study.local_files import study_with_files

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
STUDY = """
[family]
name = "linear"
[run]
generations = 1
chains = 4
[grid]
network = ["pair.toml"]
[[grid.family]]
name = "linear"
data = { file = "rows.csv", target = "y" }
"""
NETWORK = (
    '[network]\nmodels = ["a"]\ninitial = 99\nfeeds = [{ from = "real", to = "a", samples = 99 }]'
)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A small study in the place of the built-in one."""
    monkeypatch.setattr(local_files, "builtin_name", lambda path: "real-data")
    Path(tmp_path, "pair.toml").write_text(NETWORK)
    Path(tmp_path, "rows.csv").write_text("x,y\n1,2\n2,3\n3,1\n5,4\n")
    path = Path(tmp_path, "study.toml")
    path.write_text(STUDY)
    return path


def images(folder, pack=bytes, suffix=""):
    """Write 10,000 images of 3 x 2 pixels as in MNIST, byte by byte."""
    pixels = np.random.default_rng(0).integers(0, 256, (10_000, 3, 2), np.uint8)
    labels = (pixels.sum((1, 2)) // 77 % 10).astype(np.uint8)
    for name, kind, array in (("images", 3, pixels), ("labels", 1, labels)):
        head = bytes([0, 0, 8, kind]) + struct.pack(f">{kind}I", *array.shape)
        path = folder / f"train-{name}-idx{kind}-ubyte{suffix}"
        path.write_bytes(pack(head + array.tobytes()))
    return folder / f"train-images-idx3-ubyte{suffix}"


@pytest.mark.parametrize("packed", [False, True])
def test_images_of_a_folder_or_a_file_are_a_further_family(study, tmp_path, packed):
    file = images(tmp_path, *((gzip.compress, ".gz") if packed else ()))
    for given in (file, tmp_path):
        made = study_with_files(study, [f"mnist={given}"])
        data = made.conditions[-1].data
        assert len(made.conditions) == 2
        assert (data.x.shape, len(data.held_out.y)) == ((8000, 6), 2000)
        assert set(data.y) == {0, 1}


def test_draws_do_not_depend_on_where_a_file_lies(study, tmp_path):
    found = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        images(tmp_path / name)
        found.append(study_with_files(study, [f"mnist={tmp_path / name}"]))
    here, there = found
    assert (
        here.conditions[-1].label == "network=pair, family=logistic, data=train-images-idx3-ubyte"
    )
    assert identity(here) == identity(there)


def test_batches_of_cifar_are_a_further_family(study, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setitem(local_files.DATA, "rows", 200)
    batch = np.concatenate(
        [rng.integers(0, 10, (200, 1), np.uint8), rng.integers(0, 256, (200, 3072), np.uint8)], 1
    )
    Path(tmp_path, "data_batch_1.bin").write_bytes(batch.tobytes())
    made = study_with_files(study, [f"cifar={tmp_path}"])
    assert made.conditions[-1].data.x.shape == (160, 6)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mnits=x", "give mnist=FILE or cifar=FILE (did you mean 'mnist'?)"),
        ("mnist", "give mnist=FILE or cifar=FILE"),
        ("cifar=.", "names a folder without data_batch_1.bin; name the file"),
    ],
)
def test_what_is_no_data_set_is_refused(study, given, told):
    with pytest.raises(mcjax.InputError) as caught:
        study_with_files(study, [given])
    assert told in str(caught.value)


@pytest.mark.parametrize("at", ["folder", "file"])
def test_a_file_that_cannot_be_read_is_the_fault_of_its_option(study, tmp_path, at):
    bad = images(tmp_path, gzip.compress, ".gz")
    bad.write_bytes(gzip.compress(b"images")[:-9])
    given = f"mnist={tmp_path if at == 'folder' else bad}"
    with pytest.raises(mcjax.InputError) as caught:
        study_with_files(study, [given])
    assert str(caught.value).startswith(f"--with {given}: {bad} is a damaged gzip file; fetch it")


@pytest.mark.parametrize("at", ["folder", "file"])
def test_labels_that_are_missing_are_the_fault_of_the_option(study, tmp_path, at):
    file = images(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(mcjax.InputError) as caught:
        study_with_files(study, [f"mnist={tmp_path if at == 'folder' else file}"])
    told = f"names {file}, whose labels are missing; put train-labels-idx1-ubyte beside it"
    assert str(caught.value) == f"--with: {told}"


def test_images_of_another_name_are_the_fault_of_their_option(study, tmp_path):
    given = f"mnist={images(tmp_path).rename(tmp_path / 'digits')}"
    with pytest.raises(mcjax.InputError) as caught:
        study_with_files(study, [given])
    assert str(caught.value).startswith(f"--with {given}: gives other rows")
    assert "or both files as MNIST does" in str(caught.value)


def test_rows_that_do_not_fit_are_the_fault_of_their_option(study, tmp_path):
    (tmp_path / "few.csv").write_text("x,label\n1,5\n2,0\n")
    given = f"mnist={tmp_path / 'few.csv'}"
    with pytest.raises(mcjax.InputError) as caught:
        study_with_files(study, [given])
    told = "gives other rows than the study takes: data.rows is 10000; give a number from 1 to 2"
    assert str(caught.value) == f"--with {given}: {told}"


@pytest.mark.parametrize("study", [(), ("vae-digits",), ("every-3",)])
def test_studies_without_files_of_the_users_own_refuse_them(study):
    found = CliRunner().invoke(cli, ["verify", *study, "--with", "mnist=x"])
    assert isinstance(found.exception, mcjax.InputError)
    assert found.exception.field == "--with"


def test_predict_says_what_was_read(study):
    found = CliRunner().invoke(cli, ["predict", str(study), "--json"])
    assert found.stderr.startswith("read: 4 rows, 2 covariates from ")
    assert '"read": "4 rows' in found.stdout


def test_diagnose_says_why_rates_are_not_known(study):
    one = NETWORK + '\n[data]\nfile = "rows.csv"\ntarget = "y"\n[family]\nname = "linear"\n'
    Path(study.parent, "one.toml").write_text(one)
    found = CliRunner().invoke(cli, ["diagnose", str(study.parent / "one.toml"), "--json"])
    assert "rates depend on the rows of the file, which `mcjax predict` reads" in found.stderr
    assert json.loads(found.stdout)["models"]["a"]["limit"] is None


@pytest.mark.system
@pytest.mark.skipif(not FASHION.exists(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian():
    data = mcjax.Data.from_file(FASHION, positive=[5, 6, 7, 8, 9], components=5, rows=1000)
    assert data.x.shape == (1000, 6)
