"""What no memory holds is refused in one sentence, before anything is allocated."""

import pytest

FAMILY = '[family]\nname = "linear"\ntheta = [0.5]\n[run]\ngenerations = 2\nchains = 64\n'
LOOP = '[network]\nmodels = ["a"]\ninitial = 50\nfeeds = [{ from = "a", to = "a", samples = 50 }]\n'
NAMED = "samples = 40\ninitial = 50\n"
BEYOND = {
    "models": ("diagnose", "[network]\nmodels = 10000001\ninitial = 50\n", "network.models"),
    "feeds": (
        "diagnose",
        f'[network]\nmodels = 60000\ntopology = "complete"\n{NAMED}',
        "network.models: make more than 1,000,000 feeds",
    ),
    "random feeds": (
        "diagnose",
        '[network]\nmodels = 60000\ntopology = "random_directed"\nprobability = 0.1\nseed = 1\n'
        + NAMED,
        "network.models: are 60000",
    ),
    "blocks": (
        "diagnose",
        '[network]\ntopology = "stochastic_block"\nsizes = [9223372036854775807, 5]\nseed = 1\n'
        f"probabilities = [[0.1, 0.1], [0.1, 0.1]]\n{NAMED}",
        "a random network has up to",
    ),
    "weights": (
        "diagnose",
        LOOP.replace("samples = 50", f"samples = 50, weight = {[1.0] * 20_000}"),
        "network.feeds[0].weight",
    ),
    "parameters to diagnose": (
        "diagnose",
        LOOP + FAMILY.replace("[0.5]", str([0.5] * 6000)),
        "family.theta: has 6000 numbers",
    ),
    "parameters": (
        "predict",
        LOOP + FAMILY.replace("[0.5]", str([0.5] * 6000)),
        "family.theta: has 6000 numbers",
    ),
    "generations": (
        "predict",
        "[network]\nmodels = 1000\ninitial = 50\n"
        + FAMILY.replace("generations = 2", "generations = 1000000"),
        "run: has 1,000 models of 1 parameter over 1,000,000 generations",
    ),
    "conditions": (
        "predict",
        f"{LOOP}{FAMILY}[grid]\nseed = {list(range(999))}\n"
        f'"family.theta" = {[[i] for i in range(999)]}',
        "grid: makes 998,001 conditions",
    ),
    "memory": ("predict", LOOP + FAMILY + "memory = 1e300\n", "run.memory: is 1e+300"),
    "characters": ("diagnose", LOOP + "#" * 2**24, "million characters"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_refused_at_once(name, tmp_path, call):
    command, text, expected = BEYOND[name]
    path = tmp_path / "study.toml"
    path.write_text(text)
    status, out, err = call(command, path)
    told = [line for line in err.splitlines() if not line.startswith("read: ")]
    assert (status, out, len(told)) == (2, "", 1)
    assert expected in told[0]
