"""``mcjax diagnose --out``: what is drawn where, and what is never written over."""

import pytest

NETWORK = """
[network]
models = ["loop", "reader"]
initial = 100
feeds = [
    { from = "loop", to = "loop", samples = 100 },
    { from = "loop", to = "reader", samples = 100 },
]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(NETWORK)
    return path


def test_a_page_has_the_network_and_the_report(call, file, tmp_path):
    out = tmp_path / "page.html"
    for _ in range(2):  # what was written here may be written again
        status, printed, err = call("diagnose", file, "--out", out)
        assert status == 0
        assert err.endswith(f"drawn: {out}\n")
    page = out.read_text()
    assert page.count("<svg") == 2  # for phones and for other screens
    assert "Diagnosis: 2 of 2 models collapse" in page
    assert printed.splitlines()[0] in page
    assert "<script" not in page
    assert '<tr><th scope="row">reader</th><td>collapses</td><td>0.01 per generation</td>' in page


def test_a_picture_is_svg(call_json, file, tmp_path):
    out = tmp_path / "picture.SVG"
    status, answer = call_json("diagnose", file, "--out", out)
    assert status == 0
    assert answer["collapses"] is True
    assert "</svg>" in out.read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("page.pdf", "ends in '.pdf'; end it in .html for a page, or in .svg for a picture"),
        ("page", "has no ending; end it in .html"),
        ("mine.html", "is there, and was not written by mcjax diagnose; name another file"),
        ("nowhere/page.html", "cannot be written, as its folder does not exist"),
    ],
)
def test_nothing_is_drawn_elsewhere(call, file, tmp_path, name, words):
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    status, printed, err = call("diagnose", file, "--out", tmp_path / name)
    assert (status, printed, err.count("\n")) == (2, "", 1)
    assert words in err
    assert mine.read_text() == "mine"


def test_groups_are_drawn_as_one_model(call, file):
    file.write_text(f'{NETWORK}[network.groups]\nboth = ["loop", "reader"]\n')
    _, printed, _ = call("diagnose", file)
    assert "[both]  collapse begins here" in printed.splitlines()[-1]


def test_the_terminal_shows_a_sketch(call, file):
    _, printed, _ = call("diagnose", file)
    assert printed.splitlines()[-2:] == [
        "    ~~> [loop]  collapse begins here; +0.01 a generation; reads itself; cure: a new feed",
        "        --> [reader]  collapses; +0.01 a generation",
    ]
