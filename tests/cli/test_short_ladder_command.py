"""Two scales form no ladder, which is said once, with the scale to add."""

import pytest
from sample_study import STUDY

from mcjax.verdicts.ladder import too_short

NOTE = "The scales 1 and 2 form no ladder, so each is judged by itself; add 4,"


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ("scale = [1, 2]", 1),
        ('scale = [2, 1]\n"network.feeds.0.samples" = [100, 50]', 1),
        ("scale = [1, 2, 4]", 0),
        ("scale = [4]", 0),
        ("seed = [0, 1]", 0),
    ],
)
def test_two_scales(grid, told, study_file, call, call_json):
    study_file.write_text(STUDY.replace("chains = 256", "chains = 64") + f"\n[grid]\n{grid}\n")
    _, out, _ = call("verify", study_file, "--quiet")
    assert " ".join(out.split()).count(NOTE) == told
    assert out.count("no ladder") == told
    _, found = call_json("verify", study_file, "--quiet")
    assert [note.startswith(NOTE) for note in found["notes"]] == [True] * told


def test_the_scale_to_add_gives_whole_numbers():
    """It is a multiple of a scale at which all counts are whole."""
    [note] = too_short({"a": (1.5, 4, 4), "b": (4, 1.5), "c": (1, 2, 4), "d": (3,)})
    assert note.startswith("The scales 1.5 and 4 form no ladder")
    assert "add 12, for" in note
    assert len(too_short({"a": (1, 2), "b": (1, 3)})) == 2
