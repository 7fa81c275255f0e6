"""Laws of the errors of networks of models, generation by generation and in the long run.

By subject::

    collapse       where collapse begins, and which models it reaches
    first_order    M-estimators as sample counts grow, on any network
    least_squares  least squares at every sample size
    generative     models without covariates at every sample size
    mediated       entities that interact through a common pool of data

:mod:`mcjax.laws.law` is the contract of a law and :mod:`mcjax.laws.registry` lists those that are
built in. To add one, write its file and a line there; ``tests/laws/test_contract.py`` then holds it
to the contract and to simulation.
"""
