"""Named topologies in the table of a network."""

import pytest

from mcjax.errors import InputError
from mcjax.network import topologies
from mcjax.study.networks import read_network

TOPOLOGY = {
    "self_loop": ("", topologies.self_loop),
    "chain": ("models = 3", lambda **o: topologies.chain(3, **o)),
    "ring": ("models = 3", lambda **o: topologies.ring(3, **o)),
    "star": ("models = 3", lambda **o: topologies.star(3, **o)),
    "complete": ("models = 3", lambda **o: topologies.complete(3, **o)),
    "random_directed": (
        "models = 6\nprobability = 0.4\nseed = 2",
        lambda **o: topologies.random_directed(6, probability=0.4, seed=2, **o),
    ),
    "stochastic_block": (
        "sizes = [2, 3]\nprobabilities = [[0.9, 0.1], [0.5, 0.5]]\nseed = 2",
        lambda **o: topologies.stochastic_block(
            [2, 3], probabilities=[[0.9, 0.1], [0.5, 0.5]], seed=2, **o
        ),
    ),
}


def topology(name, own=None, more=""):
    own = TOPOLOGY[name][0] if own is None else own
    return f'[network]\ntopology = "{name}"\ninitial = 40\nsamples = 20\n{own}\n{more}\n'


@pytest.fixture
def read(tmp_path):
    def run(text):
        path = tmp_path / "net.toml"
        path.write_text(text)
        return read_network(path)

    return run


@pytest.mark.parametrize("name", TOPOLOGY)
def test_topology(name, read):
    make = TOPOLOGY[name][1]
    assert read(topology(name)) == make(samples=20, initial=40)
    more = 'real_samples = 40\ndraws = "shared"\nreal = "reused"'
    options = {"real": 40, "draws": "shared", "real_data": "reused"}
    assert read(topology(name, more=more)) == make(samples=20, initial=40, **options)


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        pytest.param(topology("rnig", "models = 3"), "topology", "'ring'", id="misspelt"),
        pytest.param(topology("ring", ""), "models", "is missing", id="no size"),
        pytest.param(topology("ring", 'models = ["a", "b"]'), "models", "number of", id="names"),
        pytest.param(topology("ring", "models = 0"), "models", "number of models", id="size 0"),
        pytest.param(topology("ring", "models = 99999"), "models", "number of models", id="many"),
        pytest.param(topology("self_loop", "models = 1"), "models", "not a parameter", id="loop"),
        pytest.param(
            topology("ring", more="probability = 0.5"), "probability", "not a parameter", id="extra"
        ),
        pytest.param(topology("ring", more="seed = 1"), "seed", "not a parameter", id="ring seed"),
        pytest.param(
            topology("random_directed", "models = 3\nseed = 1"), "probability", "missing", id="p"
        ),
        pytest.param(
            topology("random_directed", "models = 3\nprobability = 0.5"), "seed", "missing", id="s"
        ),
        pytest.param(
            topology("random_directed", "models = 3\nprobability = 1.5\nseed = 1"),
            "probability",
            "between 0 and 1",
            id="probability",
        ),
        pytest.param(
            topology("stochastic_block", "sizes = [2, 3]\nprobabilities = [[0.5]]\nseed = 1"),
            "probabilities",
            "2 rows of 2",
            id="block shape",
        ),
        pytest.param(
            topology(
                "stochastic_block", "sizes = [2, 3]\nprobabilities = [[0.5, 0.5], [1]]\nseed = 1"
            ),
            "probabilities",
            "2 rows of 2",
            id="ragged",
        ),
        pytest.param(
            topology("ring").replace("samples = 20", ""), "samples", "is missing", id="samples"
        ),
        pytest.param(
            topology("ring").replace("initial = 40", "initial = { a = 40 }"),
            "initial",
            "one number",
            id="initial by name",
        ),
        pytest.param(topology("ring", more='memory = "sample"'), "memory", "", id="memory"),
        pytest.param(
            topology("ring", more='feeds = [{ from = "0", to = "0", samples = 9 }]'),
            "feeds",
            "leave them out",
            id="feeds",
        ),
        pytest.param("[network]\ninitial = 9", "models", "is missing", id="no models"),
        pytest.param(
            "[network]\nmodels = 3\ninitial = 9\nsamples = 9", "samples", "topology", id="samples!"
        ),
        pytest.param(
            "[network]\nmodels = 3\ninitial = 9\nprobability = 0.5",
            "probability",
            "topology",
            id="probability without topology",
        ),
        pytest.param(
            "[network]\nmodels = 3\ninitial = 9\nreal_samples = 9",
            "real_samples",
            "topology",
            id="real_samples without topology",
        ),
    ],
)
def test_topology_refused(text, field, says, read, tmp_path):
    with pytest.raises(InputError) as caught:
        read(text)
    assert caught.value.file == str(tmp_path / "net.toml")
    assert caught.value.field == f"network.{field}"
    assert says in caught.value.message
