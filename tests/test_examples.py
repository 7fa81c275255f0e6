"""Every public object has an example, which runs and prints what it shows."""

import doctest
import inspect
import operator

import matplotlib.pyplot as plt
import pytest

import mcjax

NOT_DOCUMENTED = ("REAL", "__version__", "plot", "topologies")  # texts and modules
NAMES = [
    *(name for name in mcjax.__all__ if name not in NOT_DOCUMENTED),
    *(f"plot.{name}" for name in mcjax.plot.__all__),
    *(f"topologies.{name}" for name in mcjax.topologies.TOPOLOGIES),
]


def example_of(name):
    """Return the part of the docstring from the heading of its examples on."""
    text = inspect.getdoc(operator.attrgetter(name)(mcjax))
    return text.partition("Examples\n--------\n")[2]


def named_examples():
    for name in NAMES:
        compiles = "jax_enable_x64" in example_of(name) or ".fit(" in example_of(name)
        yield pytest.param(name, marks=pytest.mark.system if compiles else [])


@pytest.mark.parametrize("name", list(named_examples()))
def test_example_prints_what_it_shows(name):
    example = doctest.DocTestParser().get_doctest(example_of(name), {}, name, None, None)
    assert example.examples, f"mcjax.{name} has no example"
    report = []
    with plt.rc_context({"backend": "agg"}):
        result = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
        plt.close("all")
    assert not result.failed, "".join(report)
