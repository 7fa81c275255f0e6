"""Names, odd values, and the faults that files are given."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass

from hypothesis import strategies as st

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.one_of(
    st.sampled_from(["a", "b", "chat", "model-1"]),
    st.sampled_from(
        [
            *("unknown", "first", "nan", "true", "0", "-1", "network", "*", "real data", "."),
            *(
                "chat [v2]",
                "[/INST]",
                "[bold]",
                ":smile:",
                "\x1b[31mred",
                "a\nb",
                "a\tb",
                "\u202eb",
            ),
            *(
                "<script>",
                "=cmd()",
                "@x",
                "$x$",
                "${HOME}",
                "%s",
                "a/b",
                "../a",
                "a,b",
                'q"q',
                "q'q",
            ),
            *(
                "\\",
                "a\\b",
                "a.b",
                "{}",
                "模型",
                "🤖",
                "",
                " ",
                " a ",
                "x" * 300,
                "\x7f",
                "\x85",
                "\u2028",
            ),
        ]
    ),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6
    ),
)
ODD = st.one_of(
    st.sampled_from(
        [True, False, -1, 0, 1, 1.5, 60.0, 40.0, 2**31, 2**32, 2**63 - 1, 2**63, 10**30]
    ),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e300, 1e-300, -0.0, 1e-9, 1e9]),
    st.sampled_from(
        ["", "real", "Real", "linear", "40", "0.5", "nan", "a", "None", "mine.py", "/dev/null"]
    ),
    st.sampled_from([[], {}, [[]], [{}], [1], [1.0, 2.0], ["a"], {"a": 1}, [[1.0]], [None]]),
    st.sampled_from([[0.1] * 300, "y" * 5000, [[[[[[[1]]]]]]], {"a": {"b": {"c": 1}}}]),
    st.integers(-10, 100),
    st.floats(-3, 3),
)
COUNTS = st.sampled_from([40, 60])


@dataclass(frozen=True)
class File:
    """The name of a file, what it holds, and whether it is a study."""

    name: str
    content: bytes
    study: bool


def places(value, at=()):
    """Return where in nested values something may be changed."""
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        found += places(item, (*at, key))
    return found


@st.composite
def faulty(draw, values, most=2):
    """Draw nested values with up to ``most`` faults: changed, missing, added and misspelt."""
    whole = json.loads(json.dumps(draw(values)))  # a copy
    for _ in range(draw(st.integers(-most, most))):
        everywhere = places(whole)
        if not everywhere:
            break
        *above, last = draw(st.sampled_from(everywhere))
        at = whole
        for key in above:
            at = at[key]
        how = draw(
            st.sampled_from(["change", "change", "change", "drop", "add", "misspell", "twice"])
        )
        if how == "change":
            at[last] = copy.deepcopy(draw(st.one_of(ODD, NAMES)))
        elif how == "drop":
            del at[last]
        elif isinstance(at, dict):
            if how == "misspell":
                at[str(last)[::-1]] = at.pop(last)
            else:
                at[draw(NAMES)] = copy.deepcopy(draw(ODD))
        else:
            at.append(copy.deepcopy(at[last] if how == "twice" else draw(ODD)))
    return whole


@st.composite
def encoded(draw, texts):
    """Draw the bytes of a text, at times in another encoding, or damaged."""
    text = draw(texts)
    how = draw(st.sampled_from(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "crlf", "cut", "bytes"]))
    if how == "crlf":
        return text.replace("\n", "\r\n").encode()
    content = text.encode(how if how.startswith("utf") else "utf-8", "surrogatepass")
    if how == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if how == "bytes":
        place = draw(st.integers(0, len(content)))
        return content[:place] + draw(st.binary(max_size=4)) + content[place:]
    return content
