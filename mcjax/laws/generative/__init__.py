"""Laws of models without covariates at every sample size.

:mod:`~mcjax.laws.generative.moments` has means and covariances on any network,
:mod:`~mcjax.laws.generative.gaussian_deviations` standard deviations along a line of descent, and
:mod:`~mcjax.laws.generative.extinction` the chance that classes or all events are gone.
"""
