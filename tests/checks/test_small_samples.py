"""The check that fits of a study have estimates: how many have none, and what is advised."""

from dataclasses import replace

import pytest

import mcjax
from mcjax.checks.case import Case, cases_of
from mcjax.checks.estimates import estimates
from mcjax.errors import InputError


def study_of(model, *samples, theta=(1.0, 1.0)):
    """Return a study of a loop of one model at each number of samples."""
    return mcjax.Study(
        tuple(
            mcjax.condition(
                mcjax.topologies.self_loop(samples=n, initial=n), model, theta, label=str(n)
            )
            for n in samples
        ),
        generations=3,
        chains=4096,
    )


def told(study):
    """Return what the check says of a study of one case, and whether it passes."""
    [case] = cases_of(study)
    try:
        return estimates(case), True
    except InputError as error:
        return str(error), False


def test_counts_are_those_of_the_chains_of_the_study():
    """They are of the smallest samples, and of generations 0 and 1 alone."""
    message, passed = told(study_of(mcjax.logistic(), 48, 12))
    assert not passed
    few = replace(study_of(mcjax.logistic(), 12), generations=1, chains=64)
    fits = mcjax.simulate(few)[0].outcome.fits.sum((0, 1))
    separated = int(fits[mcjax.Status.SEPARATED])
    tried = int(fits[mcjax.Status.CONVERGED]) + separated
    assert 0 < separated < tried < 128
    assert message == (
        f"family: has no estimate in {separated} of {tried} fits of 64 chains ({separated}"
        " separated), which averages would leave out; set penalty = 'firth' or penalty = { ridge ="
        " 0.01 } in [family], or give more samples"
    )


@pytest.mark.system
@pytest.mark.parametrize(
    ("model", "samples", "penalty"),
    [
        (mcjax.probit(), 10, {"ridge": 0.01}),
        (mcjax.logistic(), 12, {"firth": True}),
        (mcjax.multinomial(classes=3), 14, {"firth": True}),
        (mcjax.nb2(), 30, {"ridge": 0.05}),
    ],
    ids=["probit", "logistic", "multinomial", "nb2"],
)
def test_the_advice_helps(model, samples, penalty):
    theta = (1.0,) * (4 if model.predictors else 2)
    message, passed = told(study_of(model, samples, theta=theta))
    assert not passed
    assert ("'firth'" in message) == ("firth" in penalty)
    message, passed = told(study_of(mcjax.penalised(model, **penalty), samples, theta=theta))
    assert (message, passed) == ("exist for all 128 fits of 64 chains", True)


def test_models_that_always_have_an_estimate_are_not_tried():
    for model in (mcjax.linear(), mcjax.huber()):
        study = study_of(model, 12)
        assert estimates(Case(study.conditions[0], study)) is None
