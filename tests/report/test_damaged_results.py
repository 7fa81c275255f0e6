"""Damaged results are named, and a write that fails leaves the old ones."""

import gc
import os
from dataclasses import replace

import numpy as np
import pytest
from kept_study import assert_equal, content

from mcjax.engine.outcome import Tally
from mcjax.errors import InputError
from mcjax.report.store import Store


def test_truncated_tallies_are_named(study, tallies, folder):
    """However much is missing; the file is left for its owner to look at."""
    store = Store(folder, study)
    store.save(tallies)
    path = folder / "tallies.npz"
    whole = path.read_bytes()
    for kept in (0, 1, 4, 100, len(whole) // 2, -1, -200):
        path.write_bytes(whole[:kept])
        with pytest.raises(InputError, match="is damaged; remove it") as caught:
            store.load()
        assert caught.value.file == str(path)
        assert path.read_bytes() == whole[:kept]
    del caught
    gc.collect()  # a file left open would warn now


def test_tallies_of_another_kind_are_damaged(study, folder):
    store = Store(folder, study)
    for saved in ({"0/whole/chains": np.array(3)}, {"0/whole/chains": np.array("x")}):
        np.savez(folder / "tallies.npz", **saved)
        with pytest.raises(InputError, match="is damaged"):
            store.load()


def test_bits_flipped_in_the_middle_are_noticed(study, tallies, folder):
    """The archive's checksums cover every array."""
    store = Store(folder, study)
    store.save(tallies)
    path = folder / "tallies.npz"
    data = bytearray(path.read_bytes())
    with np.load(path) as arrays:
        wanted = arrays["0/whole/squared/mean"].tobytes()
    place = bytes(data).index(wanted)
    data[place + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        store.load()


# -- writing


def no_space(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_failing_write_leaves_the_old_file(study, tallies, folder, monkeypatch):
    store = Store(folder, study)
    store.save(tallies)
    before = content(folder)

    def half(file, **arrays):
        file.write(b"PK half of it")
        no_space()

    for savez in (no_space, half):
        monkeypatch.setattr(np, "savez", savez)
        with pytest.raises(InputError, match="No space left on device") as caught:
            store.save([Tally(), Tally()])
        assert str(caught.value.file) == str(folder / "tallies.npz")
        assert "\n" not in str(caught.value)
        assert content(folder) == before  # no .part either
    monkeypatch.undo()
    assert_equal(store.load(), tallies)


def test_a_failing_sync_or_rename_leaves_the_old_file(
    study, tallies, verification, folder, monkeypatch
):
    store = Store(folder, study)
    store.save(tallies)
    store.finish(verification)
    before = content(folder)
    for owner, name in ((os, "fsync"), (type(folder), "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, no_space)
            for action in (
                lambda: store.save([Tally(), Tally()]),
                lambda: store.finish(replace(verification, verdict="refuted")),
                lambda: Store(folder, study),
            ):
                with pytest.raises(InputError, match="No space left"):
                    action()
                assert content(folder) == before


def test_files_are_complete_before_they_get_their_name(study, tallies, folder, monkeypatch):
    """While a file is being written, its name still holds the old content."""
    store = Store(folder, study)
    store.save(tallies)
    before = (folder / "tallies.npz").read_bytes()
    real, seen = np.savez, []

    def watch(file, **arrays):
        real(file, **arrays)
        seen.append((folder / "tallies.npz").read_bytes())

    monkeypatch.setattr(np, "savez", watch)
    store.save([tallies[0], Tally()])
    assert seen == [before]
    assert (folder / "tallies.npz").read_bytes() != before
    assert set(content(folder)) == {".lock", "study.json", "tallies.npz"}
