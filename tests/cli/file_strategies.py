"""Study and graph files as hypothesis draws them, and the commands that are run on them."""

from __future__ import annotations

from graph_strategies import graph_files
from hypothesis import strategies as st
from study_strategies import small_files, study_files

COMMANDS = st.sampled_from(
    [("diagnose",)] * 100
    + [("diagnose", "--json")] * 40
    + [("predict",)] * 6
    + [("predict", "--json")] * 2
    + [("laws",)] * 4
    + [("laws", "--json"), ("check",)]
    + [("verify", "--quiet", "--chains", "64")] * 2
    + [("verify", "--quiet", "--json", "--chains", "64"), ("verify", "--plan", "--chains", "64")]
)
"""Commands for studies; those that compile are few, so that thousands of files take minutes."""
SMALL_COMMANDS = st.sampled_from(
    [("verify", "--quiet", "--chains", "512")] * 3
    + [("verify", "--quiet", "--json", "--chains", "512")] * 2
    + [("predict",), ("predict", "--json"), ("laws",), ("verify", "--plan", "--chains", "512")]
)
"""Commands for small studies, most of which run to a verdict."""
GRAPH_COMMANDS = st.sampled_from(
    [("diagnose",)] * 6 + [("diagnose", "--json")] * 4 + [("predict",), ("verify",)]
)


@st.composite
def calls(draw, most=2):
    """Draw a file, and the command that is run on it."""
    if draw(st.integers(0, 4)) == 0:
        return draw(SMALL_COMMANDS), draw(small_files())
    file = draw(st.one_of(study_files(most), study_files(most), graph_files(most)))
    return draw(COMMANDS if file.study else GRAPH_COMMANDS), file
