"""Plans of studies of generators: counts that runs have, and powers that claims have."""

import dataclasses
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generators_of_tests import GAUSSIAN, KDE, network, study

import mcjax
from mcjax.checks.programs import passes
from mcjax.generators import plan
from mcjax.generators.contrasts import differs_from_zero, within_share
from mcjax.generators.plan import plan_generators, time_of, told_by
from mcjax.verdicts.claims import Place

PLACE = Place("", "a", 1, "growth(x)", law="collapse")


def turns(function):
    return passes(jax.make_jaxpr(function)(1.0).jaxpr)


def test_passes_of_the_outermost_loops():
    def loop(x, times):
        return jax.lax.fori_loop(0, times, lambda k, y: y * 2, x)

    assert turns(lambda x: x + 1) == 0
    assert turns(lambda x: loop(loop(x, 3), 4)) == 7
    assert turns(jax.jit(lambda x: loop(x, 5))) == 5
    assert turns(lambda x: jax.lax.scan(lambda y, k: (loop(y, 9), k), x, jnp.zeros(6))[0]) == 6
    assert turns(lambda x: jax.lax.cond(x > 0, lambda y: loop(y, 2), lambda y: y, x)) == 2
    assert turns(lambda x: jax.lax.while_loop(lambda y: y < 9, lambda y: y * 2, x)) is None
    assert turns(jax.jit(lambda x: loop(x, jnp.int32(x)))) is None


def claims_of_a_run(made):
    """Count the claims that a run judges, by kind and law."""
    judged = [c for c in mcjax.verify_generators(made).cells if "begin at" not in c.note]
    return Counter((cell.quantity.partition("(")[0], cell.law) for cell in judged)


@pytest.mark.parametrize("start", ["scratch", "own"])
def test_claims_and_fits_are_those_of_the_run(start):
    made = study("stable", "flip", "zoo", generations=8, chains=70, start=start)
    planned = plan_generators(made, 0.9)
    assert planned.claims == claims_of_a_run(made)
    fitted = (4 * 9 - 8) + 4 * 9 + 4 * 9  # a frozen teacher is fitted once
    [fits] = planned.fits
    assert fits == (KDE, 100, 128 * fitted, 0)
    assert planned.block == 64
    assert planned.kept == 8 * 70 * 9 * 4 * 2 * 3


def test_a_plan_knows_where_common_draws_leave_nothing_to_claim():
    """Model 0 of both reads itself alone, and is the same to the last bit; model 1 is not."""
    made = study("zoo", "line", generations=4, chains=8)
    claims = plan_generators(made, 0.9).claims
    assert claims == claims_of_a_run(made)
    apart = dataclasses.replace(made.conditions[1], label="other")
    apart = dataclasses.replace(made, conditions=(made.conditions[0], apart))
    more = plan_generators(apart, 0.9).claims
    assert more == claims_of_a_run(apart)
    key = ("equal", "self-loop")
    assert more[key] - claims[key] == 2  # the measures of model 0


@pytest.mark.parametrize("chains", [6, 16])
def test_powers_are_those_of_claims(chains):
    """As those of Student's test are not, which needs a third of these means at 6 chains."""
    level, power, tries = 0.01 / 20, 0.8, 400
    told = told_by(chains, level, power)
    noise = np.random.default_rng(1).normal(size=(tries, chains))
    found = np.mean(
        [
            (
                differs_from_zero(PLACE, told.difference + one, chains).within < level,
                within_share(
                    PLACE, one, np.full(chains, told.margin / 0.3), 0.3, drawn=chains
                ).within
                < level,
            )
            for one in noise
        ],
        axis=0,
    )
    assert np.abs(found - power).max() < 4.892 * np.sqrt(power * (1 - power) * (1 / 400 + 1 / 2000))


def test_more_chains_tell_less():
    told = [told_by(chains, 1e-3, 0.9) for chains in (8, 32, 1024, 4096)]
    assert sorted(told, key=lambda one: -one.difference) == told
    assert told[-1].difference == pytest.approx(told[-2].difference / 2)
    assert all(one.margin > one.difference for one in told)


def test_a_power_below_the_level_needs_no_difference():
    assert told_by(8, 0.2, 0.01).difference == 0


def test_weighted_fits_are_timed():
    weighted = mcjax.Generator(
        init=GAUSSIAN.init,
        fit=lambda key, params, rows, weights: jnp.average(
            rows, weights=weights.astype(rows.dtype)
        ),
        sample=GAUSSIAN.sample,
        measure=GAUSSIAN.measure,
        real=GAUSSIAN.real,
    )
    assert time_of(weighted, 20, 4).running > 0


def test_nothing_is_told_with_too_few_chains_or_claims():
    assert [one.chains for one in plan_generators(study("flip", chains=3), 0.9).told] == [
        *plan.RUNGS
    ]
    alone = mcjax.GeneratorCondition(network("stable"), KDE)
    planned = plan_generators(mcjax.GeneratorStudy((alone,), 2, 64), 0.9)
    assert (planned.claims, planned.told) == ({}, [])
