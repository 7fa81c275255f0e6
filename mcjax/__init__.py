"""mcjax: does the theory of model collapse hold?

Networks of models that train on each other's output: the law of who collapses, the laws of every
model's error, thousands of seeded chains that simulate them, and verdicts on whether they agree.

The rooms, each using only those above it (a test holds them to it)::

    draws      random numbers by position
    network    who feeds whom
    solvers    linear systems, linear programs, and how they end
    estimators how a model is fitted
    models     loss, sampler, information
    chains     one chain of one network
    study      conditions and settings, from Python or a file
    engine     many chains, their moments
    laws       the collapse law; predicted moments
    diagnosis  the collapse law applied to one network
    verdicts   simulation against law
    api        from a study to predictions, simulations and verdicts
    published  published results, each with the study that shows it
    report     tables, JSON, results on disk
    figures    paper figures
    cli        the command line

Importing mcjax imports no JAX, changes no setting and allocates nothing; names below are loaded
when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
