"""Sources and entities that make no pipeline: one sentence, exit status 2."""

import pytest

SOURCES = """
[network]
models = ["a"]
initial = 40

[[network.sources]]
name = "web"
samples = 20
covariance = [[1.0, 0.5], [0.5, 1.0]]

[[network.feeds]]
from = "web"
to = "a"

[family]
name = "linear"
theta = [1.0, 1.0]
"""
ENTITIES = """
[data_mediated]
entities = 2
private = 20
public = 20
synthetic = 20
alpha = 0.5
beta = 0.5

[family]
name = "linear"
theta = [0.0, 0.0]
"""
CASES = {
    "not symmetric": (SOURCES, "[0.5, 1.0]]", "[0.0, 1.0]]", "is not symmetric"),
    "not semi-definite": (SOURCES, "[0.5, 1.0]]", "[0.5, -1.0]]", "not positive semi-definite"),
    "singular": (SOURCES, "[[1.0, 0.5], [0.5, 1.0]]", "[[1.0, 0.0], [0.0, 0.0]]", "singular"),
    "a weight that vanishes": (
        SOURCES,
        'to = "a"',
        'to = "a"\nweight = 0.0',
        "network.feeds[0].weight",
    ),
    "weights that vanish": (ENTITIES, "alpha = 0.5", "alpha = [0.5, 1.5]", "data_mediated.alpha"),
    "no entity": (ENTITIES, "entities = 2", "entities = 0", "data_mediated.entities"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence(name, call, tmp_path):
    text, right, wrong, says = CASES[name]
    assert right in text
    path = tmp_path / "study.toml"
    path.write_text(text.replace(right, wrong))
    status, out, err = call("predict", path)
    assert (status, out) == (2, "")
    assert says in err
    assert str(path) in err
    assert err.count("\n") == 1
