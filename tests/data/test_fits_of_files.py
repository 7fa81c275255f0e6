"""The truth of a file is what other packages fit to its rows."""

import numpy as np
import pytest
from rows import data_for, loop

import mcjax

pytestmark = pytest.mark.statistical


def truth(data, model):
    return mcjax.condition(loop(5000), model, data=data).theta


def test_generalised_linear_models_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    data = mcjax.Data.from_file("statsmodels:randhie")
    fit = sm.GLM(data.y, data.x, family=sm.families.Poisson()).fit(tol=1e-14)
    np.testing.assert_allclose(truth(data, mcjax.poisson()), fit.params, rtol=1e-8)
    data = data_for("logistic")
    fit = sm.Logit(data.y, data.x).fit(disp=0, tol=1e-14)
    np.testing.assert_allclose(truth(data, mcjax.logistic()), fit.params, rtol=1e-8)


def test_probit_counts_and_ridge_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    vote = mcjax.Data.from_file(
        "statsmodels:anes96", "vote", covariates=("selfLR", "educ", "income"), standardise=True
    )
    fit = sm.Probit(vote.y, vote.x).fit(disp=0, tol=1e-14, method="newton")
    np.testing.assert_allclose(truth(vote, mcjax.probit()), fit.params, rtol=1e-8)
    visits = mcjax.Data.from_file("statsmodels:randhie")
    family = sm.families.NegativeBinomial(alpha=1.2)
    fit = sm.GLM(visits.y, visits.x, family=family).fit(tol=1e-12, tol_criterion="params")
    found = truth(visits, mcjax.negative_binomial(dispersion=1.2))
    np.testing.assert_allclose(found, fit.params, rtol=1e-8)
    engel = mcjax.Data.from_file("statsmodels:engel", "foodexp", standardise=True)
    fit = sm.OLS(engel.y, engel.x).fit_regularized(alpha=0.3, L1_wt=0)
    found = truth(engel, mcjax.penalised(mcjax.linear(), ridge=0.3))
    np.testing.assert_allclose(found, fit.params, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:Convergence cycle detected")  # of the median
def test_engel_and_stackloss():
    sm = pytest.importorskip("statsmodels.api")
    engel = mcjax.Data.from_file("statsmodels:engel", "foodexp")
    fit = sm.OLS(engel.y, engel.x).fit()
    np.testing.assert_allclose(truth(engel, mcjax.linear()), fit.params, rtol=1e-8)
    median = sm.QuantReg(engel.y, engel.x).fit(p_tol=1e-12, max_iter=10_000)
    loss = np.abs(engel.y - engel.x @ truth(engel, mcjax.quantile(level=0.5))).sum()
    assert loss <= np.abs(engel.y - engel.x @ median.params).sum() * (1 + 1e-12)
    stack = mcjax.Data.from_file("statsmodels:stackloss")
    theta = truth(stack, mcjax.huber(threshold=2.0))
    # a robust fit of statsmodels has a scale besides, so its estimating equation is compared
    score = stack.x.T @ sm.robust.norms.HuberT(2.0).psi(stack.y - stack.x @ theta)
    assert np.abs(score / stack.x.sum(0)).max() < 1e-8


def test_penalised_logistic_regression_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = mcjax.Data.from_file(
        "sklearn:digits", positive=[5, 6, 7, 8, 9], standardise=True, components=5, intercept=False
    )
    ridge = 0.02
    fit = linear_model.LogisticRegression(
        C=1 / (ridge * len(data.y)), fit_intercept=False, tol=1e-14, max_iter=10_000
    ).fit(data.x, data.y)
    model = mcjax.penalised(mcjax.logistic(), ridge=ridge)
    np.testing.assert_allclose(truth(data, model), fit.coef_[0], rtol=1e-6)
    newton = linear_model.LogisticRegression(
        C=1 / (ridge * len(data.y)), fit_intercept=False, tol=1e-14, solver="newton-cholesky"
    ).fit(data.x, data.y)
    np.testing.assert_allclose(truth(data, model), newton.coef_[0], rtol=1e-8)
