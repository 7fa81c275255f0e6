"""Check the functions of a user's model as JAX traces them; nothing is compiled."""

from __future__ import annotations

import jax

from mcjax.checks.case import Case
from mcjax.checks.programs import depends, first_difference, place_of_operation
from mcjax.errors import InputError
from mcjax.faults import fault_sentence, is_users, users_code, where

NUMBERS = "a number that is not the same at every call, such as one of np.random or a clock"


def loss_runs(case: Case) -> str | None:
    """Check that the loss runs and is a scalar."""
    if "loss" not in case.functions:
        return None
    loss, arguments = case.loss()
    found = jax.eval_shape(loss, *arguments)
    return f"is a scalar of {found.dtype}"


def sample_runs(case: Case) -> str | None:
    """Check that the samplers run and return labels of one shape."""
    shapes = {}
    for name, sampler in case.samplers.items():
        drawn, arguments = case.label(sampler)
        shapes[name] = jax.eval_shape(drawn, *arguments).shape
    if len(set(shapes.values())) > 1:
        raise InputError(
            "family.sample_real",
            f"returned shape {shapes['sample_real']}{case.place('sample_real')}, and sample"
            f" {shapes['sample']}; return labels of one shape",
        )
    return f"returns labels of shape {shapes['sample']}" if shapes else None


def randomness(case: Case) -> str | None:
    """Check that labels depend on the key."""
    for name, sampler in case.samplers.items():
        drawn, arguments = case.label(sampler)
        program = jax.make_jaxpr(drawn)(*arguments)
        count = len(program.jaxpr.invars)
        if not depends(program.jaxpr, (count - 2, count - 1)):
            raise InputError(
                f"family.{name}",
                f"gives one label for all keys{case.place(name)}: what it draws from np.random or"
                " the like is drawn once, when JAX traces it, and the same in every row; draw from"
                " the key, as in jax.random.normal(key)",
            )
    return "labels depend on the key" if case.samplers else None


def parents(case: Case) -> str | None:
    """Check that the labels that a model generates depend on its parameters."""
    if "sample" not in case.samplers:
        return None
    drawn, arguments = case.label(case.samplers["sample"])
    program = jax.make_jaxpr(drawn)(*arguments).jaxpr
    if not depends(program, (len(jax.tree.leaves(arguments[0])),)):
        raise InputError(
            "family.sample",
            f"does not depend on theta{case.place('sample')}, so that a model generates the same"
            " data whatever it has learned; generate labels from theta",
        )
    return "labels depend on theta"


def purity(case: Case) -> str | None:
    """Check that two traces of each function give one program."""
    for name in case.functions:
        programs = []
        for _ in range(2):
            function, arguments = case.loss() if name == "loss" else case.label(case.samplers[name])
            programs.append(jax.make_jaxpr(function)(*arguments))
        place = first_difference(*programs)
        if place is None:
            continue
        at = f" ({place})" if place else case.place(name)
        remedy = "draw from the key, as in jax.random.normal(key)"
        if name == "loss":
            remedy = "compute from theta, x, y and parameters alone"
        raise InputError(f"family.{name}", f"uses {NUMBERS}{at}; {remedy}")
    return "the same arguments give the same values" if case.functions else None


def derivatives(case: Case) -> str | None:
    """Check that the loss can be differentiated as often as fits and laws need it."""
    if "loss" not in case.functions or is_users(case.estimator):
        return None
    loss, arguments = case.loss()
    program = jax.make_jaxpr(loss)(*arguments).jaxpr
    parts = len(jax.tree.leaves(arguments[0]))
    if not depends(program, (parts,)):
        raise InputError(
            "family.loss",
            f"does not depend on theta{case.place('loss')}, so that every theta fits equally well;"
            " return a loss of the parameters",
        )
    twice = case.estimator.minimises
    derivative = jax.hessian(loss, 1) if twice else jax.grad(loss, 1)
    try:
        jax.make_jaxpr(derivative)(*arguments)
    except InputError:
        raise
    except Exception as error:  # of JAX, where an operation has no derivative
        place = place_of_operation(program, "while")
        told = fault_sentence(error, [case.functions["loss"]])
        if place and "Reverse-mode" in str(error):
            told = (
                f"has a loop whose number of steps depends on values ({place}), which has no"
                " derivative; use jax.lax.scan, or jax.lax.fori_loop with fixed ends"
            )
        raise InputError("family.loss", told) from error
    return f"has {'two derivatives' if twice else 'a derivative'} in theta"


def initial(case: Case) -> str | None:
    """Check that initial parameters are arranged as the truth is."""
    init = case.model.init
    if init is None or not is_users(init):
        return None
    _, theta, *_ = case.arguments()
    wanted = jax.eval_shape(case.model.parameters, theta)
    with users_code("family.init", init):
        found = jax.eval_shape(init, jax.random.key(0))
    if arrangement(found) != arrangement(wanted):
        raise InputError(
            "family.init",
            f"returned {arrangement(found)}{where(init)}, and theta is"
            f" {arrangement(wanted)}; return parameters arranged as theta",
        )
    return "returns parameters arranged as theta"


def arrangement(tree: object) -> str:
    """Return the structure of a pytree of arrays, with the shape of each."""
    return str(jax.tree.map(lambda leaf: tuple(leaf.shape), tree))
