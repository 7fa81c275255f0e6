"""Files of data, as they come: every kind that is read, and what is wrong with them."""

import gzip
import pickle
import struct

import numpy as np
import pandas as pd
import pytest

import mcjax

ROWS = np.random.default_rng(5).normal(size=(40, 3))
FRAME = pd.DataFrame(ROWS, columns=["a", "b", "y"])


def idx(array, code, shape=None):
    """Return an idx file, whose header may announce another shape."""
    shape = array.shape if shape is None else shape
    return (
        bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()
    )


PIXELS = np.random.default_rng(6).integers(0, 255, (30, 2, 2)).astype("u1")
LABELS = (np.arange(30) % 10).astype("u1")
CIFAR = np.random.default_rng(7).integers(0, 10, (12, 3073)).astype("u1")
WRITERS = {
    "rows.csv": lambda path: FRAME.to_csv(path, index=False),
    "semicolons.csv": lambda path: FRAME.to_csv(path, index=False, sep=";", encoding="utf-8-sig"),
    "packed.csv": lambda path: path.write_bytes(gzip.compress(FRAME.to_csv(index=False).encode())),
    "rows.parquet": lambda path: FRAME.to_parquet(path),
    "rows.npz": lambda path: np.savez(path, **{name: FRAME[name].to_numpy() for name in FRAME}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_tables_hold_the_same_rows(name, tmp_path):
    WRITERS[name](tmp_path / name)
    data = mcjax.Data.from_file(tmp_path / name, "y")
    np.testing.assert_array_equal(data.x, np.column_stack([np.ones(40), ROWS[:, :2]]))
    np.testing.assert_array_equal(data.y, ROWS[:, 2])
    assert data.names == ("intercept", "a", "b")


def test_columns_of_an_array_in_npz(tmp_path):
    np.savez(tmp_path / "rows.npz", x=ROWS[:, :2], y=ROWS[:, 2])
    data = mcjax.Data.from_file(tmp_path / "rows.npz", "y", intercept=False)
    assert data.names == ("x0", "x1")
    np.testing.assert_array_equal(data.x, ROWS[:, :2])


def test_images_have_their_labels_beside_them(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(PIXELS, 8))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(gzip.compress(idx(LABELS, 8)))
    data = mcjax.Data.from_file(tmp_path / "train-images-idx3-ubyte", positive=[3, 5])
    np.testing.assert_array_equal(data.x[:, 1:], PIXELS.reshape(30, 4))
    np.testing.assert_array_equal(data.y, np.isin(LABELS, (3, 5)))
    (tmp_path / "named").write_bytes(idx(LABELS[::-1], 8))
    other = mcjax.Data.from_file(
        tmp_path / "train-images-idx3-ubyte", labels=str(tmp_path / "named"), positive=0
    )
    np.testing.assert_array_equal(other.y, LABELS[::-1] == 0)


def test_batches_of_colour_images(tmp_path):
    (tmp_path / "data_batch_1.bin").write_bytes(CIFAR.tobytes())
    data = mcjax.Data.from_file(tmp_path / "data_batch_1.bin", positive=9, components=2)
    np.testing.assert_array_equal(data.y, CIFAR[:, 0] == 9)
    assert data.names == ("intercept", "component1", "component2")


PACKED = gzip.compress(b"a,y\n1,2\n" * 99)
WRONG = {
    "magic.idx": (b"\0\0\x07\x01\0\0\0\1\0", "wrong magic number"),
    "header.idx": (idx(PIXELS, 8)[:9], "ends within its header"),
    "short.idx": (
        idx(PIXELS, 8)[:-1],
        "announces 120 bytes of numbers after its header and holds 119",
    ),
    "labels.idx": (idx(LABELS, 8), "holds labels and no images"),
    "alone.idx": (idx(PIXELS, 8), "name the idx file with the labels"),
    "short.bin": (CIFAR.tobytes()[:-1], "no multiple of the 3,073"),
    "labels.bin": (b"\x0a" + CIFAR.tobytes()[1:], "labels above 9"),
    "cut.parquet": (b"PAR1" + b"x" * 20, "damaged Parquet"),
    "cut.npz": (b"PK\x03\x04" + b"x" * 20, "damaged npz"),
    "cut.gz": (PACKED[:-9], "damaged gzip"),
    "garbled.gz": (PACKED[:12] + bytes([PACKED[12] ^ 0x55]) + PACKED[13:], "damaged gzip"),
    "pickled": (pickle.dumps(FRAME), "pickle, which could run code"),
    "fields.csv": (b"a,y\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
    "wide.csv": (b"a,y\n1,2,3\n1,2,3\n", "more fields than its header"),
    "names.csv": (b"a,a\n1,2\n", "two columns 'a'"),
    "index.csv": (b",a,y\n0,1,2\n1,3,4\n", "has no name for column 1"),
    "header.csv": (b"1,2\n3,4\n", "begins with numbers"),
    "commas.csv": (b"a;y\n1,5;2\n-2;3\n0,25;4\n", "decimal commas in 'a'; write decimal points"),
    "empty.csv": (b"a,y\n", "has no rows"),
    "latin.csv": (b"a,y\n\xe9,2\n" * 3, "UTF-8"),
    "image.png": (b"\x89PNG\r\n\x1a\n" + b"\xff" * 20, "is neither text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_malformed_files_get_one_sentence(name, tmp_path):
    content, problem = WRONG[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(mcjax.InputError) as raised:
        mcjax.Data.from_file(tmp_path / name, "y")
    assert problem in str(raised.value)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_names_in_quotes_may_hold_delimiters(tmp_path):
    (tmp_path / "rows.csv").write_text('"age, y",y\n1,2\n3,4\n5,9\n')
    assert mcjax.Data.from_file(tmp_path / "rows.csv", "y").names == ("intercept", "age, y")


def test_columns_of_arrays_in_npz_need_different_names(tmp_path):
    np.savez(tmp_path / "rows.npz", x=ROWS[:, :2], x1=ROWS[:, 0], y=ROWS[:, 2])
    with pytest.raises(mcjax.InputError, match="makes a second column 'x1'"):
        mcjax.Data.from_file(tmp_path / "rows.npz", "y")


def test_objects_in_npz_are_not_loaded(tmp_path):
    np.savez(tmp_path / "rows.npz", y=np.array([{}, []], object))
    with pytest.raises(mcjax.InputError, match="Python objects, which are not loaded"):
        mcjax.Data.from_file(tmp_path / "rows.npz", "y")


def test_a_missing_file_of_labels_is_the_fault_of_its_field(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(PIXELS, 8))
    with pytest.raises(mcjax.InputError, match=r"data\.labels: .*train-labels.* does not exist"):
        mcjax.Data.from_file(tmp_path / "train-images-idx3-ubyte")


def test_other_counts_of_labels_are_refused(tmp_path):
    (tmp_path / "a-images-idx3-ubyte").write_bytes(idx(PIXELS, 8))
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(idx(LABELS[:-1], 8))
    with pytest.raises(mcjax.InputError, match="29 labels for 30 images"):
        mcjax.Data.from_file(tmp_path / "a-images-idx3-ubyte")


def test_packages_name_what_they_have():
    pytest.importorskip("sklearn")
    with pytest.raises(mcjax.InputError, match=r"did you mean 'digits'\?"):
        mcjax.Data.from_file("sklearn:digit")
