"""``mcjax diagnose --only`` and ``--worst``, and what is printed of large networks."""

import pytest

NETWORK = """
[network]
models = ["loop", "reader", "held"]
initial = 100
feeds = [
    { from = "loop", to = "loop", samples = 100 },
    { from = "loop", to = "reader", samples = 50 },
    { from = "real", to = "reader", samples = 50 },
    { from = "real", to = "held", samples = 50 },
]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(NETWORK)
    return path


def test_the_worst_models_and_those_by_name(call, call_json, file):
    _, printed, _ = call("diagnose", file, "--worst", 1)
    assert printed.startswith("2 of 3 models collapse.")
    assert "Shown are 1 of 3 models:" in printed
    assert "doubles after 1  noise accumulates in a collapse origin" in printed
    status, answer = call_json("diagnose", file, "--only", "held", "--worst", 2)
    assert status == 0
    assert list(answer["models"]) == ["held", "loop", "reader"]
    assert answer["models"]["reader"]["tenfold"] == 36
    _, answer = call_json("diagnose", file, "--only", "reader", "--only", "held")
    assert list(answer["models"]) == ["reader", "held"]
    assert answer["counts"]["models"] == 3


def test_models_that_forget_are_worse_than_others_of_unknown_rates(call_json, file):
    file.write_text(
        '[network]\nmodels = ["held", "misled"]\ninitial = 100\n'
        'sources = [{ name = "forum", theta = [1.0] }]\n'
        'feeds = [{ from = "real", to = "held", samples = 50 },'
        ' { from = "forum", to = "misled", samples = 50 }]\n'
    )
    _, answer = call_json("diagnose", file, "--worst", 1)
    assert list(answer["models"]) == ["misled"]


def test_a_name_of_no_model(call, file):
    status, printed, err = call("diagnose", file, "--only", "heald")
    assert (status, printed) == (2, "")
    assert "--only: names the unknown model 'heald' (did you mean 'held'?); name a model" in err


def test_a_large_network_is_summarised(call, call_json, tmp_path):
    path = tmp_path / "large.csv"
    readers = (f"m{i // 2},m{i},100" for i in range(1, 2500))
    path.write_text("\n".join(["from,to,samples", "m0,m0,100", "m7,m7,5", *readers]))
    _, printed, _ = call("diagnose", path)
    assert printed.startswith("2,500 of 2,500 models collapse.\n")
    assert "Collapse origin: m0 (no real data reach it; the nearest to 2,500 models)" in printed
    assert "Shown are 20 of 2,500 models:" in printed
    assert printed.count("doubles after ") == 20
    _, answer = call_json("diagnose", path)
    assert len(answer["models"]) == 2500
    assert answer["rates"] is False
    assert answer["models"]["m9"]["growth"] is answer["models"]["m9"]["doubles"] is None
