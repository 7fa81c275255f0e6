"""Laws of least squares at every sample size.

:mod:`~mcjax.laws.least_squares.finite_sample` has fresh Gaussian designs in closed form,
:mod:`~mcjax.laws.least_squares.simulated_moments` where there is none,
:mod:`~mcjax.laws.least_squares.fixed_design` designs that are drawn once, and
:mod:`~mcjax.laws.least_squares.minimum_norm` fits of fewer rows than parameters.
"""
