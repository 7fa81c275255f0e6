"""What a user's functions raise or return by mistake is told with its file, line and remedy."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest

from mcjax.errors import InputError
from mcjax.models.user import model_from_file, model_from_object, run_file, user_model

HEAD = "import math, sys\nimport jax, jax.numpy as jnp, numpy as np\nkept = []\n"
LOSS = "def loss(theta, x, y):\n    r = y - x @ theta\n"
SAMPLE = "def sample(key, theta, x):\n    return x @ theta + jax.random.normal(key)\n"
LINE = 6  # of the statement after the two lines of LOSS
LOSSES = {
    "return r if r > 0 else -r": ("TracerBoolConversionError", "jnp.where"),
    "assert r > 0": ("TracerBoolConversionError", "jax.lax.cond"),
    "return max(r, 0.0)": ("TracerBoolConversionError", "jnp.where"),
    "return math.exp(r)": ("ConcretizationTypeError", "jnp.exp"),
    "return float(r)": ("ConcretizationTypeError", "jax.numpy"),
    "return np.exp(r)": ("TracerArrayConversionError", "jnp.exp for np.exp"),
    "return sum(r for _ in range(jnp.int32(r)))": ("TracerIntegerConversionError", "fori_loop"),
    "return x[x > 0].sum() + r": ("NonConcreteBooleanIndexError", "jnp.where"),
    "x[0] = 1.0": ("TypeError", "x.at[i].set(value)"),
    "return undefined": ("NameError: name 'undefined' is not defined", "correct it there"),
    "assert False, 'never'": ("AssertionError: never", "correct it there"),
    "raise NotImplementedError": ("NotImplementedError: no message", "correct it there"),
    "sys.exit(0)": ("SystemExit", "return a value instead"),
}
RETURNED = {
    "pass": "returned NoneType .*; return one array of real numbers",
    "return r, r": "returned tuple .*; return one array of real numbers",
    "return [r]": "returned list .*; return one array of real numbers",
    "yield r": "returned generator .*; return one array of real numbers",
    "return 'low'": "returned str .*; return one array of real numbers",
    "return jax.lax.complex(r, r)": "returned complex128 .*; return one array of real numbers",
    "return jnp.reshape(r, (1,))": r"returned shape \(1,\) for one observation .*; return a scalar",
    "return jnp.astype(r, int)": "returned int64, which has no derivative",
    "return r > 0": "returned bool, which has no derivative",
    "return jnp.float32(r) ** 2": "returned float32 for parameters in float64",
}


def written(folder, code):
    path = folder / "mine.py"
    path.write_text(HEAD + code)
    return path


def value(model):
    """The shape of the loss, for which it is traced."""
    row = jnp.ones(2), jnp.ones(2), jnp.ones(())
    return jax.eval_shape(lambda *row: model.loss(model.params, *row), *row)


@pytest.mark.parametrize("statement", LOSSES)
def test_what_a_loss_raises(statement, tmp_path):
    path = written(tmp_path, f"{LOSS}    {statement}\n{SAMPLE}")
    name, remedy = LOSSES[statement]
    with pytest.raises(InputError) as caught:
        value(model_from_file(path))
    message = str(caught.value)
    assert message.startswith("family.loss: failed with ")
    assert f"({path}:{LINE})" in message
    assert name in message
    assert remedy in message
    assert "\n" not in message


@pytest.mark.parametrize("statement", RETURNED)
def test_what_a_loss_returns(statement, tmp_path):
    path = written(tmp_path, f"{LOSS}    {statement}\n{SAMPLE}")
    with pytest.raises(InputError, match=RETURNED[statement]) as caught:
        value(model_from_file(path))
    assert f"({path}:{LINE - 2})" in str(caught.value)


@pytest.mark.parametrize("statement", [s for s in RETURNED if "float" not in RETURNED[s]])
def test_what_a_sampler_returns(statement, tmp_path):
    sampler = f"def sample(key, theta, x):\n    r = x @ theta\n    {statement}\n"
    model = model_from_file(written(tmp_path, f"{LOSS}    return r * r\n{sampler}"))
    words = jnp.uint32(1), jnp.uint32(2)

    def label(theta, x):
        return model.sample(model.params, theta, x, words)

    if "shape" in RETURNED[statement] or "derivative" in RETURNED[statement]:
        assert jax.eval_shape(label, jnp.ones(2), jnp.ones(2)).dtype == float  # as is right
        return
    with pytest.raises(InputError, match=f"family.sample: .*{RETURNED[statement]}"):
        jax.eval_shape(label, jnp.ones(2), jnp.ones(2))


@pytest.mark.parametrize(
    ("signature", "params", "sentence"),
    [
        ("theta, x", {}, r"called with other arguments .*; define loss\(theta, x, y\)"),
        ("theta, x, y, z", {}, "missing a required argument: 'z'"),
        ("theta, x, y", {"sharp": 1.0}, r"define loss\(theta, x, y, sharp\)"),
    ],
)
def test_a_loss_that_takes_other_arguments(signature, params, sentence, tmp_path):
    path = written(tmp_path, f"def loss({signature}):\n    return x @ theta\n{SAMPLE}")
    with pytest.raises(InputError, match=sentence) as caught:
        value(model_from_file(path, **params))
    assert f"({path}:4)" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words", "line"),
    [
        ("def loss(:", "SyntaxError", 4),
        ("np.random.default_rng('x')", "TypeError", 4),
        ("\nimport nothing_of_the_kind", "ModuleNotFoundError", 5),
        ("1 / 0", "ZeroDivisionError", 4),
        ("sys.exit(0)", "SystemExit", 4),
        ("def f():\n    raise ValueError('here')\nf()", "ValueError: here", 5),
    ],
)
def test_a_file_that_does_not_run(code, words, line, tmp_path):
    path = written(tmp_path, code)
    with pytest.raises(
        InputError, match=f"does not run as Python: it failed with {words}"
    ) as caught:
        run_file(path)
    assert f"({path}:{line})" in str(caught.value)
    assert caught.value.file == str(path)


def test_an_interruption_passes():
    def loss(theta, x, y):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value(user_model(loss, loss))


def test_functions_of_every_kind_are_right():
    """The companion: methods, jitted functions and callable objects are functions."""

    class Loss:
        def __call__(self, theta, x, y):
            return (y - x @ theta) ** 2

    class Family:
        def loss(self, theta, x, y):
            return (y - x @ theta) ** 2

        sample = staticmethod(jax.jit(lambda key, theta, x: x @ theta + jax.random.normal(key)))

    family = Family()
    jitted = jax.jit(Family.loss, static_argnums=0)
    for loss in (Loss(), family.loss, jax.jit(family.loss), lambda *row: jitted(family, *row)):
        assert value(user_model(loss, family.sample)).shape == ()
    assert value(model_from_object(family)).shape == ()


def test_functions_have_a_hash():
    @dataclass
    class Loss:
        scale: float

        def __call__(self, theta, x, y):
            return self.scale * (y - x @ theta) ** 2

    with pytest.raises(InputError, match=r"family\.loss: has no hash"):
        user_model(Loss(2.0), lambda key, theta, x: x @ theta)
