"""``mcjax laws``: the laws there are, and where they apply."""

FILE = """
[network]
models = ["a"]
initial = 40
feeds = [{ from = "a", to = "a", samples = 30 }]

[family]
name = "linear"
theta = [1.0, 1.0]

[grid]
family = ["linear", "poisson"]
"""


def test_all_laws(call, call_json):
    status, found = call_json("laws")
    assert status == 0
    first = found["laws"][0]
    assert first["name"] == "first_order"
    assert first["exact"] is False
    assert "derived in" in first["source"]
    assert first["conditions"] == []
    status, out, _ = call("laws")
    assert status == 0
    assert all(law["name"] in out for law in found["laws"])


def test_where_laws_apply(tmp_path, call, call_json):
    file = tmp_path / "study.toml"
    file.write_text(FILE)
    status, found = call_json("laws", file)
    assert status == 0
    laws = {law["name"]: law["conditions"] for law in found["laws"]}
    assert [place["applies"] for place in laws["first_order"]] == [True, True]
    assert [place["applies"] for place in laws["finite_sample"]] == [True, False]
    assert [bool(place["reason"]) for place in laws["finite_sample"]] == [False, True]
    names = [place["condition"] for place in laws["first_order"]]
    status, out, _ = call("laws", file)
    assert status == 0
    assert f"finite_sample does not apply to {names[1]}: exact laws" in " ".join(out.split())
